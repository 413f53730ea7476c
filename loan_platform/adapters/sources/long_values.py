"""Rows of a Parquet file with values that are too long, found while the file is read: its metadata may say anything.

A few kB of Parquet can repeat one long text millions of times. DuckDB knows the length of a text without copying it.
"""

from collections.abc import Mapping
from pathlib import Path

import duckdb

from loan_platform.adapters.csv_files.blocks import MAX_VALUE_BYTES, TOO_LONG_VALUE
from loan_platform.core.book.policies import Source
from loan_platform.core.book.sql import quote_identifier
from loan_platform.core.errors import SourceError

FIXED_BYTES = 16  # at most, of a value of another type
MIN_ROWS, MAX_SHARE = 1_000, 0.5  # of a file whose rows may be rejected


def row_is_short(columns: Mapping[str, tuple[str, str]]) -> str:
    """SQL condition: no value of the row is too long.

    Args:
        columns: name in the file and type of each column that is read.
    """
    lengths = [f"coalesce({length} <= {MAX_VALUE_BYTES}, true)" for length in _lengths(columns)]
    return " AND ".join(lengths) or "true"


def reject_long_values(
    connection: duckdb.DuckDBPyConnection,
    file: str,
    label: str,
    columns: Mapping[str, tuple[str, str]],
    source: Source,
    rejects: Path,
) -> int:
    """Write the numbers of the rows with a value that is too long. Returns how many there are.

    Args:
        connection: reads the file.
        file: SQL of its relation, with `file_row_number`.
        label: its short name.
        columns: name in the file and type of each column that is read.
        source: its limits.
        rejects: gets a line `number<TAB>reason` for each row.

    Raises:
        SourceError: the values are larger than allowed, or most rows have one that is too long.
    """
    lengths = _lengths(columns)
    if not lengths:
        return 0
    texts = " + ".join(f"coalesce({length}, 0)" for length in lengths)
    size = f"coalesce(sum(CAST({texts} AS HUGEINT)), 0) + count(*) * {FIXED_BYTES * (len(columns) - len(lengths))}"
    short = row_is_short(columns)
    sql = f"SELECT count(*), count(*) FILTER (NOT ({short})), {size} FROM {file}"
    rows, long, size = map(int, connection.execute(sql).fetchall()[0])
    if size > source.max_bytes:
        problem = f"has more than the allowed {source.max_bytes:,} bytes when it is unpacked"
        raise SourceError(label, problem, "Raise `max_bytes` of the source if the size is right.")
    if rows > MIN_ROWS and long > rows * MAX_SHARE:
        problem = f"has {long:,} of {rows:,} rows with a value longer than {MAX_VALUE_BYTES:,} bytes"
        raise SourceError(label, problem, "Shorten the texts that the contract reads.")
    if long:
        numbers = connection.sql(f"SELECT file_row_number + 1 FROM {file} WHERE NOT ({short})").fetchnumpy()
        (found,) = numbers.values()
        rejects.write_text("".join(f"{number}\t{TOO_LONG_VALUE}\n" for number in found.tolist()))
    return long


def _lengths(columns: Mapping[str, tuple[str, str]]) -> list[str]:
    """SQL of the length in bytes of each value that may be long: texts, and what has other values inside."""
    found: list[str] = []
    for name, kind in columns.values():
        value = quote_identifier(name)
        if kind == "VARCHAR":
            found.append(f"strlen({value})")
        elif kind == "BLOB":
            found.append(f"octet_length({value})")
        elif kind.startswith(("STRUCT", "MAP", "UNION")) or kind.endswith("]"):
            found.append(f"strlen(CAST({value} AS VARCHAR))")
    return found
