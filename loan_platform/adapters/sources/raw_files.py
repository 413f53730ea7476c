"""Raw files as DuckDB relations of text: only the columns that the contract reads, with file and line."""

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from loan_platform.adapters.csv_files.blocks import MAX_RECORD_BYTES, blocks, is_parquet
from loan_platform.adapters.csv_files.header import Header, check_names, find_header
from loan_platform.adapters.csv_files.record_splitter import CsvRecordSplitter
from loan_platform.core.book.policies import Source
from loan_platform.core.errors import SourceError
from loan_platform.core.staging.parsing import name, quoted
from loan_platform.core.staging.table import Table

Progress = Callable[[str], None]
PLACE = ("source_file", "source_line")  # a raw column of such a name is not read


@dataclass(frozen=True)
class RawFile:
    """One file that was read.

    `name` is the file name, with folders only where two names are equal; `missing` are the optional contract
    columns that the file lacks; `header_line` and `delimiter` are None for Parquet.
    """

    name: str
    rows: int
    rejected: int
    missing: tuple[str, ...]
    header_line: int | None = None
    delimiter: str | None = None


@dataclass(frozen=True)
class Relation:
    """SQL that selects place and raw columns of one file, and the file of its rejects (line, tab, reason)."""

    file: RawFile
    sql: str
    rejects: Path | None


def file_names(files: list[Path]) -> dict[Path, str]:
    """A short name for each file, without folders unless two files have the same name."""
    if len({path.name for path in files}) == len(files):
        return {path: path.name for path in files}
    root = os.path.commonpath([path.absolute().parent for path in files])
    return {path: path.absolute().relative_to(root).as_posix() for path in files}


def raw_columns(table: Table) -> list[str]:
    """Raw columns that are kept, sorted."""
    return sorted(table.raw_columns - set(PLACE))


def csv_relation(
    path: Path, label: str, table: Table, source: Source, room: int, scratch: Path, progress: Progress | None
) -> Relation:
    """Sort a CSV file into clean records and rejects below `scratch`.

    Args:
        path: the file, plain or gzip.
        label: its short name.
        table: what is to be staged.
        source: limits.
        room: rows that may still be read.
        scratch: folder for the unpacked records.
        progress: told about rows now and then.

    Raises:
        SourceError: the file as a whole cannot be used.
    """
    header = find_header(label, _first_lines(path, source.max_bytes), table)
    descriptor, clean = tempfile.mkstemp(suffix=".csv", dir=scratch)
    rejects = Path(clean).with_suffix(".rejects")
    with os.fdopen(descriptor, "wb") as good, rejects.open("wb") as bad:
        sorter = CsvRecordSplitter(label, header, good, bad, room)
        sorter.run(blocks(path, source.max_bytes), progress)
    present = frozenset(header.names)
    file = RawFile(label, sorter.rows, sorter.rejected, table.missing_optional(present), header.line, header.delimiter)
    return Relation(file, _csv_sql(Path(clean), label, header, table), rejects if sorter.rejected else None)


def parquet_relation(
    connection: duckdb.DuckDBPyConnection, path: Path, label: str, table: Table, source: Source, room: int
) -> Relation:
    """A Parquet file as text; the line of a row is its number from 1.

    Args:
        connection: to look into the file.
        path: the file; its name must have no glob characters, which DuckDB would expand.
        label: its short name.
        table: what is to be staged.
        source: limits.
        room: rows that may still be read.

    Raises:
        SourceError: the file as a whole cannot be used.
    """
    columns, rows, size = _parquet_shape(connection, path, label)
    if rows == 0:
        raise SourceError(label, "has no rows", "Give a file with rows.")
    if rows > room or size > source.max_bytes:
        limit = f"{source.max_rows:,} rows" if rows > room else f"{source.max_bytes:,} bytes"
        raise SourceError(label, f"has more than the allowed {limit}", "Raise the limit if the size is right.")
    names = [column.strip().lower() for column in columns]
    check_names(label, names, table)
    marks = ", ".join(quoted(mark) for mark in table.missing)
    texts = {raw: f"CAST({name(actual)} AS VARCHAR)" for raw, actual in zip(names, columns, strict=True)}
    stated = {raw: f"CASE WHEN {text} NOT IN ({marks}) THEN {text} END" for raw, text in texts.items()}
    selected = _select(label, "file_row_number + 1", stated, table)
    sql = f"SELECT {selected} FROM read_parquet({quoted(str(path))}, file_row_number = true)"
    return Relation(RawFile(label, rows, 0, table.missing_optional(frozenset(names))), sql, None)


def _parquet_shape(connection: duckdb.DuckDBPyConnection, path: Path, label: str) -> tuple[list[str], int, int]:
    """Column names, rows and unpacked bytes, from the file's own description."""
    where = quoted(str(path))
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({where})").fetchall()
        rows, size = connection.execute(
            "SELECT coalesce(sum(n), 0), coalesce(sum(b), 0) FROM (SELECT max(row_group_num_rows) AS n, "
            f"sum(total_uncompressed_size) AS b FROM parquet_metadata({where}) GROUP BY row_group_id)"
        ).fetchall()[0]
    except duckdb.Error as error:
        raise SourceError(label, "is no readable Parquet file", "Write it again.") from error
    return [str(column[0]) for column in described], int(rows), int(size)


def _first_lines(path: Path, max_bytes: int) -> Iterator[bytes]:
    for block in blocks(path, max_bytes):
        yield from block.split(b"\n")[:-1]


def _csv_sql(clean: Path, label: str, header: Header, table: Table) -> str:
    columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(header.names) + 1))
    marks = ", ".join(quoted(mark) for mark in table.missing)
    texts = {raw: f"c{i}" for i, raw in enumerate(header.names, start=1)}
    return (
        f"SELECT {_select(label, 'c0', texts, table)} FROM read_csv({quoted(str(clean))}, "
        f"auto_detect = false, header = false, delim = {quoted(header.delimiter)}, quote = '\"', "
        f"escape = '\"', columns = {{{columns}}}, nullstr = [{marks}], compression = 'none', "
        f"max_line_size = {2 * MAX_RECORD_BYTES})"
    )


def _select(label: str, line: str, texts: dict[str, str], table: Table) -> str:
    place = f"{quoted(label)} AS source_file, CAST({line} AS BIGINT) AS source_line"
    columns = [f"{texts.get(raw, 'CAST(NULL AS VARCHAR)')} AS {name(raw)}" for raw in raw_columns(table)]
    return ", ".join([place, *columns])


def read_parquet_or_csv(
    connection: duckdb.DuckDBPyConnection,
    files: list[Path],
    table: Table,
    source: Source,
    scratch: Path,
    progress: Progress | None,
) -> list[Relation]:
    """One relation for each file, in the order of their names.

    Raises:
        SourceError: a file cannot be used, or all together have too many rows.
    """
    labels = file_names(files)
    relations: list[Relation] = []
    room = source.max_rows
    for path in sorted(files, key=lambda path: labels[path]):
        label = labels[path]
        if is_parquet(path):
            link = scratch / f"{len(relations)}.parquet"
            link.symlink_to(path.absolute())
            relation = parquet_relation(connection, link, label, table, source, room)
        else:
            relation = csv_relation(path, label, table, source, room, scratch, progress)
        room -= relation.file.rows + relation.file.rejected
        relations.append(relation)
    return relations
