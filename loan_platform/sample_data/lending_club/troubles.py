"""Hardship plans and debt settlements: rare columns that are filled after origination only."""

import numpy as np
import polars as pl

from loan_platform.sample_data.lending_club.columns import Bools, Floats, Ints
from loan_platform.sample_data.lending_club.months import month_labels, month_number
from loan_platform.sample_data.lending_club.outcomes import CHARGED_OFF, Loans, Seen

HARDSHIP_FROM = month_number("2017-05")
HARDSHIP_SHARE = 0.006
HARDSHIP_REASONS = (
    "UNEMPLOYMENT", "MEDICAL", "INCOME_CURTAILMENT", "NATURAL_DISASTER", "EXCESSIVE_OBLIGATIONS",
    "REDUCED_HOURS",
)  # fmt: skip
HARDSHIP_LOAN_STATUSES = ("Current", "In Grace Period", "Late (16-30 days)", "Late (31-120 days)")
SETTLEMENT_SHARE = 0.12
"""Share of charged-off loans that reach a settlement (real sample: 21 of 198)."""
SETTLEMENT_STATUSES = ("ACTIVE", "COMPLETE", "BROKEN")

Columns = dict[str, pl.Series]


def hardship_columns(rng: np.random.Generator, loans: Loans, seen: Seen) -> Columns:
    """The hardship columns and `pymnt_plan`; a plan lasts three months of reduced payments."""
    months = loans.people.months
    start = np.maximum(months + 6, HARDSHIP_FROM) + rng.integers(0, 20, len(months))
    plan = start < np.minimum(months + loans.lives.end, seen.as_of)
    plan &= rng.random(len(months)) < HARDSHIP_SHARE
    active = plan & (start + 3 > seen.as_of) & (seen.status > CHARGED_OFF)
    columns = _words(rng, plan, active) | _plan_numbers(rng, plan, loans, seen)
    for name, offset in (
        ("hardship_start_date", 0),
        ("hardship_end_date", 3),
        ("payment_plan_start_date", 0),
    ):
        columns[name] = month_labels(np.where(plan, start + offset, np.nan))
    return columns


def settlement_columns(rng: np.random.Generator, loans: Loans, seen: Seen) -> Columns:
    """The settlement columns: a planted leak, since only charged-off loans have them."""
    rows = len(seen.status)
    agreed = loans.people.months + loans.lives.end + rng.integers(0, 10, rows)
    settled = (seen.status == CHARGED_OFF) & (agreed < seen.as_of) & (rng.random(rows) < SETTLEMENT_SHARE)
    percent = np.round(np.clip(48 + 8 * rng.standard_normal(rows), 20, 100), 2)
    lost = loans.people.loan_amnt - seen.numbers["total_rec_prncp"]
    flagged = np.minimum(agreed + rng.integers(0, 12, rows), seen.as_of)
    return {
        "settlement_amount": _filled(settled, np.round(lost * percent / 100, 2)),
        "settlement_percentage": _filled(settled, percent),
        "settlement_term": _filled(settled, rng.integers(0, 25, rows)),
        "settlement_status": _named(SETTLEMENT_STATUSES, np.where(settled, rng.integers(0, 3, rows), -1)),
        "settlement_date": month_labels(np.where(settled, agreed, np.nan)),
        "debt_settlement_flag_date": month_labels(np.where(settled, flagged, np.nan)),
        "debt_settlement_flag": pl.Series(("N", "Y")).gather(settled.astype(np.int64)),
    }


def _plan_numbers(rng: np.random.Generator, plan: Bools, loans: Loans, seen: Seen) -> Columns:
    rows, amount = len(plan), loans.people.loan_amnt
    reduced = np.round(0.35 * loans.price.installment, 2)
    owed = np.round(np.minimum(amount, seen.numbers["out_prncp"] + 0.4 * amount), 2)
    return {
        "deferral_term": _filled(plan, np.full(rows, 3.0)),
        "hardship_length": _filled(plan, np.full(rows, 3.0)),
        "hardship_amount": _filled(plan, reduced),
        "hardship_dpd": _filled(plan, rng.integers(0, 30, rows)),
        "orig_projected_additional_accrued_interest": _filled(plan, np.round(3 * reduced, 2)),
        "hardship_payoff_balance_amount": _filled(plan, owed),
        "hardship_last_payment_amount": _filled(plan, loans.price.installment),
    }


def _words(rng: np.random.Generator, plan: Bools, active: Bools) -> Columns:
    rows = len(plan)
    reason = np.where(plan, rng.integers(0, len(HARDSHIP_REASONS), rows), -1)
    before = np.where(plan, rng.integers(0, len(HARDSHIP_LOAN_STATUSES), rows), -1)
    return {
        "hardship_flag": pl.Series(("N", "Y")).gather(active.astype(np.int64)),
        "pymnt_plan": pl.Series(("n", "y")).gather(active.astype(np.int64)),
        "hardship_type": _named(("INTEREST ONLY-3 MONTHS DEFERRAL",), np.where(plan, 0, -1)),
        "hardship_reason": _named(HARDSHIP_REASONS, reason),
        "hardship_status": _named(("COMPLETED", "ACTIVE"), np.where(plan, active.astype(np.int64), -1)),
        "hardship_loan_status": _named(HARDSHIP_LOAN_STATUSES, before),
    }


def _filled(present: Bools, values: Floats | Ints) -> pl.Series:
    return pl.Series("values", np.where(present, values, np.nan), nan_to_null=True)


def _named(names: tuple[str, ...], numbers: Ints) -> pl.Series:
    """Names by number; -1 is null."""
    return pl.Series((*names, None)).gather(np.where(numbers < 0, len(names), numbers))
