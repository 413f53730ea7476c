"""The role of a column by its name and texts: read or left out, protected, pricing, known later."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from loan_platform.core.drafting.reading.survey import LONG_TEXT, MAX_COUNTED_VALUES, NEARLY_UNIQUE, RawColumn
from loan_platform.core.drafting.reading.vocabulary import (
    AFTER,
    AFTER_FIRST_WORDS,
    HISTORY,
    KEY_WORDS,
    PERSONAL,
    PLACE,
    PRICING,
    PROTECTED,
    THINGS,
    TIME_WORDS,
    find_phrase,
)

MAX_FLAG_VALUES = 20  # a name or number of a person has more values than a flag
UNREAD_DATE = "called a date and not read"
MAX_BLANKS = 0.01


@dataclass(frozen=True)
class LeftOut:
    """A raw column that the contract does not read, and why."""

    raw: str
    label: str
    why: str


def left_out(columns: Mapping[str, RawColumn], used: frozenset[str]) -> Iterator[LeftOut]:
    """Columns that stay in the source, in the order of the file.

    Args:
        columns: every raw column.
        used: raw columns of key and target, which are judged elsewhere.
    """
    for column in columns.values():
        if column.raw not in used and (why := _why_left_out(column, columns)):
            yield LeftOut(column.raw, column.label, why)


def is_personal(column: RawColumn) -> bool:
    """Whether it identifies or locates a person, by its name and its number of values."""
    return find_phrase(column.words, PERSONAL) is not None and column.distinct > MAX_FLAG_VALUES


def is_protected(column: RawColumn) -> str | None:
    """The word of the name for a protected attribute, or None."""
    phrase = find_phrase(column.words, PROTECTED)
    if phrase in (("age",), ("ages",)) and set(column.words) & THINGS:
        return None
    return " ".join(phrase) if phrase else None


def is_place(column: RawColumn) -> bool:
    """Whether it is a place of residence."""
    return find_phrase(column.words, PLACE) is not None


def is_pricing(column: RawColumn) -> bool:
    """Whether it is part of the lender's own pricing."""
    return find_phrase(column.words, PRICING) is not None


def sounds_later(column: RawColumn) -> str | None:
    """The words of the name for events after origination, or None."""
    words = column.words
    if _is_history(column):
        return None
    if words and words[0] in AFTER_FIRST_WORDS and len(words) > 1:
        return " ".join(words[:2])
    phrase = find_phrase(words, AFTER)
    return " ".join(phrase) if phrase else None


def _is_history(column: RawColumn) -> bool:
    words = column.words
    spans = any(a.isdigit() and b in TIME_WORDS for a, b in pairwise(words))
    history = [word for word, after in pairwise((*words, "")) if (word, after) != ("past", "due")]
    return bool(spans or set(history) & HISTORY)


def _why_left_out(column: RawColumn, columns: Mapping[str, RawColumn]) -> str | None:
    if column.raw in ("source_file", "source_line"):
        return "its name is the platform's own; rename it in the source to use it"
    if column.distinct == 0:
        return "no row has a value"
    if column.same_as is not None:
        return f"repeats {columns[column.same_as].label!r} in every row"
    if column.distinct == 1 and column.missing < 0.005:
        return "the same value in every row"
    return _why_no_input(column)


def _why_no_input(column: RawColumn) -> str | None:
    if column.counter and not column.reading.unread_date:
        return "counts the rows of the file"
    if is_personal(column):
        return "names a person, or says how to find one"
    return UNREAD_DATE if column.reading.unread_date else _why_no_category(column)


def is_number_of_loan(column: RawColumn) -> bool:
    """Whether a column is called a number of the loan or the person, and nearly is one."""
    is_number = column.reading.type in ("integer", "text") and find_phrase(column.words, KEY_WORDS)
    return bool(is_number) and not column.counter and _nearly_unique(column)


def _nearly_unique(column: RawColumn) -> bool:
    return column.distinct >= NEARLY_UNIQUE * column.stated and column.stated > MAX_COUNTED_VALUES


def _why_no_category(column: RawColumn) -> str | None:
    unique = _nearly_unique(column)
    if is_number_of_loan(column):
        return "another number of the loan or the person"
    kind = column.reading.type
    if kind != "text" or column.distinct <= MAX_COUNTED_VALUES:
        return None
    if unique and column.blanks < MAX_BLANKS and column.length < LONG_TEXT:
        return "a different text in nearly every row"
    if column.length >= LONG_TEXT or column.distinct > column.stated / 4:
        return f"free text, {column.distinct:,} different values"
    return f"{column.distinct:,} different texts: group them in `sql` to use it"
