"""Values that are too long are rejected rows, and files that unpack to too much are refused, before they are typed."""

import gzip
import os
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loan_platform.adapters.csv_files.blocks import MAX_VALUE_BYTES
from loan_platform.adapters.csv_files.header import MAX_COLUMNS
from loan_platform.adapters.sources.resolve import resolve
from loan_platform.core.book.policies import Source
from loan_platform.core.errors import SourceError
from loan_platform_tests.support.ingest import GOOD, HEADER, ingest

WHY = "a value is longer than 16,384 bytes"
LONG = "n" * (MAX_VALUE_BYTES + 1)
FITS = "n" * MAX_VALUE_BYTES


def lines(*rows: str) -> str:
    return "\n".join([HEADER, *rows]) + "\n"


def row(number: int, home: str = "Own", note: str = "x") -> str:
    return GOOD.format(id=number).replace(",Own,", f",{home},").replace(",good,x", f",good,{note}")


def as_parquet(path: Path, texts: list[str], long: list[str]) -> Path:
    """Loans in Parquet whose column `home` repeats few texts, so that the file stays small."""
    columns = dict(
        zip(HEADER.split(","), zip(*(row(i).split(",") for i in range(len(texts))), strict=True), strict=True)
    )
    homes = pa.DictionaryArray.from_arrays(pa.array([long.index(text) for text in texts], pa.int32()), pa.array(long))
    table = pa.table({name: homes if name == "home" else list(values) for name, values in columns.items()})
    pq.write_table(table, path, store_schema=False)
    return path


@pytest.mark.parametrize("form", ["csv", "quoted", "parquet"])
def test_rows_with_long_values_are_rejected_and_counted(tmp_path: Path, form: str) -> None:
    homes = ["Own", LONG, "Rent", LONG]
    if form == "parquet":
        file, first = as_parquet(tmp_path / "in.parquet", homes, ["Own", "Rent", LONG]), 1
    else:
        quote = '"' if form == "quoted" else ""
        rows = [row(i, f"{quote}{home}{quote}") for i, home in enumerate(homes)]
        file, first = tmp_path / "in.csv", 2
        file.write_text(lines(*rows))
    done = ingest([file], tmp_path / "out")
    assert done.accepted["source_line"].to_list() == [first, first + 2]
    assert done.quarantined.select("source_line", "reason", "message").rows() == [
        (first + 1, "structural", WHY),
        (first + 3, "structural", WHY),
    ]
    assert (done.staged.rows_in, done.staged.accepted, done.staged.quarantined) == (4, 2, 2)


def test_a_long_value_that_is_not_read_rejects_nothing(tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_text(lines(row(1, note=LONG), row(2, note=f'"{LONG},""{LONG}"'), row(3)))
    assert ingest([file], tmp_path / "out").accepted["number"].to_list() == ["1", "2", "3"]


@pytest.mark.attack("file", "Parquet of few kB that repeats long texts", before="4 GB of memory, or an abort")
def test_a_file_of_long_values_is_refused_as_a_whole(tmp_path: Path) -> None:
    file = as_parquet(tmp_path / "in.parquet", [LONG * 100] * 1_001, [LONG * 100])
    assert file.stat().st_size < 200_000
    with pytest.raises(SourceError, match=r"has 1,001 of 1,001 rows with a value longer than 16,384 bytes"):
        ingest([file], tmp_path / "out")


@pytest.mark.attack("file", "Parquet whose footer tells of few bytes", before="its own size is believed")
def test_the_size_of_parquet_is_measured(tmp_path: Path) -> None:
    file = as_parquet(tmp_path / "in.parquet", [FITS] * 200, [FITS])
    told = sum(pq.ParquetFile(file).metadata.row_group(0).column(i).total_uncompressed_size for i in range(9))
    source = Source(path="x", max_bytes=1_000_000)
    assert told < source.max_bytes < 200 * MAX_VALUE_BYTES
    with pytest.raises(SourceError, match="has more than the allowed 1,000,000 bytes when it is unpacked"):
        ingest([file], tmp_path / "out", source=source)


def test_nested_values_are_measured_too(tmp_path: Path) -> None:
    rows = pl.DataFrame([GOOD.format(id=i).split(",") for i in range(2)], HEADER.split(","), orient="row")
    nested = rows.with_columns(status=pl.Series([["good"], ["good"] * 9_000]))
    nested.write_parquet(tmp_path / "in.parquet")
    done = ingest([tmp_path / "in.parquet"], tmp_path / "out")
    assert (2, "structural") in done.quarantined.select("source_line", "reason").rows()


@pytest.mark.attack("file", "gzip of blank lines", before="20 kB take 6.5 s, and 20 GB about 100 minutes")
def test_a_file_of_blank_lines_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "in.csv.gz"
    file.write_bytes(gzip.compress(lines(row(1)).encode() + b"\n" * 5_000_000))
    with pytest.raises(SourceError, match="blank lines"):
        ingest([file], tmp_path / "out", source=Source(path="x", max_rows=2_000))


@pytest.mark.attack("file", "a pipe in place of a file", before="the run waits for ever")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "loans.csv")
    with pytest.raises(SourceError, match="is no regular file"):
        resolve(Source(path="loans.csv"), home=tmp_path, cache=tmp_path / "cache")


@pytest.mark.attack("file", "a header of a million columns", before="6 MB take 1.7 GB and 16 s")
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_file_has_at_most_10_000_columns(tmp_path: Path, form: str) -> None:
    names = [*HEADER.split(","), *(f"c{number}" for number in range(MAX_COLUMNS))]
    path = tmp_path / f"in.{form}"
    if form == "parquet":
        pq.write_table(pa.table({name: ["x"] for name in names}), path)
    else:
        path.write_text(",".join(names) + "\n" + row(1) + "," * MAX_COLUMNS + "\n")
    with pytest.raises(SourceError, match=r"has 10,009 columns, 10,000 at most"):
        ingest([path], tmp_path / "out")
