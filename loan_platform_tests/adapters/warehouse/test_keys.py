"""One loan has one key, in files of every type, in outcomes, in batch jobs and in requests."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from bento.http.bodies import csv_rows
from loan_platform.core.applications.frame_reader import FrameReader
from loan_platform.core.applications.reader import ApplicationError, ApplicationReader
from loan_platform.core.book.column_types import COLUMN_TYPES
from loan_platform.core.book.contract import Contract
from loan_platform.core.staging.table import Table
from loan_platform_tests.support.bundles import scoring_model
from loan_platform_tests.support.ingest import BOOK, GOOD, book, ingest, write
from loan_platform_tests.support.small_books.linked import BOOK as LINKED

KEY = "1077501"
READER = ApplicationReader(scoring_model())
FRAMES = FrameReader(READER)
TYPED = {
    "integer": pl.Series([1077501]),
    "float": pl.Series([1077501.0]),
    "float32": pl.Series([1077501.0], dtype=pl.Float32),
    "decimal": pl.Series([Decimal("1077501.00")]),
    "text": pl.Series([" 1077501.0"]),
}
NO_KEYS = {
    "decimals": pl.Series([1077501.5]),
    "large": pl.Series([2.0**53 + 2]),
    "large32": pl.Series([2.0**24 + 2], dtype=pl.Float32),
    "exponent": pl.Series(["1.0775e6"]),
}


def parquet(path: Path, keys: pl.Series) -> Path:
    names = ("issued", "income", "status")
    values = ("2015-03-01", "5", "bad")
    pl.DataFrame({"id": keys, **{n: [v] for n, v in zip(names, values, strict=True)}}).write_parquet(path)
    return path


@pytest.mark.parametrize("written", [KEY, f"{KEY}.0", f" {KEY}.00"])
@pytest.mark.parametrize("outcomes", [False, True])
def test_a_csv_key_with_zeros_behind_the_point_is_the_number(tmp_path: Path, written: str, outcomes: bool) -> None:
    done = ingest([write(tmp_path / "a.csv", [GOOD.format(id=written)])], tmp_path / "out", outcomes=outcomes)
    assert done.accepted["number"].to_list() == [KEY]


@pytest.mark.parametrize("kind", TYPED)
def test_a_parquet_key_of_any_type_is_the_whole_number(tmp_path: Path, kind: str) -> None:
    path = parquet(tmp_path / "a.parquet", TYPED[kind])
    assert ingest([path], tmp_path / "out").accepted["number"].to_list() == [KEY]
    assert ingest([path], tmp_path / "outcomes", outcomes=True).accepted["number"].to_list() == [KEY]


@pytest.mark.parametrize("kind", NO_KEYS)
def test_a_parquet_key_that_lost_digits_is_quarantined(tmp_path: Path, kind: str) -> None:
    done = ingest([parquet(tmp_path / "a.parquet", NO_KEYS[kind])], tmp_path / "out")
    assert done.reasons == [(1, "number", "unparseable")]
    assert done.quarantined["message"][0] == (
        "number is a number with decimals, an exponent or separated thousands, which is no key"
    )


def test_two_spellings_of_one_key_are_one_loan(tmp_path: Path) -> None:
    rows = [GOOD.format(id=written) for written in (KEY, f"{KEY}.0", "1.0775e6")]
    done = ingest([write(tmp_path / "a.csv", rows)], tmp_path / "out")
    assert done.reasons == [(3, "number", "duplicate_key"), (4, "number", "unparseable")]


@pytest.mark.parametrize("kind", ["number", "integer"])
def test_a_key_of_a_numeric_column_is_a_whole_number(tmp_path: Path, kind: str) -> None:
    columns = [{**column, "type": kind} if column["name"] == "number" else column for column in BOOK["columns"]]
    rows = [GOOD.format(id=written) for written in (KEY, "1002.0", "1.5", "1e3", "x")]
    done = ingest([write(tmp_path / "a.csv", rows)], tmp_path / "out", book(columns=columns))
    assert done.accepted["number"].to_list() == [int(KEY), 1002]
    assert done.reasons == [(line, "number", "unparseable") for line in (4, 5, 6)]
    assert set(done.quarantined["message"]) == {f"number is not {COLUMN_TYPES['integer'].in_file}"}


def test_keys_made_by_sql_have_no_decimals_of_a_float(tmp_path: Path) -> None:
    columns = [{**column, "sql": "'A-' || id"} if column["name"] == "number" else column for column in BOOK["columns"]]
    done = ingest([parquet(tmp_path / "a.parquet", TYPED["float"])], tmp_path / "out", book(columns=columns))
    assert done.accepted["number"].to_list() == [f"A-{KEY}"]


def test_linked_tables_read_the_keys_of_other_tables(tmp_path: Path) -> None:
    contract = Contract.model_validate(LINKED)
    people = next(source for source in contract.tables if source.name == "people")
    loans = next(source for source in contract.tables if source.name == "loans")
    assert Table.from_source(contract, people).is_key(people.by_name["person"])
    assert Table.from_source(contract, loans).is_key(loans.by_name["person"])  # it is no part of the key of loans
    assert not Table.from_source(contract, loans).is_key(loans.by_name["overdue"])


@pytest.mark.parametrize("kind", TYPED)
def test_a_batch_job_reads_the_key_of_a_parquet_file(kind: str) -> None:
    read = FRAMES.read(pl.DataFrame({"row": [1], "loan_id": TYPED[kind], "income": [5.0]}), as_text=False)
    assert (read.keys.to_list(), read.rejected.height) == ([KEY], 0)


@pytest.mark.parametrize("kind", NO_KEYS)
def test_a_batch_job_rejects_a_key_that_lost_digits(kind: str) -> None:
    read = FRAMES.read(pl.DataFrame({"row": [1], "loan_id": NO_KEYS[kind], "income": [5.0]}), as_text=False)
    assert read.keys.to_list() == []
    assert read.rejected["field"].to_list() == ["loan_id"]


def test_a_batch_job_reads_the_key_of_a_csv_file() -> None:
    cells = {"row": [1, 2, 3], "loan_id": [f" {KEY}.0", "NA", "1.0775e6"], "income": ["5"] * 3}
    read = FRAMES.read(pl.DataFrame(cells), as_text=True)
    assert read.keys.to_list() == [KEY, None]
    assert read.rejected["row"].to_list() == [3]


def test_a_numeric_key_is_its_value_in_requests_and_jobs() -> None:
    model = scoring_model()
    columns = [c.model_copy(update={"type": "number"} if c.name == "loan_id" else {}) for c in model.contract.columns]
    reader = ApplicationReader(replace(model, contract=model.contract.model_copy(update={"columns": tuple(columns)})))
    cells = {"row": [1, 2, 3], "loan_id": ["2e5", "200000", "200000.0"], "income": ["5"] * 3}
    read = FrameReader(reader).read(pl.DataFrame(cells), as_text=True)
    assert read.keys.to_list() == ["200000"] * 2
    assert read.rejected["row"].to_list() == [1]  # as in a file: a text with an exponent may have lost digits
    assert reader.key_of({"loan_id": 2e5}) == reader.key_of({"loan_id": 200000}) == "200000"


def test_an_exponent_without_a_plus_may_be_an_identifier(tmp_path: Path) -> None:
    done = ingest([write(tmp_path / "a.csv", [GOOD.format(id="2e5")])], tmp_path / "out")
    cells = {"row": [1], "loan_id": ["2e5"], "income": ["5"]}
    assert done.accepted["number"].to_list() == FRAMES.read(pl.DataFrame(cells), as_text=True).keys.to_list() == ["2e5"]
    assert READER.key_of({"loan_id": "2e5"}) == "2e5"


@pytest.mark.parametrize("written", [f"{KEY}\u00a0", f"\t{KEY}.0", f"\u2009{KEY} "])
def test_white_space_around_a_key_makes_no_other_loan(tmp_path: Path, written: str) -> None:
    rows = [GOOD.format(id=KEY), GOOD.format(id=written)]
    assert ingest([write(tmp_path / "a.csv", rows)], tmp_path / "out").reasons == [(3, "number", "duplicate_key")]
    cells = {"row": [1], "loan_id": [written], "income": ["5"]}
    assert FRAMES.read(pl.DataFrame(cells), as_text=True).keys.to_list() == [KEY]
    assert READER.key_of({"loan_id": written}) == KEY


@pytest.mark.parametrize("sent", [KEY, f" {KEY}.0", 1077501, 1077501.0])
def test_audit_records_have_the_key_as_files_have_it(sent: Any) -> None:
    assert READER.key_of({"loan_id": sent}) == KEY
    assert READER.key_of({"loan_id": None}) is READER.key_of({}) is READER.key_of({"loan_id": " NA"}) is None


def test_whole_numbers_are_keys_and_inexact_floats_are_none() -> None:
    for whole in (2**53, 2**53 + 1, -(2**60), 10**30):
        assert READER.key_of({"loan_id": whole}) == str(whole)
    assert READER.key_of({"loan_id": 2.0**53 - 1}) == str(2**53 - 1)
    for inexact in (2.0**53, -1e17):
        with pytest.raises(ApplicationError, match=r"is a float of at least 2\^53, which may stand for several keys"):
            READER.key_of({"loan_id": inexact})


@pytest.mark.parametrize("sent", ["1.0775e6", "1077501.5", "1,077,501"])
def test_requests_with_a_key_that_lost_digits_are_rejected(sent: str) -> None:
    with pytest.raises(ApplicationError, match="loan_id: is a number with decimals"):
        READER.inputs({"loan_id": sent, "income": 1})
    rows = csv_rows(f'loan_id,income\n"{sent}",1\n'.encode(), READER.columns, READER.missing, 10)
    for many in (rows, [{"loan_id": 1.5, "income": 1}]):
        with pytest.raises(ApplicationError, match=r"rows\[0\].loan_id: is a number with decimals"):
            READER.read_many(many)
