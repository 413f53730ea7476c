"""Which months of a book are mature: nearly all outcomes of their loans are known."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import polars as pl

from loan_platform.core.training.loan_kinds import POOL, common_kinds

MOST_NAMED = 6
MIN_OF_MONTH = 0.1  # of the loans of a month
MAX_WHOLE = 1e15  # larger numbers are written as they are


class Month(NamedTuple):
    """A month of issue: how many loans it has, and of how many the outcome is known."""

    first_day: date
    known: int
    rows: int


@dataclass(frozen=True)
class MaturedMonths:
    """The mature months, oldest first, and what is left out.

    Attributes:
        months: their first days.
        ended_by: the month from which on loans are still open; None: there is none.
        gaps: months before it that have too many open loans.
        small_gaps: first days of those that have few enough together with their neighbours, up to `POOL` loans.
    """

    months: tuple[date, ...]
    ended_by: Month | None
    gaps: tuple[Month, ...]
    small_gaps: tuple[date, ...]

    @property
    def why(self) -> str:
        """What is left out, as the end of a sentence; empty if nothing is."""
        told = [_named(gap) for gap in self.gaps[:MOST_NAMED]]
        if len(self.gaps) > MOST_NAMED:
            told.append(f"and {len(self.gaps) - MOST_NAMED} more")
        parts = [f"without {', '.join(told)}"] if told else []
        if self.ended_by is not None:
            share = self.ended_by.known / self.ended_by.rows
            since = f"from {self.ended_by.first_day:%Y-%m} on, with {share:.1%} of its outcomes known"
            parts.append(f"{since}, loans are still open")
        return f" ({'; '.join(parts)})" if parts else ""


def matured_months(vintage: pl.Series, target: pl.Series, min_resolved: float) -> MaturedMonths:
    """The months with enough known outcomes, up to where the loans of a book are still open.

    The series ends at the first month with too many open loans after which all months have. Whether later months have
    is judged on at least `POOL` loans, those of the month and of its nearest neighbours. So a few open loans in a small
    month leave out that month, and not those after it.

    Args:
        vintage: first day of the month of each loan; null is left out.
        target: null while the outcome is not known.
        min_resolved: share of outcomes that must be known.
    """
    loans = pl.DataFrame({"vintage": vintage, "known": target.is_not_null()}).drop_nulls("vintage")
    counted = loans.group_by("vintage").agg(pl.col("known").sum(), rows=pl.len()).sort("vintage")
    months = [Month(*row) for row in counted.iter_rows()]
    pooled = [pooled_share(months, at) >= min_resolved for at in range(len(months))]
    settled = max((at for at, is_mature in enumerate(pooled) if is_mature), default=-1) + 1
    immature = [month.known / month.rows < min_resolved for month in months]
    end = next((at for at in range(settled, len(months)) if immature[at]), len(months))
    return MaturedMonths(
        months=tuple(month.first_day for month, out in zip(months[:end], immature, strict=False) if not out),
        ended_by=months[end] if end < len(months) else None,
        gaps=tuple(month for month, out in zip(months[:end], immature, strict=False) if out),
        small_gaps=tuple(months[at].first_day for at in range(end) if immature[at] and pooled[at]),
    )


class MatureLoans(NamedTuple):
    """The loans of mature months.

    Attributes:
        months: first days of the mature months, oldest first. One in ten loans of each is mature at least.
        is_mature: of each loan, whether the month is mature for loans like it.
        why: what is left out, as the end of a sentence; empty if nothing is.
    """

    months: tuple[date, ...]
    is_mature: pl.Series
    why: str


def mature_loans(
    vintage: pl.Series,
    target: pl.Series,
    min_resolved: float,
    kind: pl.Series | None = None,
    *,
    with_small_gaps: bool = False,
) -> MatureLoans:
    """The loans of mature months, judged for each kind of loan by itself.

    Loans of 60 months resolve later than those of 36. In a month of which nearly all short loans are known, the known
    long ones are mostly defaults. So a long loan counts from months that are mature among long loans. Loans of a kind
    with fewer than `POOL` loans count from months that are mature among all loans. Training and the performance report
    ask this function alone.

    Args:
        vintage: as for `matured_months`.
        target: as for `matured_months`.
        min_resolved: as for `matured_months`.
        kind: of each loan, as `kind_text` gives it; None: all loans are of one kind.
        with_small_gaps: small months with too many open loans count where they are mature with their neighbours.
            Training leaves them out. The performance report takes them, because its newest loans are few.
    """

    def counted(found: MaturedMonths) -> tuple[date, ...]:
        return found.months + (found.small_gaps if with_small_gaps else ())

    of_all = matured_months(vintage, target, min_resolved)
    among_all = vintage.is_in(counted(of_all)).fill_null(False)
    if kind is None:
        return MatureLoans(tuple(sorted(counted(of_all))), among_all, of_all.why)
    common = common_kinds(kind)
    is_mature, told = common.is_null() & among_all, list[str]()
    for value in common.drop_nulls().unique().sort():
        of_kind = (common == value).fill_null(False)
        found = matured_months(vintage.filter(of_kind), target.filter(of_kind), min_resolved)
        is_mature |= of_kind & vintage.is_in(counted(found)).fill_null(False)
        told += [f"{value}{found.why}"] if found.why else []
    return MatureLoans(_mostly(vintage, is_mature), is_mature, f" ({'; '.join(told)})" if told else "")


def _mostly(vintage: pl.Series, is_mature: pl.Series) -> tuple[date, ...]:
    """The months with enough mature loans. A few loans of a short kind make no month of the whole book."""
    loans = pl.DataFrame({"vintage": vintage, "mature": is_mature}).drop_nulls("vintage")
    counted = loans.group_by("vintage").agg(pl.col("mature").mean()).filter(pl.col("mature") >= MIN_OF_MONTH)
    return tuple(counted["vintage"].sort())


def kind_text(values: pl.Series) -> pl.Series:
    """The kind of each loan in words, such as `term 36`. A missing value is a kind of its own.

    The words of a value do not depend on the other values: predictions of another time are joined by them.

    Args:
        values: of the feature `split.mature_by`.
    """
    text = values.cast(pl.String)
    if values.dtype.is_float():
        whole = values.is_finite() & (values.round() == values) & (values.abs() < MAX_WHOLE)
        text = values.cast(pl.Int64, strict=False).cast(pl.String).zip_with(whole.fill_null(False), text)
    return (f"{values.name} " + text.fill_null("missing")).alias(values.name)


def pooled_share(months: Sequence[Month], at: int) -> float:
    """Share of known outcomes of a month and its nearest neighbours, the earlier first, that have `POOL` loans.

    Args:
        months: in order of time.
        at: number of the month.
    """
    first, last = at, at
    known, rows = months[at].known, months[at].rows
    while rows < POOL and (first > 0 or last < len(months) - 1):
        if first > 0 and (at - first <= last - at or last == len(months) - 1):
            first -= 1
            added = months[first]
        else:
            last += 1
            added = months[last]
        known, rows = known + added.known, rows + added.rows
    return known / rows


def _named(month: Month) -> str:
    return f"{month.first_day:%Y-%m} with {month.rows - month.known} of {month.rows} open"
