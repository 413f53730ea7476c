"""Sentences of a verdict's reason on loans that are not judged, or that are judged together."""

import polars as pl

from loan_platform.core.performance.maturity import KIND, MONTH, NOT_TAKEN, ONE_KIND
from loan_platform.core.performance.window import Window


def too_early(loans: pl.DataFrame, min_outcomes: int, min_resolved: float) -> str:
    """Why no month is mature."""
    known = loans["outcome"].count()
    if known < min_outcomes:
        return f"{known} outcomes are known, {min_outcomes} are needed"
    reason = (
        f"{known / len(loans):.1%} of the outcomes are known, and split.min_resolved needs {min_resolved:.1%} of a "
        "month: those known first are mostly defaults"
    )
    if (loans["reported"] & loans["outcome"].is_null()).sum() >= (~loans["reported"]).sum():
        return reason
    return (
        f"{reason}. Most open loans are in no file of outcomes, so approved offers that were never taken up are waited "
        "for: list open loans, with an empty outcome"
    )


def immature_kinds(loans: pl.DataFrame, mature: pl.DataFrame, window: Window) -> str:
    """Loans of the judged months whose kind is not mature yet, as the end of a sentence; empty if none."""
    of_a_kind = loans.filter(_inside(window) & (pl.col(KIND) != ONE_KIND))
    out = of_a_kind.join(mature, on=[KIND, MONTH], how="anti", nulls_equal=True)
    if out.is_empty():
        return ""
    kinds = ", ".join(out[KIND].unique().sort())
    return f"; {len(out):,} loans of these months are left out, as those like them are not mature yet: {kinds}"


def never_taken_up(judged: pl.DataFrame, window: Window) -> str:
    """How many approved applications are no loans, as the end of a sentence; empty if none."""
    rows = judged.filter(_inside(window) & pl.col(NOT_TAKEN)).height
    return f"; {rows:,} approved applications that no file lists count as never taken up" if rows else ""


def undated(loans: pl.DataFrame) -> str:
    """Loans without a date in a book with dates, as the end of a sentence; empty if none."""
    rows = loans[MONTH].null_count()
    return f"; {rows:,} loans without a date are left out, as they are of no month" if 0 < rows < len(loans) else ""


def together(others: tuple[int, ...]) -> str:
    """Whose loans are judged too, as the end of a sentence."""
    return f"; with the loans that the same model scored as version {', '.join(map(str, others))}" if others else ""


def _inside(window: Window) -> pl.Expr:
    """Whether a loan is of the judged months."""
    return pl.lit(True) if window.first is None else pl.col(MONTH).is_between(window.first, window.last)
