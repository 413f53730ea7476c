"""Write query results as Parquet, in the order of source file and line."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import duckdb
import polars as pl

from loan_platform.adapters.sources.relation import RawFile
from loan_platform.core.book.sql import quote_literal

# For many different texts a dictionary costs more than it saves.
RAW_TEXT = "DICTIONARY_SIZE_LIMIT 2000"
_PARQUET = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 122880"
_METADATA_KEY = "loan_platform"


def write(connection: duckdb.DuckDBPyConnection, query: str, path: Path, *options: str) -> None:
    """Write the rows of a query.

    Args:
        connection: runs the query.
        query: SQL.
        path: of the Parquet file.
        options: of DuckDB's COPY.
    """
    connection.execute(f"COPY ({query}) TO {quote_literal(str(path))} ({', '.join([_PARQUET, *options])})").fetchall()


def write_in_order(connection: duckdb.DuckDBPyConnection, query: str, path: Path, *options: str) -> None:
    """`write`, and check the order of rows.

    Short of memory, DuckDB rarely loses the order of row groups. The query then runs again on one thread.
    """
    write(connection, query, path, *options)
    if not is_in_order(path):
        connection.execute("SET threads = 1")
        write(connection, query, path, *options)


def files_metadata(files: Sequence[RawFile]) -> str:
    """An option of `write` that stores in the Parquet file which raw files its rows came from."""
    return f"KV_METADATA {{{_METADATA_KEY}: {quote_literal(json.dumps([asdict(file) for file in files]))}}}"


def read_files_metadata(connection: duckdb.DuckDBPyConnection, path: Path) -> list[RawFile]:
    """The raw files that `files_metadata` stored."""
    metadata = f"parquet_kv_metadata({quote_literal(str(path))})"
    query = f"SELECT decode(value) FROM {metadata} WHERE decode(key) = '{_METADATA_KEY}'"
    value = str(connection.execute(query).fetchall()[0][0])
    return [RawFile(**{**item, "missing": tuple(item["missing"])}) for item in json.loads(value)]


def count_rows(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """Number of rows of a Parquet file."""
    return connection.execute(f"SELECT count(*) FROM read_parquet({quote_literal(str(path))})").fetchall()[0][0]


def is_in_order(path: Path) -> bool:
    """Whether the rows of a Parquet file are in order: each source file in one piece, lines ascending."""
    places = pl.read_parquet(path, columns=["source_file", "source_line"])
    file, line = places["source_file"], places["source_line"]
    later = (line > line.shift()) | (file != file.shift())
    runs = file.rle().struct.field("value").to_list()
    return runs == sorted(runs) and later.fill_null(True).all()
