"""What is drafted from public loan files: what an analyst would start with."""

from pathlib import Path

import pytest

from loan_platform.adapters.drafting.book_folder import create_book, read_book
from loan_platform.adapters.drafting.draft_book import BookRequest
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.drafting.judging.draft import Draft
from loan_platform.core.drafting.writing.screen_text import screen_text
from loan_platform.settings.platform import PlatformSettings

pytestmark = pytest.mark.real_data


def drafted(source: Path, folder: Path) -> tuple[Draft, Portfolio]:
    books = folder / "pack" / "defs"
    draft = create_book(BookRequest("b", str(source)), books / "b", PlatformSettings.from_environment(), lambda _: None)
    return draft, read_book(books / "b", "b")


def names(draft: Draft, known: str) -> set[str]:
    return {item.column.name for item in draft.judged if item.column.available_at == known}


@pytest.mark.slow
def test_lending_club(loan_data: Path, tmp_path: Path) -> None:
    draft, book = drafted(loan_data / "lendingclub" / "loanstats_2007_2011.csv.gz", tmp_path)
    contract = book.contract
    assert (contract.entity_key, contract.event_date) == ("id", "issue_d")
    assert contract.target.description.startswith("loan_status is ")
    assert (draft.counts.defaults, draft.counts.repaid) == (5_035, 28_816)
    assert names(draft, "after_origination") == {
        *("total_pymnt", "total_pymnt_inv", "total_rec_prncp", "total_rec_int", "total_rec_late_fee", "recoveries"),
        *("collection_recovery_fee", "last_pymnt_d", "last_pymnt_amnt", "last_credit_pull_d"),
        *("last_fico_range_high", "last_fico_range_low", "debt_settlement_flag", "debt_settlement_flag_date"),
        *("settlement_status", "settlement_date", "settlement_amount", "settlement_percentage", "settlement_term"),
    }
    assert {"int_rate", "grade", "sub_grade", "installment"} <= names(draft, "pricing")
    out = {item.label for item in draft.left_out}
    assert {"emp_title", "desc", "title", "url", "zip_code", "member_id", "policy_code", "issue_year"} <= out
    features = {feature.name for feature in contract.features_for(use_pricing=False)}
    assert {
        "loan_amnt",
        "annual_inc",
        "dti",
        "fico_range_low",
        "term",
        "purpose",
        "earliest_cr_line_months",
    } <= features
    assert "addr_state" not in features
    assert book.split.kind == "out_of_time"
    assert book.partitions.start == "2007-06"


@pytest.mark.slow
def test_credit_cards(loan_data: Path, tmp_path: Path) -> None:
    draft, book = drafted(loan_data / "uci_credit_card" / "UCI_Credit_Card.csv.gz", tmp_path)
    contract = book.contract
    assert contract.entity_key == "id"
    assert contract.target.description == "default.payment.next.month is '1'; repaid: '0'."
    assert draft.counts.base_rate == pytest.approx(0.2223, abs=1e-4)
    assert {item.column.name for item in draft.judged if item.protected} == {"sex", "marriage", "age"}
    assert {contract.by_name[name].type for name in ("pay_0", "pay_6", "bill_amt1", "pay_amt6")} <= {
        "integer",
        "number",
    }
    assert names(draft, "after_origination") == set()
    assert {feature.name: feature.kind for feature in contract.features}["education"] == "category"
    assert len(contract.features) == 20


def test_a_legitimately_strong_feature_is_kept_and_told(loan_data: Path, tmp_path: Path) -> None:
    draft, book = drafted(loan_data / "default_fin" / "Default_Fin.csv", tmp_path)
    assert book.contract.entity_key == "index"
    assert {feature.name for feature in book.contract.features} == {"employed", "bank_balance", "annual_salary"}
    assert draft.policies.strength.feature == "bank_balance"
    assert names(draft, "after_origination") == set()
    assert (book.promotion.max_auc, book.promotion.max_feature_auc) == (0.90, 0.85)
    assert "TOO GOOD TO BE TRUE: a model above promotion.max_auc (0.9)" in screen_text(draft, [])
    text = (tmp_path / "pack" / "defs" / "b" / "contract.yaml").read_text()
    assert "# STRONG: alone it has an AUC of 0.95. Make sure that it is known when the lender decides." in text
