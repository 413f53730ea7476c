"""What a draft says of columns that were written after the outcome, and what it grants itself."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from loan_platform.adapters.drafting.book_folder import create_book, read_book
from loan_platform.adapters.drafting.draft_book import BookRequest
from loan_platform.core.book.constants import TARGET
from loan_platform.core.drafting.judging.draft import Draft
from loan_platform.core.drafting.writing.screen_text import screen_text
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.small_books.leaky_loans import honest_loans, leaky_loans

LEAKS = {"after_the_event": "proceeds", "missingness": "survey", "join": "calls"}


@pytest.fixture
def draft_of(tmp_path: Path) -> Callable[[pl.DataFrame], Draft]:
    def drafted(frame: pl.DataFrame) -> Draft:
        frame = frame.with_columns(defaulted=pl.col(TARGET).replace_strict({0: "no", 1: "yes"})).drop(TARGET)
        frame.write_csv(tmp_path / "loans.csv")
        request = BookRequest("b", str(tmp_path / "loans.csv"))
        settings = PlatformSettings.from_environment()
        return create_book(request, tmp_path / "pack" / "defs" / "b", settings, lambda _: None)

    return drafted


def late(draft: Draft) -> set[str]:
    return {item.column.name for item in draft.judged if item.column.available_at == "after_origination"}


def test_each_planted_leak_is_told_and_is_no_feature(draft_of: Callable[[pl.DataFrame], Draft], tmp_path: Path) -> None:
    """A book as a public one of small businesses: the term was rewritten, and other columns are made from it."""
    frame, _ = leaky_loans("rewriting", 2_000)
    frame = frame.with_columns(leaky_loans(kind, 2_000)[0][name] for kind, name in LEAKS.items())
    rng = np.random.default_rng(8)
    days = rng.integers(0, 900, (2, frame.height)) // np.array([[1], [20]])
    approved = [date(2005, 1, 1) + timedelta(days=int(day)) for day in days[0]]
    paid_out = [day + timedelta(days=int(more)) for day, more in zip(approved, days[1], strict=True)]
    frame = frame.with_columns(
        ApprovalDate=pl.Series(approved),
        DisbursementDate=pl.Series(paid_out),
        long_term=(pl.col("term") >= 120).cast(pl.Int64),
        term_days=pl.col("term") * 30,
    )
    draft = draft_of(frame)
    assert draft.event is not None
    assert draft.event.column.name == "approvaldate"
    assert late(draft) == {"term", "long_term", "term_days", "disbursementdate", *LEAKS.values()}
    assert {feature.name for feature, _ in draft.features} == {"income", "utilisation", "purpose", "inquiries"}
    assert draft.policies.strength.auc < 0.85
    told = " ".join(screen_text(draft, []).split())
    assert (
        "TOO GOOD TO BE TRUE, so in no model. Edit `available_at` if the lender has it when it decides: - term" in told
    )
    contract = " ".join((tmp_path / "pack" / "defs" / "b" / "contract.yaml").read_text().replace("#", "").split())
    assert "POSSIBLE LEAK: it has 5 usual values" in contract
    assert "POSSIBLE LEAK: it is made from 'term'" in contract


def test_the_order_of_the_file_is_no_feature(draft_of: Callable[[pl.DataFrame], Draft]) -> None:
    assert late(draft_of(leaky_loans("file_order", 1_000)[0])) == {"ticket"}


def test_ceilings_do_not_follow_what_the_file_showed(draft_of: Callable[[pl.DataFrame], Draft], tmp_path: Path) -> None:
    """A balance that a lender has may be this strong; a person says so with a reason."""
    frame, rng = honest_loans(2_000), np.random.default_rng(3)
    balance = (rng.normal(size=frame.height) + 2.2 * frame[TARGET].to_numpy()).round(3)
    draft = draft_of(frame.with_columns(balance=pl.Series(balance)))
    assert late(draft) == set()
    promotion = read_book(tmp_path / "pack" / "defs" / "b", "b").promotion
    assert (promotion.max_auc, promotion.max_feature_auc, promotion.reason) == (0.90, 0.85, None)
    told = " ".join(screen_text(draft, []).split())
    assert "TOO GOOD TO BE TRUE: a model above promotion.max_auc (0.9), or with a feature above" in told
    assert "Carried by balance (AUC 0.9" in told


def test_an_honest_file_is_not_suspected(draft_of: Callable[[pl.DataFrame], Draft]) -> None:
    draft = draft_of(honest_loans(1_000))
    assert late(draft) == set()
    assert "TOO GOOD" not in screen_text(draft, [])
