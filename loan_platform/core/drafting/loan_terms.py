"""Finds the feature by which loans mature: the term, where the outcomes of longer loans are known later."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import polars as pl

from loan_platform.core.book.contract import Contract
from loan_platform.core.drafting.reading.vocabulary import TERM_WORDS
from loan_platform.core.training.matured_months import POOL, matured_months

MAX_TERMS = 12
MIN_LATER = 3  # months by which the longest loans mature later than the shortest
TOLERANCE = 2  # months by which chance may let a longer term mature earlier than the next shorter one


@dataclass(frozen=True)
class TermChoice:
    """The feature `split.mature_by`, its values, and the evidence as a sentence."""

    values: pl.Series
    why: str


def term_feature(
    contract: Contract, features: pl.DataFrame, target: pl.Series, event: pl.Series, min_resolved: float
) -> TermChoice | None:
    """The term of the loans, if longer terms mature later; None where the outcomes show no difference.

    Args:
        contract: the drafted one.
        features: computed by it.
        target: 1 default, 0 repaid, null while the outcome is not known.
        event: date of each loan.
        min_resolved: share of known outcomes from which a month is mature.
    """
    vintage = event.dt.truncate("1mo")
    for values in _terms(contract, features):
        ends = [
            (term, _end(vintage.filter(values == term), target.filter(values == term), min_resolved))
            for term in values.drop_nulls().unique().sort()
            if (values == term).sum() >= POOL
        ]
        if len(ends) > 1 and _later([end for _, end in ends], vintage):
            told = ", ".join(f"{term:g} {f'from {end:%Y-%m} on' if end else 'never'}" for term, end in ends)
            return TermChoice(values, f"longer loans are known later. By {values.name}, too many are open: {told}")
    return None


def _terms(contract: Contract, features: pl.DataFrame) -> Iterator[pl.Series]:
    """Features that may be a term: few whole numbers, called a term or a number of months or years."""
    for feature in contract.features:
        if feature.kind != "number" or feature.name not in features.columns or feature.sql not in contract.by_name:
            continue
        column, values = contract.by_name[feature.sql], features[feature.name]
        stated = values.drop_nulls()
        named = bool(TERM_WORDS & {*column.name.split("_")}) or column.unit in ("months", "years")
        if named and 1 < stated.n_unique() <= MAX_TERMS and ((stated > 0) & (stated.round() == stated)).all():
            yield values


def _end(vintage: pl.Series, target: pl.Series, min_resolved: float) -> date | None:
    """The month from which on loans are still open; None: there is none."""
    ended_by = matured_months(vintage, target, min_resolved).ended_by
    return ended_by.first_day if ended_by else None


def _later(ends: list[date | None], vintage: pl.Series) -> bool:
    """Whether longer loans are open from an earlier month on. Loans without an open month end after the newest."""
    newest = vintage.max()
    if ends[-1] is None or not isinstance(newest, date):
        return False
    months = [_number(end) if end else _number(newest) + 1 for end in ends]
    in_order = all(longer <= shorter + TOLERANCE for shorter, longer in pairwise(months))
    return in_order and months[0] - months[-1] >= MIN_LATER


def _number(month: date) -> int:
    return month.year * 12 + month.month
