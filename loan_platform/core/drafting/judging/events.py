"""Finds the column with the date of the credit decision."""

from collections.abc import Mapping

import polars as pl

from loan_platform.core.book.date_formats import format_issue
from loan_platform.core.drafting.judging.errors import DraftError
from loan_platform.core.drafting.judging.roles import is_protected
from loan_platform.core.drafting.reading.survey import RawColumn
from loan_platform.core.drafting.reading.vocabulary import AFTER, EVENT_WORDS, NOT_EVENT, find_phrase

MAX_MISSING = 0.01
MAX_STATED_MISSING = 0.05
MIN_MONTHS = 2
STATE_FORMAT = "State how it is written, such as DATE_FORMAT=%d/%m/%Y, %Y%m or excel_days."


def event_date(dates: pl.DataFrame, sources: Mapping[str, RawColumn], stated: str | None = None) -> str | None:
    """Name of the column whose date is that of the decision, or None.

    Args:
        dates: the date columns of the contract, typed.
        sources: raw column of each.
        stated: the raw column that the user names.

    Raises:
        DraftError: the stated column is no date in too many rows, or has dates of one month only.
    """
    if stated is not None:
        return _stated(dates, sources, stated)
    possible = [name for name in dates.columns if _possible(dates[name], sources[name])]
    if not possible:
        return None
    return min(possible, key=lambda name: (_rank(sources[name]), possible.index(name)))


def check_dates(date_format: str | None, columns: Mapping[str, RawColumn]) -> None:
    """Check that the stated format is one, and reads a column.

    Raises:
        DraftError: it is none, or no column is written so.
    """
    if date_format is None:
        return
    if message := format_issue(date_format):
        raise DraftError(f"DATE_FORMAT: {message}.")
    if not any(c.reading.type == "date" and c.reading.date_format == date_format for c in columns.values()):
        raise DraftError(
            f"DATE_FORMAT {date_format!r} reads no column: in none are at least 98 % of the values written so. Name "
            "the column with DATE=... if its name does not say that it is a date."
        )


def _stated(dates: pl.DataFrame, sources: Mapping[str, RawColumn], raw: str) -> str:
    name = next((name for name in dates.columns if sources[name].raw == raw), None)
    if name is None:
        raise DraftError(f"DATE {raw!r} is not read as a date. {STATE_FORMAT}")
    missing, months = dates[name].null_count(), dates[name].dt.truncate("1mo").n_unique()
    if missing > MAX_STATED_MISSING * dates.height:
        raise DraftError(f"DATE {raw!r} is no date in {missing:,} of {dates.height:,} rows. {STATE_FORMAT}")
    if months < MIN_MONTHS:
        raise DraftError(f"DATE {raw!r} has dates of one month only. Name another column, or leave DATE out.")
    return name


def _possible(values: pl.Series, source: RawColumn) -> bool:
    if values.null_count() > MAX_MISSING * len(values) or is_protected(source):
        return False
    if set(source.words) & NOT_EVENT or find_phrase(source.words, AFTER):
        return False
    return values.dt.truncate("1mo").n_unique() >= MIN_MONTHS


def _rank(source: RawColumn) -> int:
    phrase = find_phrase(source.words, EVENT_WORDS)
    return EVENT_WORDS.index(phrase) if phrase else len(EVENT_WORDS)
