"""SQL of a value that has a type, as in Parquet, as the text that the columns which read it expect."""

from collections.abc import Mapping

from loan_platform.core.book.parts.columns import Column
from loan_platform.core.book.sql import quote_literal
from loan_platform.core.staging.dates import written_date
from loan_platform.core.staging.number_text import (
    FLOATS,
    decimal_sign,
    has_fractions,
    is_number,
    number_text_sql,
    plain_number,
    plain_number_text_sql,
)
from loan_platform.core.staging.table import Table

_EXACT = dict(zip(FLOATS, (2**24, 2**53), strict=True))  # above it, a float may stand for several whole numbers


def typed_text_sql(value: str, kind: str, table: Table, readers: list[Column], spellings: Mapping[str, str]) -> str:
    """SQL of the text of a value, null where it means missing.

    Args:
        value: SQL of it.
        kind: its type in DuckDB.
        table: what is to be staged.
        readers: its columns that read the value, as the file's layout has them.
        spellings: of numbers by their shortest text, see `number_spellings`.
    """
    text = _text(value, kind, readers)
    if any(table.is_key(column) or column.type == "date" for column in readers):
        text = _exact_text(value, kind, text)
    stated = f"{text} NOT IN ({', '.join(map(quote_literal, table.missing))})"
    if not is_number(kind):
        return f"CASE WHEN {stated} THEN {text} END"
    decimal = decimal_sign(readers)
    plain = plain_number_text_sql(value, kind)
    marks = [number for mark in table.missing if (number := plain_number(mark, decimal)) is not None]
    if marks:
        stated += f" AND {plain} NOT IN ({', '.join(map(quote_literal, marks))})"
    if spellings:
        cases = " ".join(f"WHEN {quote_literal(n)} THEN {quote_literal(s)}" for n, s in spellings.items())
        text = f"CASE {plain} {cases} ELSE {text} END"
    return f"CASE WHEN {stated} THEN {text} END"


def _text(value: str, kind: str, readers: list[Column]) -> str:
    """SQL of a value of a Parquet type as the text that the columns which read it expect."""
    text = number_text_sql(value, kind)
    if has_fractions(kind):
        return f"replace({text}, '.', ',')" if decimal_sign(readers) else text
    if kind == "DATE" or kind.startswith("TIMESTAMP"):
        dated = [column.date_format for column in readers if column.date_format is not None]
        if dated:
            return written_date(dated[0], value)
        return text if kind == "DATE" else f"CAST(CAST({value} AS TIMESTAMP) AS VARCHAR)"
    return text


def _exact_text(value: str, kind: str, text: str) -> str:
    """SQL of a number that is part of a key, or a date such as 202101.

    Where a float may stand for several whole numbers the text has an exponent, which no key has. Zero has no sign.
    """
    if kind not in _EXACT:
        return text
    whole = f"isfinite({value}) AND {value} = trunc({value})"
    return (
        f"CASE WHEN {whole} AND abs({value}) < {_EXACT[kind]} THEN CAST(CAST({value} AS BIGINT) AS VARCHAR) "
        f"WHEN {whole} THEN format('{{:e}}', CAST({value} AS DOUBLE)) ELSE {text} END"
    )
