"""A Parquet file as a relation of text.

Numbers and dates with a type become texts in the format of the contract's column, so that a row has the same values in
CSV and in Parquet.
"""

import re
from decimal import Decimal
from pathlib import Path
from typing import cast

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
_OFFSET = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})(?::?00)?")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_INTEGER = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT")
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
    written = [plain_name(column) for column in columns]
    names = canonical_names(label, written, table)
    if rows == 0 and not table.may_be_empty:
        raise SourceError(label, "has no rows", "Give a file with rows.")
    if rows > max_rows or size > source.max_bytes:
        limit = f"{source.max_rows:,} rows" if rows > max_rows else f"{source.max_bytes:,} bytes"
        raise SourceError(label, f"has more than the allowed {limit}", "Raise the limit if the size is right.")
    check_names(label, names, table)
    form = table.layout_of(written)
    named = dict(zip(names, columns.items(), strict=True))
    texts = _texts(connection, path, label, named, table, table.raw_columns)
    selected = select_list(label, "file_row_number + 1", texts, table)
    sql = f"SELECT {selected} FROM read_parquet({quote_literal(str(path))}, file_row_number = true)"
    file = RawFile(label, rows, 0, table.missing_optional(frozenset(names)), layout=form and form.name)
    return Relation(file, file_layout(label, written, table), sql, None)


def read_rows(
    connection: duckdb.DuckDBPyConnection, path: Path, label: str, table: Table, wanted: frozenset[str], count: int
) -> tuple[list[str], pl.DataFrame]:
    """The first rows of a Parquet file as text.

    Args:
        connection: reads the file.
        path: the file; its name must have no glob characters.
        label: its short name.
        table: what is to be staged.
        wanted: raw columns of the rows; those that the file lacks are left out.
        count: the largest number of rows.

    Returns:
        All columns as the file names them, in lower case, and the rows.

    Raises:
        SourceError: the file cannot be read, or has two columns for one of the contract.
    """
    columns, _, _ = _read_metadata(connection, path, label)
    written = [plain_name(column) for column in columns]
    named = dict(zip(canonical_names(label, written, table), columns.items(), strict=True))
    texts = _texts(connection, path, label, named, table, wanted)
    selected = ", ".join(f"{text} AS {quote_identifier(raw)}" for raw, text in texts.items())
    rows = connection.sql(
        f"SELECT {selected or 'file_row_number'} FROM read_parquet({quote_literal(str(path))}, "
        f"file_row_number = true) LIMIT {count}"
    )
    return written, cast("pl.DataFrame", pl.from_arrow(rows.to_arrow_table()))


def _texts(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    label: str,
    columns: dict[str, tuple[str, str]],
    table: Table,
    wanted: frozenset[str],
) -> dict[str, str]:
    """SQL of the text of each wanted raw column, null where it is missing.

    Args:
        connection: knows the time zones.
        path: the file.
        label: its short name.
        columns: name in the file and type of all columns, by name in the contract.
        table: what is to be staged.
        wanted: raw columns that are read.

    Raises:
        SourceError: a timestamp has an unknown zone.
    """
    form = table.layout_of([plain_name(actual) for actual, _ in columns.values()])
    readers = [table.written_in(form.name, column) if form else column for column in table.columns]
    read = {raw: named for raw, named in columns.items() if raw in wanted}
    zones = _zones(path, label) if any(kind in _ZONED for _, kind in read.values()) else {}
    texts: dict[str, str] = {}
    for raw, (actual, kind) in read.items():
        reading = [column for column in readers if raw in column.raw_columns]
        value = quote_identifier(actual)
        if kind in _ZONED:
            value = _local(connection, label, actual, zones.get(actual) or "UTC")
        text = _text(value, kind, reading)
        if any(table.is_key(column) or column.type == "date" for column in reading):
            text = _exact_text(value, kind, text)
        marks = ", ".join(quote_literal(mark) for mark in _marks(kind, reading, table))
        texts[raw] = f"CASE WHEN {text} NOT IN ({marks}) THEN {text} END"
    return texts


def _marks(kind: str, readers: list[Column], table: Table) -> list[str]:
    """The texts of missing values. A number has one text, so `-999.0` stands for `-999` too."""
    marks = dict.fromkeys(table.missing)
    if kind in _EXACT or kind in _INTEGER or kind.startswith("DECIMAL"):
        for mark in table.missing:
            if _NUMBER.fullmatch(mark):
                plain = f"{Decimal(mark).normalize():f}"
                marks[plain.replace(".", ",") if any(column.decimal == "," for column in readers) else plain] = None
    return list(marks)


def _text(value: str, kind: str, readers: list[Column]) -> str:
    """SQL of a value of a Parquet type as the text that the columns which read it expect.

    A number has no decimals that say nothing: 36 in CSV and 36.0 as DOUBLE are one text.
    """
    text = f"CAST({value} AS VARCHAR)"
    if kind in _EXACT:
        text = f"CASE WHEN ends_with({text}, '.0') THEN left({text}, -2) WHEN NOT isnan({value}) THEN {text} END"
    if kind.startswith("DECIMAL"):
        whole = f"CAST(CAST({value} AS HUGEINT) AS VARCHAR)"
        text = f"CASE WHEN {value} = trunc({value}) THEN {whole} ELSE rtrim({text}, '0') END"
    if kind in _EXACT or kind.startswith("DECIMAL"):
        return f"replace({text}, '.', ',')" if any(column.decimal == "," for column in readers) else text
    if kind == "DATE" or kind.startswith("TIMESTAMP"):
        dated = [column.date_format for column in readers if column.date_format is not None]
        if dated:
            return written_date(dated[0], value)
        return text if kind == "DATE" else f"CAST(CAST({value} AS TIMESTAMP) AS VARCHAR)"
    return text


def _local(connection: duckdb.DuckDBPyConnection, label: str, column: str, zone: str) -> str:
    """SQL of a timestamp as the clock of its own zone shows it, whatever the zone of this machine.

    Raises:
        SourceError: the zone is unknown.
    """
    value, zone = quote_identifier(column), "UTC" if zone == "Z" else zone
    if offset := _OFFSET.fullmatch(zone):
        minutes = int(offset[1] + "1") * (60 * int(offset[2]) + int(offset[3]))
        return f"(timezone('UTC', {value}) + to_minutes({minutes}))"
    try:
        connection.execute(f"SELECT timezone({quote_literal(zone)}, TIMESTAMPTZ '2000-01-01 00:00:00+00')").fetchall()
    except duckdb.Error as error:
        raise SourceError(
            label,
            f"has times in {column!r} with the time zone {zone!r}, which is not known",
            "Write it with a named zone such as 'Europe/Berlin', an offset such as '+05:30', or without a zone.",
        ) from error
    return f"timezone({quote_literal(zone)}, {value})"


def _zones(path: Path, label: str) -> dict[str, str | None]:
    """Zone of each timestamp of a Parquet file, where the file names one.

    Raises:
        SourceError: the schema has something that Polars does not read.
    """
    try:
        schema = pl.read_parquet_schema(path)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        hint = "Write its times without a zone, or with a named zone such as 'Europe/Berlin'."
        raise SourceError(label, "has times whose time zone cannot be read", hint) from error
    return {name: kind.time_zone for name, kind in schema.items() if isinstance(kind, pl.Datetime)}


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
