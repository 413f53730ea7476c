"""Finds the column with the date of the credit decision."""

from collections.abc import Mapping

import polars as pl

from loan_platform.core.drafting.judging.roles import is_protected
from loan_platform.core.drafting.reading.survey import RawColumn
from loan_platform.core.drafting.reading.vocabulary import AFTER, EVENT_WORDS, NOT_EVENT, find_phrase

MAX_MISSING = 0.01
MIN_MONTHS = 2


def event_date(dates: pl.DataFrame, sources: Mapping[str, RawColumn]) -> str | None:
    """Name of the column whose date is that of the decision, or None.

    Args:
        dates: the date columns of the contract, typed.
        sources: raw column of each.
    """
    possible = [name for name in dates.columns if _possible(dates[name], sources[name])]
    if not possible:
        return None
    return min(possible, key=lambda name: (_rank(sources[name]), possible.index(name)))


def _possible(values: pl.Series, source: RawColumn) -> bool:
    if values.null_count() > MAX_MISSING * len(values) or is_protected(source):
        return False
    if set(source.words) & NOT_EVENT or find_phrase(source.words, AFTER):
        return False
    return values.dt.truncate("1mo").n_unique() >= MIN_MONTHS


def _rank(source: RawColumn) -> int:
    phrase = find_phrase(source.words, EVENT_WORDS)
    return EVENT_WORDS.index(phrase) if phrase else len(EVENT_WORDS)
