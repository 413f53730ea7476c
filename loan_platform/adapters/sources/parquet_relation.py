"""A Parquet file as a relation of text.

Numbers and dates with a type become texts in the format of the contract's column, so that a row has the same values in
CSV and in Parquet.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl

from loan_platform.adapters.csv_files.header import canonical_names, check_names
from loan_platform.adapters.sources.layouts import file_layout
from loan_platform.adapters.sources.relation import RawFile, Relation, select_list
from loan_platform.core.book.parts.columns import Column, plain_name
from loan_platform.core.book.policies import Source
from loan_platform.core.book.sql import quote_identifier, quote_literal
from loan_platform.core.errors import SourceError
from loan_platform.core.staging.dates import written_date
from loan_platform.core.staging.table import Table

_ZONED = ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS")
_OFFSET = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})")
_EXACT = {"FLOAT": 2**24, "DOUBLE": 2**53}  # above it, a float may stand for several whole numbers


def parquet_relation(
    connection: duckdb.DuckDBPyConnection, path: Path, label: str, table: Table, source: Source, max_rows: int
) -> Relation:
    """Read the columns of a Parquet file as text. The line of a row is its number, from 1.

    Args:
        connection: reads the file's metadata.
        path: the file; its name must have no glob characters, because DuckDB would expand them.
        label: its short name.
        table: what is to be staged.
        source: limits.
        max_rows: rows that may still be read.

    Raises:
        SourceError: the file as a whole cannot be used.
    """
    columns, rows, size = _read_metadata(connection, path, label)
    if rows == 0 and not table.may_be_empty:
        raise SourceError(label, "has no rows", "Give a file with rows.")
    if rows > max_rows or size > source.max_bytes:
        limit = f"{source.max_rows:,} rows" if rows > max_rows else f"{source.max_bytes:,} bytes"
        raise SourceError(label, f"has more than the allowed {limit}", "Raise the limit if the size is right.")
    written = [plain_name(column) for column in columns]
    names = canonical_names(label, written, table)
    check_names(label, names, table)
    form = table.layout_of(written)
    readers = [table.written_in(form.name, column) if form else column for column in table.columns]
    texts = dict(_texts(dict(zip(names, columns.items(), strict=True)), readers, _zones(path), table))
    selected = select_list(label, "file_row_number + 1", texts, table)
    sql = f"SELECT {selected} FROM read_parquet({quote_literal(str(path))}, file_row_number = true)"
    file = RawFile(label, rows, 0, table.missing_optional(frozenset(names)), layout=form and form.name)
    return Relation(file, file_layout(label, written, table), sql, None)


def _texts(
    columns: dict[str, tuple[str, str]], readers: list[Column], zones: dict[str, str | None], table: Table
) -> Iterator[tuple[str, str]]:
    """SQL of the text of each raw column, null where it is missing.

    Args:
        columns: name in the file and type, by name in the contract.
        readers: columns of the contract, as this file writes them.
        zones: of timestamps, by name in the file.
        table: what is to be staged.
    """
    marks = ", ".join(quote_literal(mark) for mark in table.missing)
    for raw, (actual, kind) in columns.items():
        reading = [column for column in readers if raw in column.raw_columns]
        value = quote_identifier(actual)
        text = _text(_local(value, zones.get(actual)) if kind in _ZONED else value, kind, reading)
        if any(table.is_key(column) or column.type == "date" for column in reading):
            text = _whole_text(quote_identifier(actual), kind, text)
        yield raw, f"CASE WHEN {text} NOT IN ({marks}) THEN {text} END"


def _text(value: str, kind: str, readers: list[Column]) -> str:
    """SQL of a value of a Parquet type as the text that the columns which read it expect."""
    text = f"CAST({value} AS VARCHAR)"
    if kind in ("FLOAT", "DOUBLE"):
        text = f"CASE WHEN NOT isnan({value}) THEN {text} END"
    if kind in ("FLOAT", "DOUBLE") or kind.startswith("DECIMAL"):
        return f"replace({text}, '.', ',')" if any(column.decimal == "," for column in readers) else text
    if kind == "DATE" or kind.startswith("TIMESTAMP"):
        dated = [column.date_format for column in readers if column.date_format is not None]
        if dated:
            return written_date(dated[0], value)
        return text if kind == "DATE" else f"CAST(CAST({value} AS TIMESTAMP) AS VARCHAR)"
    return text


def _local(value: str, zone: str | None) -> str:
    """SQL of a timestamp with a zone as the clock of that zone shows it, whatever the zone of this machine."""
    if zone is None or (offset := _OFFSET.fullmatch(zone)) is None:
        return f"timezone({quote_literal(zone or 'UTC')}, {value})"
    minutes = int(offset[1] + "1") * (60 * int(offset[2]) + int(offset[3]))
    return f"(timezone('UTC', {value}) + to_minutes({minutes}))"


def _zones(path: Path) -> dict[str, str | None]:
    """Zone of each timestamp of a Parquet file, where the file names one."""
    try:
        schema = pl.read_parquet_schema(path)
    except (pl.exceptions.PolarsError, OSError):
        return {}
    return {name: kind.time_zone for name, kind in schema.items() if isinstance(kind, pl.Datetime)}


def _whole_text(value: str, kind: str, text: str) -> str:
    """SQL of a number that is part of a key, or a date such as 202101: a whole number without decimals.

    Where a float may stand for several whole numbers the text has an exponent, which no key has.
    """
    if kind.startswith("DECIMAL"):
        return f"CASE WHEN {value} = trunc({value}) THEN CAST(CAST({value} AS HUGEINT) AS VARCHAR) ELSE {text} END"
    if kind not in _EXACT:
        return text
    whole = f"isfinite({value}) AND {value} = trunc({value})"
    return (
        f"CASE WHEN {whole} AND abs({value}) < {_EXACT[kind]} THEN CAST(CAST({value} AS BIGINT) AS VARCHAR) "
        f"WHEN {whole} THEN format('{{:e}}', CAST({value} AS DOUBLE)) ELSE {text} END"
    )


def _read_metadata(connection: duckdb.DuckDBPyConnection, path: Path, label: str) -> tuple[dict[str, str], int, int]:
    """Type of each column, rows and uncompressed bytes, from the file's footer."""
    file = quote_literal(str(path))
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({file})").fetchall()
        rows, size = connection.execute(
            "SELECT coalesce(sum(n), 0), coalesce(sum(b), 0) FROM (SELECT max(row_group_num_rows) AS n, "
            f"sum(total_uncompressed_size) AS b FROM parquet_metadata({file}) GROUP BY row_group_id)"
        ).fetchall()[0]
    except duckdb.Error as error:
        raise SourceError(label, "is no readable Parquet file", "Write it again.") from error
    return {str(column[0]): str(column[1]) for column in described}, int(rows), int(size)
