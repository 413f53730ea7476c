"""Files that correct each other arrive together: each row is joined, and none is lost before the rule decides."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from loan_platform.adapters.warehouse.linked_tables import JoinSummary, LinkedTables
from loan_platform.adapters.warehouse.session import DuckDbSession
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.policies import SameKey
from loan_platform.core.staging.table import Table
from loan_platform_tests.support.small_books.linked import contract
from loan_platform_tests.support.small_books.linked_cars import linked_cars

Row = tuple[str, float]
PEOPLE = {"person": ["A", "B"], "salary": [100.0, 200.0], "stated": ["2024-01-01"] * 2}


class Join:
    """New rows of one contract, joined with a history and other tables."""

    def __init__(self, folder: Path, book: Contract, tables: dict[str, pl.DataFrame]) -> None:
        self.folder = folder
        self.linked = LinkedTables(DuckDbSession(memory_limit="400MB", temp_directory=folder), book)
        self.tables = {name: self._written(name, rows) for name, rows in tables.items()}

    def new(self, rows: pl.DataFrame, same_key: SameKey = "latest") -> JoinSummary:
        """Join rows that were read in this order."""
        out, lost = self.folder / "joined.parquet", self.folder / "lost.parquet"
        return self.linked.join_new(self.tables, self._written("new", rows), out, lost, same_key)

    def joined(self, *columns: str) -> list[tuple[object, ...]]:
        return pl.read_parquet(self.folder / "joined.parquet").select(columns).rows()

    def lost(self) -> list[tuple[object, ...]]:
        return pl.read_parquet(self.folder / "lost.parquet").select("source_file", "source_line", "reason").rows()

    def _written(self, name: str, rows: pl.DataFrame) -> Path:
        path = self.folder / f"{name}.parquet"
        rows.write_parquet(path)
        return path


def cars(rows: Sequence[Row], file: str = "new.csv") -> pl.DataFrame:
    schema = {"contract_no": pl.String, "debt": pl.Float64}
    frame = pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        signed=pl.date(2024, 2, 1), paid_back=pl.lit(None, pl.String), source_file=pl.lit(file)
    )
    return frame.with_columns(source_line=pl.int_range(2, pl.len() + 2, dtype=pl.Int64))


@pytest.fixture
def join(tmp_path: Path) -> Join:
    people = pl.DataFrame(PEOPLE).with_columns(pl.col("stated").str.to_date())
    return Join(tmp_path, linked_cars().contract, {"loans": cars([("OLD", 1.0)], "loans.csv"), "people": people})


@pytest.mark.parametrize("rule", ["latest", "first", "refuse"])
def test_every_row_of_a_key_is_joined_in_its_order(join: Join, rule: SameKey) -> None:
    rows = pl.concat([cars([("A", 1.0), ("B", 2.0)], "b.csv"), cars([("A", 3.0), ("B", 2.0)], "a.csv")])
    assert join.new(rows, rule) == JoinSummary(rows=4, lost=0)
    assert join.joined("contract_no", "debt", "salary", "source_file", "source_line") == [
        ("A", 1.0, 100.0, "b.csv", 2),
        ("B", 2.0, 200.0, "b.csv", 3),
        ("A", 3.0, 100.0, "a.csv", 2),
        ("B", 2.0, 200.0, "a.csv", 3),
    ]


def test_each_row_without_a_joined_row_is_told(join: Join) -> None:
    rows = cars([("A", 1.0), ("NOBODY", 1.0), ("NOBODY", 2.0), ("NOBODY", 2.0)])
    assert join.new(rows) == JoinSummary(rows=1, lost=3)
    assert join.lost() == [("new.csv", line, "not_joined") for line in (3, 4, 5)]


def test_nothing_that_arrives_is_no_row(join: Join) -> None:
    assert join.new(cars([])) == JoinSummary(rows=0, lost=0)


def test_a_join_sees_one_row_of_a_key_at_a_time(tmp_path: Path) -> None:
    everyone = "SELECT loans.*, sum(debt) OVER () AS salary FROM loans"
    book = linked_cars().contract.model_copy(update={"join": everyone})
    join = Join(tmp_path, book, {"loans": cars([("OLD", 1000.0)], "loans.csv")})
    join.new(cars([("A", 1.0), ("B", 10.0), ("A", 2.0), ("A", 3.0)]))
    # The last row of A counts: B is joined beside it, and each earlier one of A beside B.
    assert join.joined("contract_no", "debt", "salary") == [
        ("A", 1.0, 1011.0),
        ("B", 10.0, 1013.0),
        ("A", 2.0, 1012.0),
        ("A", 3.0, 1013.0),
    ]


def test_a_date_says_which_row_the_others_are_joined_beside(tmp_path: Path) -> None:
    everyone = "SELECT loans.*, sum(debt) OVER () AS salary FROM loans"
    book = linked_cars().contract.model_copy(update={"join": everyone})
    join = Join(tmp_path, book, {"loans": cars([], "loans.csv")})
    days = pl.Series("latest_by", ["2024-03-01", "2024-01-01", "2024-02-01"]).str.to_date()
    join.new(cars([("A", 1.0), ("B", 10.0), ("A", 2.0)]).with_columns(days))
    assert join.joined("contract_no", "salary", "latest_by") == [
        ("A", 11.0, days[0]),
        ("B", 11.0, days[1]),
        ("A", 12.0, days[2]),
    ]


def test_a_joined_row_too_many_is_quarantined(tmp_path: Path) -> None:
    twice = "SELECT loans.*, salary FROM loans, (VALUES (1.0), (2.0)) AS twice(salary)"
    book = linked_cars().contract.model_copy(update={"join": twice})
    join = Join(tmp_path, book, {"loans": cars([], "loans.csv")})
    assert join.new(cars([("A", 1.0), ("A", 2.0)])) == JoinSummary(rows=2, lost=2)
    assert join.lost() == [("new.csv", line, "duplicate_key") for line in (2, 3)]


def test_a_loan_of_several_rows_is_joined_once_per_correction(tmp_path: Path) -> None:
    lines = "SELECT max(source_file) AS source_file, max(source_line) AS source_line, loan, sum(overdue) AS overdue "
    book = contract().model_copy(update={"join": f"{lines} FROM loans GROUP BY loan"})
    columns = {"loan": ["A", "A", "B", "A", "A"], "line": [0, 6, 0, 6, 0], "overdue": [1.0, 10.0, 5.0, 20.0, 1.0]}
    place = {"source_file": ["1", "1", "1", "2", "2"], "source_line": [2, 3, 4, 2, 3]}
    rows = pl.DataFrame(columns | place)
    join = Join(tmp_path, book, {"loans": rows.clear()})
    join.new(rows)
    assert join.joined("loan", "overdue") == [("A", 11.0), ("B", 5.0), ("A", 21.0)]


def test_a_row_without_a_loan_hides_no_other(tmp_path: Path) -> None:
    lines = "SELECT max(source_file) AS source_file, max(source_line) AS source_line, loan, "
    lines += "sum(overdue) AS overdue, (SELECT count(*) FROM loans) AS rows FROM loans GROUP BY loan"
    book = contract().model_copy(update={"join": lines})
    rows = pl.DataFrame(
        {"loan": ["A", None], "line": [0, 6], "overdue": [1.0, 10.0], "source_file": "1", "source_line": [2, 3]}
    )
    known = rows.with_columns(loan=pl.Series(["H", "I"]))
    join = Join(tmp_path, book, {"loans": known})
    assert join.new(rows) == JoinSummary(rows=1, lost=1)
    assert (join.joined("loan", "rows"), join.lost()) == ([("A", 4)], [("1", 3, "not_joined")])
    table = Table.from_source(book, next(table for table in book.tables if table.name == "loans"))
    assert {column.name for column in table.columns if column.required} >= {"loan"}


def test_a_key_of_very_many_rows_is_quarantined(join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loan_platform.adapters.warehouse.arriving_rows.MAX_LAYERS", 2)
    assert join.new(cars([("B", 1.0), *(("A", float(i)) for i in range(4))])) == JoinSummary(rows=3, lost=2)
    assert join.joined("contract_no", "debt") == [("B", 1.0), ("A", 2.0), ("A", 3.0)]
    assert join.lost() == [("new.csv", line, "duplicate_key") for line in (3, 4)]
