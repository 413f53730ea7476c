"""Chooses the split by trying it on the loans."""

from dataclasses import dataclass
from datetime import date
from itertools import product

import polars as pl

from loan_platform.core.book.training_policies import SplitPolicy
from loan_platform.core.training.matured_months import kind_text, mature_loans
from loan_platform.core.training.splits import LoanSplit, SplitError, split_loans

TEST_SHARE = 0.2
CALIBRATION_SHARE = 0.15
MIN_MONTHS = 6
# Loans of each class in test and calibration set. A hash of few loans would give a part no more of them.
MIN_PER_CLASS = (20, 10)
MIN_RESOLVED = SplitPolicy.model_fields["min_resolved"].default


@dataclass(frozen=True)
class ChosenSplit:
    """A split policy that works, its rows, and why it was taken.

    `why_mature_by` is the evidence for `split.mature_by`; empty without it.
    """

    policy: SplitPolicy
    rows: LoanSplit
    why: str
    why_mature_by: str = ""


def choose_split(
    key: pl.Series, target: pl.Series, event: pl.Series | None, kind: pl.Series | None = None
) -> ChosenSplit:
    """Out of time where there are months enough, else by a hash of the key.

    Args:
        key: of each loan.
        target: 1 default, 0 repaid, null while the outcome is not known.
        event: date of each loan; None: the book has none.
        kind: values of the feature by which loans mature; None: all loans alike.

    Raises:
        SplitError: no split gives every part loans of both classes.
    """
    why = "the book has no date of the decision"
    if event is not None:
        attempts = [None] if kind is None else [kind, None]  # a kind may leave no months, where all loans have some
        for by in attempts:
            found = _out_of_time(key, target, event, by)
            if isinstance(found, ChosenSplit):
                return found
            why = found
    for folds in (3, 2):
        policy = SplitPolicy(kind="hash", folds=folds)
        try:
            return ChosenSplit(
                policy, split_loans(key, target, None, policy), f"by a hash of the key: {why}{_open(target)}"
            )
        except SplitError as error:
            last = error
    raise SplitError(f"the loans are too few to split: {last}")


def _open(target: pl.Series) -> str:
    """What is to be told of open loans where they cannot be left out by month."""
    share = target.null_count() / max(len(target), 1)
    if share <= 1 - MIN_RESOLVED:
        return ""
    return (
        f". {share:.1%} of the loans are still open, and the model learns from the others alone: loans that resolve "
        "early are mostly defaults, so its probabilities can be far too high"
    )


def _out_of_time(key: pl.Series, target: pl.Series, event: pl.Series, kind: pl.Series | None) -> ChosenSplit | str:
    vintage = event.dt.truncate("1mo")
    found = mature_loans(vintage, target, MIN_RESOLVED, None if kind is None else kind_text(kind))
    counts = (found.is_mature & vintage.is_in(found.months)).fill_null(False)  # as `split_loans` counts
    months = _matured(vintage.filter(counts), target.filter(counts))
    if months.height < MIN_MONTHS:
        return f"of its months only {months.height} have nearly all outcomes known{found.why}"
    why = ""
    for least, folds in product(MIN_PER_CLASS, (3, 2)):
        test = _window(months, TEST_SHARE, least)
        calibration = _window(months.head(months.height - test), CALIBRATION_SHARE, least)
        by = None if kind is None else kind.name
        policy = SplitPolicy(test_months=test, calibration_months=calibration, folds=folds, mature_by=by)
        try:
            rows = split_loans(key, target, event, policy, kind)
        except SplitError as error:
            why = str(error)
            continue
        parts = (rows.parts["test"], rows.parts["calibration"])
        if all(min(part.defaults, part.rows - part.defaults) >= least for part in parts):
            told = f"{months.height} matured months{found.why}; the newest {test} are the test set"
            return ChosenSplit(policy, rows, told)
        why = "its newest months have too few loans of one class"
    return why


def _matured(vintage: pl.Series, target: pl.Series) -> pl.DataFrame:
    """Loans with a known outcome and defaults of each month: `vintage`, `loans`, `bad`, oldest first."""
    frame = pl.DataFrame({"vintage": vintage, "y": target})
    return frame.group_by("vintage").agg(loans=pl.col("y").count(), bad=pl.col("y").sum()).sort("vintage")


def _window(months: pl.DataFrame, share: float, least: int) -> int:
    """The newest months that hold this share of the loans and enough of each class, at most half of the months."""
    newest = months.reverse().with_columns(pl.col("loans", "bad").cum_sum())
    wanted = share * int(months["loans"].sum())
    enough = (pl.col("loans") >= wanted) & (pl.col("bad") >= least) & (pl.col("loans") - pl.col("bad") >= least)
    reached = newest.with_row_index("number").filter(enough)["number"]
    count = int(reached[0]) + 1 if len(reached) else months.height
    return max(1, min(count, (months.height + 1) // 2))


def first_month(event: pl.Series) -> str:
    """The month in which batches start: the first one, but for a few stray dates long before all others."""
    dates = event.drop_nulls().sort()
    first: date = dates[0]
    early: date = dates[len(dates) // 1000]
    return f"{(first if (early - first).days < 10 * 365 else early):%Y-%m}"
