"""Finds the column that identifies a loan."""

from collections.abc import Mapping

from loan_platform.core.book.parts.columns import MAX_KEY_LENGTH
from loan_platform.core.drafting.judging.errors import DraftError
from loan_platform.core.drafting.judging.roles import is_personal
from loan_platform.core.drafting.reading.survey import LONG_TEXT, RawColumn
from loan_platform.core.drafting.reading.vocabulary import KEY_WORDS, find_phrase

MAX_BLANKS = 0.01
MAX_SHOWN = 3


def key_candidates(columns: Mapping[str, RawColumn], target: frozenset[str]) -> list[str]:
    """Raw columns that could identify a loan, most likely first. They have a different value in every row.

    A column of numbers also needs a fitting name, because incomes are often unique too.
    """
    possible = [c for c in columns.values() if c.raw not in target and _identifies(c)]
    return [column.raw for column in sorted(possible, key=_rank)]


def why_hash(columns: Mapping[str, RawColumn], target: frozenset[str], is_sample: bool) -> str:
    """Why the key is a hash, with the columns that are different in every row and are no number of the loan.

    Args:
        columns: every raw column.
        target: the columns of the target.
        is_sample: not every row was looked at, so nothing is known of every row.
    """
    unique = [c for c in columns.values() if c.raw not in target and c.distinct == c.stated == c.rows]
    if not unique:
        return "No column is complete and different in every row, so the key is a hash"
    if is_sample:
        return "No column is known as the number of a loan, so the key is a hash"
    shown = ", ".join(repr(column.label) for column in unique[:MAX_SHOWN])
    count = "is" if len(unique) == 1 else "are"
    return (
        f"{shown}{' and others' if len(unique) > MAX_SHOWN else ''} {count} different in every row, but no column is "
        "known as the number of a loan, so the key is a hash. KEY=... takes a column as the key"
    )


def check_key(label: str, rows: int, missing: int, distinct: int) -> None:
    """Reject a given key that does not identify a loan.

    Raises:
        DraftError: rows without it, or several with the same; with the counts.
    """
    repeated = rows - missing - distinct
    if missing or repeated:
        faults = [f"{missing:,} of {rows:,} rows have no value in it"] if missing else []
        faults += [f"{repeated:,} of {rows:,} rows repeat the value of an earlier row"] if repeated else []
        raise DraftError(
            f"KEY {label!r} does not identify a loan: {' and '.join(faults)}. Name another column, or leave KEY out: "
            "a unique column, or else a hash of the application, is taken."
        )


def _identifies(column: RawColumn) -> bool:
    if column.stated < column.rows or column.distinct < column.rows or is_personal(column):
        return False
    if column.reading.type in ("date", "percent", "boolean") or column.longest > MAX_KEY_LENGTH:
        return False
    if column.length >= LONG_TEXT:
        return False
    named = find_phrase(column.words, KEY_WORDS) is not None
    return named or (column.reading.type == "text" and column.blanks < MAX_BLANKS)


def _rank(column: RawColumn) -> tuple[int, int]:
    phrase = find_phrase(column.words, KEY_WORDS)
    return (KEY_WORDS.index(phrase) if phrase else len(KEY_WORDS), 0 if column.reading.type == "integer" else 1)
