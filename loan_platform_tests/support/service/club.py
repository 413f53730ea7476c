"""A model of the shipped LendingClub contract, made by hand, and an ordinary application to it."""

from pathlib import Path
from typing import Any

from loan_platform.cli.books import book_folder
from loan_platform.core.book.contract import Contract
from loan_platform.core.checking.contract_check import load_contract
from loan_platform.core.features.design_column import DesignColumn
from loan_platform.core.features.design_matrix import Design
from loan_platform.core.models.calibration import Platt
from loan_platform.core.models.scorecard import ScorecardModel, Term
from loan_platform.core.scoring.bundle import write_bundle
from loan_platform.core.scoring.scoring_model import ScoringModel, reduced_contract
from loan_platform_tests.support.bundles import answer_policy
from loan_platform_tests.support.random_loans import random_rows

FEATURES = ("loan_amnt", "term", "income", "fico", "credit_history_months", "open_acc", "total_acc", "pub_rec")

APPLICATION: dict[str, Any] = {
    "issue_d": "2015-06-30", "loan_amnt": 15000, "term": 36, "purpose": "debt_consolidation", "annual_inc": 80000,
    "home_ownership": "MORTGAGE", "dti": 20, "fico_range_low": 680, "fico_range_high": 700,
    "earliest_cr_line": "1999-06-15", "open_acc": 10, "total_acc": 20, "pub_rec": 0, "revol_bal": 15000,
    "revol_util": 50, "acc_now_delinq": 0, "pub_rec_bankruptcies": 0, "tax_liens": 0,
}  # fmt: skip

# What an application changes to break one critical rule, by the name of the rule.
BREAKS: dict[str, dict[str, Any]] = {
    "fico_range_in_order": {"fico_range_low": 840, "fico_range_high": 300},
    "open_accounts_among_all": {"open_acc": 30},
    "term_on_offer": {"term": 48},
    "credit_line_before_loan": {"earliest_cr_line": "2062-01-01"},
    "past_due_among_open": {"acc_now_delinq": 50},
    "records_include_bankruptcies": {"pub_rec_bankruptcies": 1, "tax_liens": 1, "pub_rec": 1},
}


def club_contract() -> Contract:
    """The contract as it is shipped."""
    return load_contract(book_folder("lending_club") / "contract.yaml")


def club_model() -> ScoringModel:
    """A model in which every feature counts a little."""
    contract, count = club_contract(), len(FEATURES)
    design = Design(tuple(DesignColumn(feature=f.name) for f in contract.features if f.name in FEATURES))
    term = Term(knots=(0.0, 3000.0), pieces=((0.0, 0.0, 0.1, -1.0),), missing=0.5)
    fitted = ScorecardModel(importance=(1 / count,) * count, intercept=-2.0, terms=(term,) * count)
    calibration = Platt(slope=0.01, intercept=-1.0)
    return ScoringModel(reduced_contract(contract, design), design, fitted, calibration, answer_policy())


def make_club_bundle(folder: Path) -> tuple[ScoringModel, str]:
    """Write a bundle of the model; returns it with the bundle's SHA-256."""
    model = club_model()
    return model, write_bundle(folder, model, {}, random_rows(model.inputs, 40), {"family": "scorecard"})
