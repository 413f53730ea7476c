"""The text of a number that has a type, in SQL: a value of Parquet, or a known value whose column becomes text.

36 in CSV and 36.0 as DOUBLE are one text. A fraction keeps the digits of its type, as a database writes it: 1.50.
"""

import re
from collections.abc import Iterable
from decimal import Decimal

from loan_platform.core.book.parts.columns import Column

FLOATS = ("FLOAT", "DOUBLE")
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT")
# 007 is a code, and no spelling of 7.
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")


def is_number(kind: str) -> bool:
    """Whether values of a type of DuckDB are numbers."""
    return kind in _INTEGERS or has_fractions(kind)


def has_fractions(kind: str) -> bool:
    """Whether values of a type of DuckDB are numbers that may have a fraction."""
    return kind in FLOATS or kind.startswith("DECIMAL")


def number_text_sql(value: str, kind: str) -> str:
    """SQL of the text of a number; null for NaN."""
    text = f"CAST({value} AS VARCHAR)"
    if kind in FLOATS:
        return f"CASE WHEN ends_with({text}, '.0') THEN left({text}, -2) WHEN NOT isnan({value}) THEN {text} END"
    if kind.startswith("DECIMAL"):
        return f"CASE WHEN {value} = trunc({value}) THEN CAST(CAST({value} AS HUGEINT) AS VARCHAR) ELSE {text} END"
    return text


def plain_number_text_sql(value: str, kind: str) -> str:
    """SQL of the shortest text of a number, as `plain_number` gives it."""
    text = number_text_sql(value, kind)
    if not kind.startswith("DECIMAL"):
        return text
    return f"CASE WHEN {value} = trunc({value}) THEN {text} ELSE rtrim({text}, '0') END"


def decimal_sign(readers: Iterable[Column]) -> str | None:
    """`,` if a column that reads a number expects it so."""
    return "," if any(column.decimal == "," for column in readers) else None


def plain_number(text: str, decimal: str | None = None) -> str | None:
    """The shortest spelling of the number that a text is: 36 for 36.0. None for other texts.

    Args:
        text: such as a literal in SQL.
        decimal: `,` if the column's numbers are written so.
    """
    if decimal == "," and not _NUMBER.fullmatch(text):
        text = text.replace(",", ".") if "." not in text else ""
    return f"{Decimal(text).normalize():f}" if _NUMBER.fullmatch(text) else None
