"""Which scored applications became loans, as far as is known, and of which months nearly all outcomes are known."""

import polars as pl

from loan_platform.core.training.matured_months import mature_loans

KIND, MONTH, EXPECTED, NOT_TAKEN = "kind", "month", "expected", "not_taken_up"
ONE_KIND = ""
LISTED = 0.5  # share of the approved applications of a month that a lender reports who lists open loans


def with_expected(predictions: pl.DataFrame) -> pl.DataFrame:
    """Add the month of issue and the kind of a loan, and whether an outcome is expected: whether it became a loan.

    A loan is what the lender reports on. An approved application that it does not report on may be an offer that was
    never taken up, or a loan of which the lender says nothing before it ends. The reports tell the two apart: a lender
    who reports on an open loan lists open loans. So up to the newest month of which an open loan was reported, only
    reported applications are loans. One row may be a slip, so this holds for months with reports on half of the
    approved applications. In other months, and where no open loan was ever reported, every approved application is
    waited for too. Without dates the book is one month.

    Args:
        predictions: as for `performance`.

    Returns:
        The same rows with the columns `month` (first day; null without dates), `kind`, `expected` and `not_taken_up`.
    """
    kind = pl.col(KIND) if KIND in predictions.columns else pl.lit(ONE_KIND).alias(KIND)
    dated = predictions.with_columns(pl.col("vintage").cast(pl.Date).dt.truncate("1mo").alias(MONTH), kind)
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


def matured(loans: pl.DataFrame, min_resolved: float) -> pl.DataFrame:
    """The months of which enough outcomes are known, for each kind of loan.

    It is the rule of training, `mature_loans`, with the small gaps: a month counts too if its loans are mature with
    those of the nearest months, up to 200 loans. So one open loan in a small month decides nothing. A month of which
    fewer than one in ten loans are mature counts for no kind: a few short loans do not judge a book of long ones.

    Args:
        loans: rows of `with_expected` of which an outcome is expected.
        min_resolved: share of outcomes that must be known.

    Returns:
        Columns `kind` and `month`, sorted. The month is null in a book without dates. Where other loans have dates,
        those without one are of no month, so they are not among the newest.
    """
    kinds = loans[KIND]
    found = mature_loans(loans[MONTH], loans["outcome"], min_resolved, kinds, with_small_gaps=True)
    dated = found.is_mature & loans[MONTH].is_in(found.months).fill_null(False)
    without_date = loans.filter(pl.col(MONTH).is_null().all()).group_by(KIND, MONTH)
    enough = without_date.agg(pl.len(), pl.col("outcome").count()).filter(
        pl.col("outcome") >= min_resolved * pl.col("len")
    )
    together = pl.concat([loans.filter(dated).select(KIND, MONTH).unique(), enough.select(KIND, MONTH)])
    return together.sort(MONTH, KIND, nulls_last=True)


def of_months(loans: pl.DataFrame, mature: pl.DataFrame) -> pl.DataFrame:
    """The loans whose kind is mature in their month.

    Args:
        loans: rows of `with_expected`.
        mature: columns `kind` and `month`, as `matured` gives them.
    """
    return loans.join(mature, on=[KIND, MONTH], how="semi", nulls_equal=True, maintain_order="left")
