"""The first rows of a raw file, as text, for a look at what is in it."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import polars as pl

from loan_platform.adapters.csv_files.blocks import blocks, is_parquet
from loan_platform.adapters.csv_files.header import check_unique, likely_header
from loan_platform.core.book.policies import Source
from loan_platform.core.errors import SourceError
from loan_platform.core.staging.table import Table

SAMPLE_ROWS = 20_000


@dataclass(frozen=True)
class Sample:
    """Raw columns (lower case) of a file, and those of its first rows that were asked for.

    `whole` says that the file has no further rows.
    """

    names: tuple[str, ...]
    rows: pl.DataFrame
    whole: bool


def read_sample(path: Path, table: Table, source: Source, wanted: frozenset[str]) -> Sample:
    """Column names and first rows of a CSV or Parquet file.

    Args:
        path: the file.
        table: what is to be staged from it; it tells the header of a CSV file.
        source: limits.
        wanted: raw columns of the rows; one that the file lacks is null.

    Raises:
        SourceError: the file cannot be read, has no header, or has a column name twice.
    """
    names, rows, whole = _parquet(path, wanted) if is_parquet(path) else _csv(path, table, source, wanted)
    check_unique(path.name, names)
    marks = list(table.missing)
    texts = [pl.when(~pl.col(c).is_in(marks)).then(pl.col(c)).alias(c) for c in rows.columns]
    absent = [pl.lit(None, dtype=pl.String).alias(column) for column in sorted(wanted - set(rows.columns))]
    return Sample(tuple(names), rows.with_columns(texts + absent), whole)


def _csv(path: Path, table: Table, source: Source, wanted: frozenset[str]) -> tuple[list[str], pl.DataFrame, bool]:
    header = likely_header(path.name, _lines(path, source), table)
    kept = {name: i for i, name in enumerate(header.names) if name in wanted}
    texts = (line.decode("utf-8", "replace") + "\n" for line in islice(_lines(path, source), header.line, None))
    records: list[list[str]] = []
    try:
        for record in islice(csv.reader(texts, delimiter=header.delimiter), SAMPLE_ROWS + 1):
            if len(record) == len(header.names):
                records.append([record[i] for i in kept.values()])
    except csv.Error:
        pass  # reading the whole file says which line it is; here the rows before it do
    columns = {name: [record[i] for record in records[:SAMPLE_ROWS]] for i, name in enumerate(kept)}
    frame = pl.DataFrame(columns, schema=dict.fromkeys(kept, pl.String))
    return list(header.names), frame, len(records) <= SAMPLE_ROWS


def _lines(path: Path, source: Source) -> Iterator[bytes]:
    for block in blocks(path, source.max_bytes):
        yield from block.split(b"\n")[:-1]


def _parquet(path: Path, wanted: frozenset[str]) -> tuple[list[str], pl.DataFrame, bool]:
    try:
        frame = pl.read_parquet(path, n_rows=SAMPLE_ROWS + 1, glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SourceError(path.name, "is no readable Parquet file", "Write it again.") from error
    names = [name.strip().lower() for name in frame.columns]
    kept = {actual: name for actual, name in zip(frame.columns, names, strict=True) if name in wanted}
    texts = frame.head(SAMPLE_ROWS).select(pl.col(actual).cast(pl.String).alias(name) for actual, name in kept.items())
    return names, texts, frame.height <= SAMPLE_ROWS
