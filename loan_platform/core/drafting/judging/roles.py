"""What a column is for, as far as its name and its texts tell: kept, or left in the source, and why."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from loan_platform.core.drafting.reading.survey import FEW_VALUES, LONG_TEXT, RawColumn
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
    found,
)

FEW_PEOPLE = 20  # a name or number of a person has more values than a flag
NEARLY_UNIQUE = 0.95
FEW_BLANKS = 0.01


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
    """It names a person or says how to reach one, by the words of its name and the number of its values."""
    return found(column.words, PERSONAL) is not None and column.distinct > FEW_PEOPLE


def is_protected(column: RawColumn) -> str | None:
    """The word of the name that speaks of a protected attribute, or None."""
    phrase = found(column.words, PROTECTED)
    if phrase in (("age",), ("ages",)) and set(column.words) & THINGS:
        return None
    return " ".join(phrase) if phrase else None


def is_place(column: RawColumn) -> bool:
    """It says where somebody lives."""
    return found(column.words, PLACE) is not None


def is_pricing(column: RawColumn) -> bool:
    """It is the lender's own price."""
    return found(column.words, PRICING) is not None


def sounds_later(column: RawColumn) -> str | None:
    """The words of the name that speak of what happens to a loan after it is made, or None."""
    words = column.words
    if _is_history(column):
        return None
    if words and words[0] in AFTER_FIRST_WORDS and len(words) > 1:
        return " ".join(words[:2])
    phrase = found(words, AFTER)
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
    if is_personal(column):
        return "names a person, or says how to find one"
    return _why_no_category(column)


def is_number_of_loan(column: RawColumn) -> bool:
    """Whether a column is called a number of the loan or the person, and nearly is one."""
    is_number = column.reading.type in ("integer", "text") and found(column.words, KEY_WORDS)
    return bool(is_number) and _nearly_unique(column)


def _nearly_unique(column: RawColumn) -> bool:
    return column.distinct >= NEARLY_UNIQUE * column.stated and column.stated > FEW_VALUES


def _why_no_category(column: RawColumn) -> str | None:
    unique = _nearly_unique(column)
    if is_number_of_loan(column):
        return "another number of the loan or the person"
    kind = column.reading.type
    if kind != "text" or column.distinct <= FEW_VALUES:
        return None
    if unique and column.blanks < FEW_BLANKS and column.length < LONG_TEXT:
        return "a different text in nearly every row"
    if column.length >= LONG_TEXT or column.distinct > column.stated / 4:
        return f"free text, {column.distinct:,} different values"
    return f"{column.distinct:,} different texts: group them in `sql` to use it"
