"""Chooses the split by trying it on the loans."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from loan_platform.core.book.training_policies import SplitPolicy
from loan_platform.core.training.splits import LoanSplit, SplitError, split_loans

TEST_SHARE = 0.2
CALIBRATION_SHARE = 0.15
MIN_MONTHS = 6
MIN_PER_CLASS = 30  # loans of each class in test and calibration set
MIN_RESOLVED = SplitPolicy.model_fields["min_resolved"].default


@dataclass(frozen=True)
class ChosenSplit:
    """A split policy that works, its rows, and why it was taken."""

    policy: SplitPolicy
    rows: LoanSplit
    why: str


def choose_split(key: pl.Series, target: pl.Series, event: pl.Series | None) -> ChosenSplit:
    """Out of time where there are months enough, else by a hash of the key.

    Raises:
        SplitError: no split gives every part loans of both classes.
    """
    why = "the book has no date of the decision"
    if event is not None:
        found = _out_of_time(key, target, event)
        if isinstance(found, ChosenSplit):
            return found
        why = found
    for folds in (3, 2):
        policy = SplitPolicy(kind="hash", folds=folds)
        try:
            return ChosenSplit(policy, split_loans(key, target, None, policy), f"by a hash of the key: {why}")
        except SplitError as error:
            last = error
    raise SplitError(f"the loans are too few to split: {last}")


def _out_of_time(key: pl.Series, target: pl.Series, event: pl.Series) -> ChosenSplit | str:
    months = _matured(event, target)
    if months.height < MIN_MONTHS:
        return f"of its months only {months.height} have nearly all outcomes known"
    test = _window(months, TEST_SHARE)
    calibration = _window(months.head(months.height - test), CALIBRATION_SHARE)
    for folds in (3, 2):
        policy = SplitPolicy(test_months=test, calibration_months=calibration, folds=folds)
        try:
            rows = split_loans(key, target, event, policy)
        except SplitError as error:
            why = str(error)
            continue
        parts = (rows.parts["test"], rows.parts["calibration"])
        if all(min(part.defaults, part.rows - part.defaults) >= MIN_PER_CLASS for part in parts):
            return ChosenSplit(policy, rows, f"{months.height} matured months; the newest {test} are the test set")
        why = "its newest months have too few loans of one class"
    return why


def _matured(event: pl.Series, target: pl.Series) -> pl.DataFrame:
    """Months up to the first with open outcomes: `vintage`, `loans`, `bad`, oldest first."""
    frame = pl.DataFrame({"vintage": event.dt.truncate("1mo"), "y": target}).drop_nulls("vintage")
    months = frame.group_by("vintage").agg(
        known=pl.col("y").is_not_null().mean(), loans=pl.col("y").count(), bad=pl.col("y").sum(), rows=pl.len()
    )
    months = months.sort("vintage")
    open_months = months.filter(pl.col("known") < MIN_RESOLVED)["vintage"]
    return months if open_months.is_empty() else months.filter(pl.col("vintage") < open_months[0])


def _window(months: pl.DataFrame, share: float) -> int:
    """The newest months that hold this share of the loans and enough of each class, at most a third of the months."""
    newest = months.reverse().with_columns(pl.col("loans", "bad").cum_sum())
    wanted = share * int(months["loans"].sum())
    enough = (
        (pl.col("loans") >= wanted)
        & (pl.col("bad") >= MIN_PER_CLASS)
        & (pl.col("loans") - pl.col("bad") >= MIN_PER_CLASS)
    )
    reached = newest.with_row_index("number").filter(enough)["number"]
    count = int(reached[0]) + 1 if len(reached) else months.height
    return max(1, min(count, months.height // 3))


def first_month(event: pl.Series) -> str:
    """The month in which batches start: the first one, but for a few stray dates long before all others."""
    dates = event.drop_nulls().sort()
    first: date = dates[0]
    early: date = dates[len(dates) // 1000]
    return f"{(first if (early - first).days < 10 * 365 else early):%Y-%m}"
