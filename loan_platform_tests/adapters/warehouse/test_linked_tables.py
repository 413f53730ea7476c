"""Linked files are cleaned one by one and joined to one row per loan, from what was known at its decision."""

import hashlib
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from loan_platform.adapters.warehouse.session import WarehouseError
from loan_platform.core.staging.table import Table
from loan_platform_tests.support.small_books.linked import BOOK, FILES, JOIN, LinkedBook, contract


@pytest.fixture
def book(tmp_path: Path) -> LinkedBook:
    return LinkedBook(tmp_path, contract())


def rows(path: Path) -> list[tuple[object, ...]]:
    return pl.read_parquet(path).select("loan", "start", "income", "mean_visits", "overdue").rows()


def test_one_row_per_loan_from_what_was_known_at_the_decision(book: LinkedBook) -> None:
    found = book.linked.join(book.clean, book.joined)
    assert (found.rows, found.lost) == (4, 0)
    assert rows(book.joined) == [
        ("A", date(2024, 1, 1), 100.0, 2.5, 50.0),
        ("B", date(2024, 2, 1), None, 7.0, 0.0),
        ("C", date(2024, 3, 1), None, None, None),
        ("D", date(2024, 3, 1), None, None, None),
    ]
    assert pl.read_parquet(book.joined).select("source_file", "source_line").rows() == [
        ("loans.csv", line) for line in (2, 4, 6, 8)
    ]


def test_garbage_becomes_missing_and_is_counted_by_reason(book: LinkedBook) -> None:
    assert book.nulled == {"loans": {}, "people": {("income", "out_of_range"): 2}, "visits": {}}
    assert pl.read_parquet(book.clean["people"])["income"].to_list() == [100.0, 900.0, None, None]


def test_columns_outside_the_contract_never_leave_the_source(book: LinkedBook) -> None:
    for stage in ("raw", "clean", "bad"):
        assert "name" not in pl.read_parquet(book.folder / f"{stage}_people.parquet").columns


def test_a_second_row_of_the_same_composite_key_is_quarantined(book: LinkedBook) -> None:
    refused = pl.read_parquet(book.quarantined["loans"])
    assert refused.select("source_line", "column", "reason").rows() == [(7, "loan and line", "duplicate_key")]
    assert refused["message"][0].endswith(": loans.csv line 6")
    assert pl.read_parquet(book.quarantined["visits"]).height == 0  # no key: every row counts


def test_the_joined_row_is_staged_like_any_other(book: LinkedBook, tmp_path: Path) -> None:
    book.linked.join(book.clean, book.joined)
    accepted, quarantined = tmp_path / "accepted.parquet", tmp_path / "quarantined.parquet"
    staged = book.warehouse.stage(
        book.joined,
        Table.from_contract(book.contract),
        accepted,
        quarantined,
        previously_quarantined=(book.quarantined["loans"],),
    )
    assert (staged.rows_in, staged.accepted, staged.quarantined) == (5, 4, 1)
    assert staged.by_reason == {"duplicate_key": 1}
    assert pl.read_parquet(accepted)["target"].to_list() == [1, 0, None, None]
    assert (staged.resolved, staged.target_rate) == (2, 0.5)


def test_no_loan_changes_when_later_records_are_taken_away(book: LinkedBook) -> None:
    book.linked.join(book.clean, book.joined)
    tried = book.linked.check_point_in_time(book.clean, book.joined)
    assert tried.days == (date(2024, 1, 1), date(2024, 2, 1), date(2024, 3, 1))
    assert (tried.loans, tried.changed) == (4, 0)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (" AND visits.month < started.start", ""),
        ("ASOF LEFT JOIN people ON people.person = started.person AND started.start >= people.day",
         "LEFT JOIN (SELECT person, max(income) AS income FROM people GROUP BY person) AS people "
         "ON people.person = started.person"),
    ],
)  # fmt: skip
def test_a_join_that_looks_ahead_is_found(right: str, wrong: str, tmp_path: Path) -> None:
    assert right in JOIN
    book = LinkedBook(tmp_path, contract(join=JOIN.replace(right, wrong)))
    book.linked.join(book.clean, book.joined)
    tried = book.linked.check_point_in_time(book.clean, book.joined)
    assert (tried.loans, tried.changed) == (4, 1)


def test_a_lost_loan_is_counted(tmp_path: Path) -> None:
    book = LinkedBook(tmp_path, contract(join=JOIN.replace("LEFT JOIN visits", "JOIN visits")))
    found = book.linked.join(book.clean, book.joined)
    assert (found.rows, found.lost) == (2, 2)


def test_the_same_tables_give_the_same_bytes(tmp_path: Path) -> None:
    hashes = set()
    for i in range(2):
        (tmp_path / str(i)).mkdir()
        book = LinkedBook(tmp_path / str(i), contract())
        book.linked.join(book.clean, book.joined)
        hashes.add(hashlib.sha256(book.joined.read_bytes()).hexdigest())
    assert len(hashes) == 1


def test_a_join_that_does_not_run_is_told(tmp_path: Path) -> None:
    book = LinkedBook(tmp_path, contract(join=JOIN.replace("visits.count", "visits.number")))
    with pytest.raises(WarehouseError, match=r"does not run: .*number"):
        book.linked.join(book.clean, book.joined)


def test_rows_without_a_place_are_refused(tmp_path: Path) -> None:
    hidden = "SELECT * EXCLUDE source_line FROM (" + JOIN + ")"
    book = LinkedBook(tmp_path, contract(join=hidden))
    with pytest.raises(WarehouseError, match="returns no source_line"):
        book.linked.join(book.clean, book.joined)


def test_one_later_record_moves_nothing(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    (tmp_path / "after").mkdir()
    later = {
        "loans": FILES["loans"] + "A,p1,2024-01-01,2024-02-01,1,999\n",
        "people": FILES["people"] + "p2,Bob,5000,2024-02-02\n",
        "visits": FILES["visits"].replace("p1,2024-01-01,90", "p1,2024-01-01,9000"),
    }
    before = LinkedBook(tmp_path / "before", contract())
    after = LinkedBook(tmp_path / "after", contract(), later)
    for book in (before, after):
        book.linked.join(book.clean, book.joined)
    assert rows(before.joined) == rows(after.joined)


def test_the_book_is_what_it_says() -> None:
    assert {table["name"] for table in BOOK["tables"]} == set(FILES)
