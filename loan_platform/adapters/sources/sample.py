"""The first rows of a raw file as text, for checks before it is staged."""

import csv
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import polars as pl

from loan_platform.adapters.csv_files.blocks import is_parquet, lines
from loan_platform.adapters.csv_files.header import canonical_names, check_unique, likely_header
from loan_platform.adapters.sources.parquet_relation import FirstRows, read_rows
from loan_platform.core.book.policies import Source
from loan_platform.core.staging.table import Table

SAMPLE_ROWS = 20_000


@dataclass(frozen=True)
class Sample:
    """The first rows of a raw file.

    Attributes:
        names: all raw columns, in lower case, as the contract's SQL names them.
        written: the same columns as the file names them, in lower case.
        rows: the requested columns of the first rows, as text.
        whole: whether the file has no more rows.
        numbers: raw columns that a Parquet file holds as numbers which may have a fraction.
    """

    names: tuple[str, ...]
    written: tuple[str, ...]
    rows: pl.DataFrame
    whole: bool
    numbers: frozenset[str] = frozenset()


def read_sample(path: Path, table: Table, source: Source, wanted: frozenset[str]) -> Sample:
    """Column names and first rows of a CSV or Parquet file.

    Args:
        path: the file.
        table: what is to be staged; its columns identify the header of a CSV file.
        source: limits.
        wanted: raw columns of the rows; a column that the file lacks is null.

    Raises:
        SourceError: the file cannot be read, has no header, or has two columns of one name.
    """
    numbers = frozenset[str]()
    if is_parquet(path):
        first = _parquet(path, table, wanted)
        written, numbers = first.written, first.numbers
        rows, whole = first.rows.head(SAMPLE_ROWS), first.rows.height <= SAMPLE_ROWS
    else:
        written, rows, whole = _csv(path, table, source, wanted)
    names = canonical_names(path.name, written, table)
    check_unique(path.name, names)
    marks = list(table.missing)
    texts = [pl.when(~pl.col(c).is_in(marks)).then(pl.col(c)).alias(c) for c in rows.columns]
    absent = [pl.lit(None, dtype=pl.String).alias(column) for column in sorted(wanted - set(rows.columns))]
    return Sample(names, written, rows.with_columns(texts + absent), whole, numbers)


def _csv(
    path: Path, table: Table, source: Source, wanted: frozenset[str]
) -> tuple[tuple[str, ...], pl.DataFrame, bool]:
    header = likely_header(path.name, lines(path, source.max_bytes, source.encoding), table)
    kept = {name: i for i, name in enumerate(header.names) if name in wanted}
    rows = islice(lines(path, source.max_bytes, source.encoding), header.last_line, None)
    texts = (line.decode("utf-8", "replace") + "\n" for line in rows)
    records: list[list[str]] = []
    try:
        for record in islice(csv.reader(texts, delimiter=header.delimiter), SAMPLE_ROWS + 1):
            if len(record) == len(header.names):
                records.append([record[i] for i in kept.values()])
    except csv.Error:
        pass  # the rows before the broken line suffice; reading the whole file reports the line
    columns = {name: [record[i] for record in records[:SAMPLE_ROWS]] for i, name in enumerate(kept)}
    frame = pl.DataFrame(columns, schema=dict.fromkeys(kept, pl.String))
    return header.written, frame, len(records) <= SAMPLE_ROWS


def _parquet(path: Path, table: Table, wanted: frozenset[str]) -> FirstRows:
    with TemporaryDirectory() as folder, duckdb.connect() as connection:
        link = Path(folder) / "sample.parquet"  # the file's name may have glob characters
        link.symlink_to(path.absolute())
        return read_rows(connection, link, path.name, table, wanted, SAMPLE_ROWS + 1)
