"""A Parquet file as a relation of text.

Numbers and dates with a type become texts in the format of the contract's column, so that a row has the same values in
CSV and in Parquet.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import duckdb
import polars as pl

from loan_platform.adapters.csv_files.header import canonical_names, check_names, check_unique, check_width
from loan_platform.adapters.sources.layouts import file_layout
from loan_platform.adapters.sources.long_values import reject_long_values, row_is_short
from loan_platform.adapters.sources.relation import RawFile, Relation, select_list
from loan_platform.core.book.parts.columns import plain_name
from loan_platform.core.book.policies import Source
from loan_platform.core.book.sql import quote_identifier, quote_literal
from loan_platform.core.errors import SourceError
from loan_platform.core.staging.number_spellings import number_spellings
from loan_platform.core.staging.number_text import has_fractions, is_number
from loan_platform.core.staging.table import Table
from loan_platform.core.staging.typed_text import typed_text_sql

_UNREADABLE = ("is no readable Parquet file", "Write it again.")
_ZONED = ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS")
_OFFSET = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})(?::?00)?")


def parquet_relation(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    label: str,
    table: Table,
    source: Source,
    max_rows: int,
    rejects: Path,
) -> Relation:
    """Read the columns of a Parquet file as text. The line of a row is its number, from 1.

    Args:
        connection: reads the file's metadata.
        path: the file; its name must have no glob characters, because DuckDB would expand them.
        label: its short name.
        table: what is to be staged.
        source: limits.
        max_rows: rows that may still be read.
        rejects: gets the rows with a value that is too long.

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
    rows_sql = f"read_parquet({quote_literal(str(path))}, file_row_number = true)"
    read = {raw: column for raw, column in named.items() if raw in table.raw_columns}
    try:
        rejected = reject_long_values(connection, rows_sql, label, read, source, rejects)
    except duckdb.Error as error:
        raise SourceError(label, *_UNREADABLE) from error
    sql = f"SELECT {selected} FROM {rows_sql}" + (f" WHERE {row_is_short(read)}" if rejected else "")
    missing = table.missing_optional(frozenset(names))
    file = RawFile(label, rows - rejected, rejected, missing, layout=form and form.name)
    return Relation(file, file_layout(label, written, table), sql, rejects if rejected else None)


@dataclass(frozen=True)
class FirstRows:
    """The first rows of a Parquet file.

    Attributes:
        written: all columns as the file names them, in lower case.
        rows: as text.
        numbers: raw columns that the file holds as numbers which may have a fraction.
    """

    written: tuple[str, ...]
    rows: pl.DataFrame
    numbers: frozenset[str]


def read_rows(
    connection: duckdb.DuckDBPyConnection, path: Path, label: str, table: Table, wanted: frozenset[str], count: int
) -> FirstRows:
    """The first rows of a Parquet file as text.

    Args:
        connection: reads the file.
        path: the file; its name must have no glob characters.
        label: its short name.
        table: what is to be staged.
        wanted: raw columns of the rows; those that the file lacks are left out.
        count: the largest number of rows.

    Raises:
        SourceError: the file cannot be read, or has two columns of one name, or for one of the contract.
    """
    columns, _, _ = _read_metadata(connection, path, label)
    written = tuple(plain_name(column) for column in columns)
    named = dict(zip(canonical_names(label, written, table), columns.items(), strict=True))
    texts = _texts(connection, path, label, named, table, wanted)
    names = ["file_row_number AS __row", *(f"{text} AS {quote_identifier(raw)}" for raw, text in texts.items())]
    file = f"read_parquet({quote_literal(str(path))}, file_row_number = true)"
    short = row_is_short({raw: column for raw, column in named.items() if raw in wanted})
    try:
        rows = connection.sql(f"SELECT {', '.join(names)} FROM {file} WHERE {short} LIMIT {count}").to_arrow_table()
    except duckdb.Error as error:
        raise SourceError(label, *_UNREADABLE) from error
    frame = cast("pl.DataFrame", pl.from_arrow(rows)).drop("__row")
    return FirstRows(written, frame, frozenset(raw for raw, (_, kind) in named.items() if has_fractions(kind)))


def require_readable(connection: duckdb.DuckDBPyConnection, relations: list[Relation]) -> None:
    """Read each Parquet file alone, after an error: its footer may be sound and a page of it damaged.

    Raises:
        SourceError: names the file.
    """
    for relation in relations:
        if relation.file.header_line is None:
            try:
                connection.execute(f"SELECT count(COLUMNS(*)) FROM ({relation.sql})").fetchall()
            except duckdb.OutOfMemoryException:
                return
            except duckdb.Error as error:
                raise SourceError(relation.file.name, *_UNREADABLE) from error


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
        spellings = number_spellings(label, raw, table, reading) if is_number(kind) else {}
        texts[raw] = typed_text_sql(value, kind, table, reading, spellings)
    return texts


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


def _read_metadata(connection: duckdb.DuckDBPyConnection, path: Path, label: str) -> tuple[dict[str, str], int, int]:
    """Type of each column, rows and uncompressed bytes, from the file's footer.

    Raises:
        SourceError: the file is no Parquet, or has two columns of one name, the second of which DuckDB renames.
    """
    file = quote_literal(str(path))
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({file})").fetchall()
        rows, size = connection.execute(
            "SELECT coalesce(sum(n), 0), coalesce(sum(b), 0) FROM (SELECT max(row_group_num_rows) AS n, "
            f"sum(total_uncompressed_size) AS b FROM parquet_metadata({file}) GROUP BY row_group_id)"
        ).fetchall()[0]
        names = _top_level(connection.execute(f"SELECT name, num_children FROM parquet_schema({file})").fetchall())
    except duckdb.Error as error:
        raise SourceError(label, *_UNREADABLE) from error
    check_width(label, len(described))
    check_unique(label, [plain_name(name) for name in names])
    return {str(column[0]): str(column[1]) for column in described}, int(rows), int(size)


def _top_level(schema: list[tuple[str, int | None]]) -> list[str]:
    """Names of the columns: the children of the schema's root, which comes first, without their own children."""
    names, inner = list[str](), 0
    for name, children in schema[1:]:
        if inner == 0:
            names.append(name)
        inner = max(inner - 1, 0) + (children or 0)
    return names
