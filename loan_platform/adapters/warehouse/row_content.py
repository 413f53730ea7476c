"""SQL of what a row says, wherever it was read, and with whichever type."""

from collections.abc import Collection, Iterable, Mapping

from loan_platform.core.book.sql import quote_identifier, quote_literal
from loan_platform.core.staging.number_text import is_number, number_text_sql

# DuckDB's cast also reads `1_000`, `inf` and `nan`, and rounds 1.5 to an integer. Staging takes none of them.
_NUMBER = quote_literal(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")

_WHOLE = quote_literal(r'^"(-?[0-9]+)\.0+"$')  # in JSON


def content_sql(columns: Iterable[str], ignored: Collection[str | None]) -> str:
    """MD5 of the stated values by name: a column that a contract adds later, and no row has, changes nothing.

    The texts 36 and 36.0 say the same: earlier releases took the second one from a number of Parquet.
    """
    values = ", ".join(
        f"CASE WHEN {quote_identifier(name)} IS NOT NULL THEN {quote_literal(f'{name}:')} || {_json(name)} END"
        for name in sorted(columns)
        if name not in ignored
    )
    return f"md5(concat_ws(',', {values}))"


def _json(name: str) -> str:
    value = f"CAST(to_json({quote_identifier(name)}) AS VARCHAR)"
    whole = f"regexp_replace({value}, {_WHOLE}, '\"\\1\"')"
    return f"CASE WHEN ends_with({value}, '0\"') THEN {whole} ELSE {value} END"


def same_file_sql(one: str, other: str) -> str:
    """Condition that rows of two relations are of one file. Its name gets folders as soon as a neighbour has it too."""
    ends = "ends_with('/' || {}.source_file, '/' || {}.source_file)"
    return f"({ends.format(one, other)} OR {ends.format(other, one)})"


def retyped_columns_sql(columns: Mapping[str, str], present: Mapping[str, str]) -> str:
    """Select list of columns with their types, of rows that have the present ones; the others are null."""
    return ", ".join(
        f"{retyped_sql(name, present[name], kind) if name in present else f'CAST(NULL AS {kind})'} "
        f"AS {quote_identifier(name)}"
        for name, kind in columns.items()
    )


def retyped_sql(name: str, was: str, kind: str) -> str:
    """SQL of a value with another type of DuckDB; null if another value would come of it."""
    column, cast = quote_identifier(name), f"TRY_CAST({quote_identifier(name)} AS {kind})"
    if kind == "VARCHAR" and is_number(was):
        cast = number_text_sql(column, was)
    if was == kind:
        return column
    if was != "VARCHAR":
        same = f"TRY_CAST({cast} AS {was}) IS NOT DISTINCT FROM {column}"
    elif kind in ("DOUBLE", "FLOAT"):
        same = f"regexp_full_match({column}, {_NUMBER}) AND isfinite({cast})"
    else:
        same = f"CAST({cast} AS VARCHAR) = {column}"
    return f"CASE WHEN {same} THEN {cast} END"
