"""Proposes row rules where two names make the order of their values certain, and every row of the file keeps it."""

from collections.abc import Iterator
from itertools import permutations

import polars as pl

from loan_platform.core.book.parts.features import RowRule
from loan_platform.core.drafting.judging.judged_columns import JudgedColumn
from loan_platform.core.drafting.reading.columns import DraftColumn
from loan_platform.core.drafting.reading.names import MAX_LENGTH
from loan_platform.core.drafting.reading.vocabulary import NO_DATE_WORDS, word_set

_PAIRS = (("low", "high"), ("lower", "upper"), ("min", "max"), ("minimum", "maximum"))
_PARTS = (("open", "total"), ("open", "all"), ("active", "total"), ("active", "all"))
_FIRST = word_set("earliest oldest first")
_NUMBERS = ("integer", "number", "percent")
MIN_ROWS = 100  # with both values


def proposed_rules(
    judged: tuple[JudgedColumn, ...], event: DraftColumn | None, typed: pl.DataFrame
) -> tuple[RowRule, ...]:
    """Rules that no row breaks, with severity `warning`.

    Args:
        judged: the columns of the contract, without key and event date.
        event: the date of the decision, or None.
        typed: accepted rows.
    """
    known = [item for item in judged if item.column.available_at == "application" and item.draft.source is not None]
    found = [*_ordered(known), *(_before(known, event) if event else ())]
    return tuple(rule for low, high, rule in found if _is_kept(typed, low, high))


def _ordered(known: list[JudgedColumn]) -> Iterator[tuple[str, str, RowRule]]:
    """Pairs of numbers whose names differ in one word, such as low and high."""
    numbers = [item for item in known if item.column.type in _NUMBERS]
    for one, other in permutations(numbers, 2):
        differ = _differing(one, other)
        if differ in _PAIRS or differ in _PARTS:
            low, high = one.column.name, other.column.name
            message = f"{low} is above {high}"
            yield low, high, _rule(f"{low}_within_{differ[1]}", low, high, message)


def _before(known: list[JudgedColumn], event: DraftColumn) -> Iterator[tuple[str, str, RowRule]]:
    """Dates of a first credit, which lie before the decision."""
    high = event.column.name
    for item in known:
        words = set(item.draft.source.words) if item.draft.source else set[str]()
        if item.column.type == "date" and words & _FIRST and not words & NO_DATE_WORDS:
            low = item.column.name
            yield low, high, _rule(f"{low}_before_decision", low, high, f"{low} is after the date of the decision")


def _differing(one: JudgedColumn, other: JudgedColumn) -> tuple[str, str] | None:
    """The one word in which two names of the same length differ."""
    words = [item.draft.source.words if item.draft.source else () for item in (one, other)]
    if len(words[0]) != len(words[1]):
        return None
    differ = [pair for pair in zip(*words, strict=True) if pair[0] != pair[1]]
    return differ[0] if len(differ) == 1 else None


def _rule(name: str, low: str, high: str, message: str) -> RowRule:
    return RowRule(name=name[:MAX_LENGTH], sql=f"{low} <= {high}", message=message, severity="warning")


def _is_kept(typed: pl.DataFrame, low: str, high: str) -> bool:
    kept = typed.select(pl.col(low) <= pl.col(high)).to_series().drop_nulls()
    return len(kept) >= MIN_ROWS and bool(kept.all())
