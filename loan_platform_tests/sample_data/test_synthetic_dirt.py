import csv
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from loan_platform.sample_data.lending_club import files
from loan_platform.sample_data.lending_club.columns import RAW_COLUMNS
from loan_platform.sample_data.lending_club.dirt import FIELD_EDITS, KINDS
from loan_platform.sample_data.lending_club.files import FOOTER, GeneratedFile, write_loan_book

ROWS = 6_000
WIDTH = len(RAW_COLUMNS)
CATEGORIES = {"CASTLE", " 48 months", "yacht"}


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> GeneratedFile:
    path = tmp_path_factory.mktemp("dirt") / "loans.csv"
    return write_loan_book(path, rows=ROWS, seed=9, dirty_share=0.02)


def records(made: GeneratedFile) -> list[list[str]]:
    with made.path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.reader(file))[1:]


def test_every_kind_is_there_and_the_truth_adds_up(dirty: GeneratedFile) -> None:
    assert dirty.dirty == dict.fromkeys(KINDS, 10)
    assert (dirty.rows, dirty.clean_rows) == (6_000, 5_880)
    assert len(records(dirty)) == dirty.rows + FOOTER.count(b"\n")


def kind_of(record: list[str], seen: set[str]) -> str:
    if len(record) != WIDTH:
        if len(record) > WIDTH:
            return "too_many_fields"
        return "open_quote" if "\n" in record[-1] else "too_few_fields"
    row = dict(zip(RAW_COLUMNS, record, strict=True))
    if row["id"] in seen:
        return "duplicate_id"
    for kind, edits in FIELD_EDITS.items():
        if any(row[column] == value and (value or kind == "missing_required") for column, value in edits):
            return kind
    return "clean"


def test_kinds_found_in_the_file_equal_the_truth(dirty: GeneratedFile) -> None:
    found: Counter[str] = Counter()
    seen: set[str] = set()
    for record in records(dirty)[: dirty.rows]:
        found[kind_of(record, seen)] += 1
        seen.add(record[0])
    assert found == {**dirty.dirty, "clean": dirty.clean_rows}


def test_variants_of_a_kind_take_turns(dirty: GeneratedFile) -> None:
    values = {value for record in records(dirty) for value in record}
    assert values >= {"Foo-2015", "Feb-30-2015", "Jan-0000", "NaN", "inf", "1e400", "-52000.0", "99999.0"}
    assert values >= CATEGORIES
    assert b"Caf\xe9 manager" in dirty.path.read_bytes()


def test_clean_rows_do_not_depend_on_the_dirt(dirty: GeneratedFile, tmp_path: Path) -> None:
    clean = write_loan_book(tmp_path / "clean.csv", rows=ROWS, seed=9, dirty_share=0.0, footer=False)
    before = set(clean.path.read_bytes().splitlines())
    kept = [line for line in dirty.path.read_bytes().splitlines() if line in before]
    assert len(kept) == 1 + dirty.clean_rows + dirty.dirty["duplicate_id"]


def test_footer_is_what_the_lender_writes(dirty: GeneratedFile) -> None:
    last = dirty.path.read_bytes().splitlines()[-2:]
    assert last[0] == b"Total amount funded in policy code 1: 460296150"
    assert last[1] == b"Total amount funded in policy code 2: 0" + b"," * 150


@pytest.mark.parametrize("strict", [True, False])
def test_duckdb_loses_no_other_row_to_a_dirty_one(dirty: GeneratedFile, strict: bool) -> None:
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in RAW_COLUMNS)
    connection = duckdb.connect()
    connection.execute(
        f"create table loans as select * from read_csv(?, header=true, delim=',', quote='\"', escape='\"',"
        f" auto_detect=false, columns={{{columns}}}, store_rejects=true, strict_mode={strict})",
        [str(dirty.path)],
    )
    rejected = dict(
        connection.execute("select error_type, count(distinct line) from reject_errors group by all").fetchall()
    )
    truth = dirty.dirty
    bare_footer, full_footer = 1, 1
    assert rejected["MISSING COLUMNS"] == truth["too_few_fields"] + truth["open_quote"] + bare_footer
    assert rejected["INVALID ENCODING"] == truth["invalid_utf8"]
    # A shifted row whose last field is empty, and without strict mode any surplus field, passes DuckDB.
    assert rejected.get("TOO MANY COLUMNS", 0) == (truth["too_many_fields"] // 2 if strict else 0)
    kept = connection.execute("select count(*) from loans").fetchall()[0][0]
    assert kept == dirty.rows + bare_footer + full_footer - sum(rejected.values())


def test_counts_hold_over_many_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CHUNK_ROWS", 70)
    made = write_loan_book(tmp_path / "a.csv", rows=1_000, seed=2, dirty_share=0.05)
    assert sum(made.dirty.values()) == 50
    assert set(made.dirty.values()) == {4, 5}
    assert len(records(made)) == 1_002


def test_half_of_a_tiny_file_may_be_dirty(tmp_path: Path) -> None:
    made = write_loan_book(tmp_path / "a.csv", rows=24, seed=2, dirty_share=0.5, footer=False)
    assert made.dirty == dict.fromkeys(KINDS, 1)
    assert len(records(made)) == 24
