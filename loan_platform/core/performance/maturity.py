"""Which scored applications became loans, as far as is known, and of which months nearly all outcomes are known."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from loan_platform.core.training.matured_months import Month, pooled_share

MONTH, EXPECTED, NOT_TAKEN = "month", "expected", "not_taken_up"
LISTED = 0.5  # share of the approved applications of a month that a lender reports who lists open loans


def with_expected(predictions: pl.DataFrame) -> pl.DataFrame:
    """Add the month of issue and whether an outcome is expected: whether the application became a loan.

    A loan is what the lender reports on. An approved application that it does not report on may be an offer that was
    never taken up, or a loan of which the lender says nothing before it ends. The reports tell the two apart: a lender
    who reports on an open loan lists open loans. So up to the newest month of which an open loan was reported, only
    reported applications are loans. One row may be a slip, so this holds for months with reports on half of the
    approved applications. In other months, and where no open loan was ever reported, every approved application is
    waited for too. Without dates the book is one month.

    Args:
        predictions: as for `performance`.

    Returns:
        The same rows with the columns `month` (first day; null without dates), `expected` and `not_taken_up`.
    """
    dated = predictions.with_columns(pl.col("vintage").cast(pl.Date).dt.truncate("1mo").alias(MONTH))
    unreported = pl.col("approved") & ~pl.col("reported")
    is_listed = _is_listed(dated)
    expected = pl.col("reported") | (unreported & ~is_listed)
    return dated.with_columns(expected.alias(EXPECTED), (unreported & is_listed).alias(NOT_TAKEN))


def _is_listed(dated: pl.DataFrame) -> pl.Expr:
    """Whether the lender lists the open loans of a row's month."""
    is_open = dated.filter(pl.col("reported") & pl.col("outcome").is_null())[MONTH]
    newest = is_open.max()
    until = pl.lit(len(is_open) > 0) if newest is None else (pl.col(MONTH) <= newest).fill_null(False)
    reported = (pl.col("approved") & pl.col("reported")).sum().over(MONTH)
    return until & (reported >= LISTED * pl.col("approved").sum().over(MONTH))


def matured(loans: pl.DataFrame, min_resolved: float) -> list[date | None]:
    """The months of which enough outcomes are known, oldest first.

    A month counts if its own loans have them, or its loans with those of the nearest months, up to 200 loans. So one
    open loan in a small month decides nothing.

    Args:
        loans: rows of `with_expected` of which an outcome is expected.
        min_resolved: share of outcomes that must be known.
    """
    months = month_counts(loans)
    found = list[date | None]()
    for at, month in enumerate(months):
        if month.known >= min_resolved * month.rows or pooled_share(months, at) >= min_resolved:
            found.append(month.first_day)
    without_date = loans.filter(pl.col(MONTH).is_null())
    if len(without_date) and without_date["outcome"].count() >= min_resolved * len(without_date):
        found.append(None)
    return found


def month_counts(loans: pl.DataFrame) -> Sequence[Month]:
    """Loans and known outcomes of each month, oldest first."""
    dated = loans.drop_nulls(MONTH)
    counted = dated.group_by(MONTH).agg(pl.col("outcome").count().alias("known"), pl.len().alias("rows")).sort(MONTH)
    return [Month(*row) for row in counted.iter_rows()]


def of_months(loans: pl.DataFrame, months: Sequence[date | None]) -> pl.DataFrame:
    """The loans of some months."""
    return loans.filter(pl.col(MONTH).is_in(pl.Series(months, dtype=pl.Date).implode(), nulls_equal=True))
