"""Rows of later files are added to known rows; which row of a key counts is a rule, and no row is lost."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from loan_platform.adapters.warehouse.accumulate import Accumulation, Accumulator, KeyRules
from loan_platform.adapters.warehouse.session import DuckDbSession, WarehouseError

Row = tuple[str, date, float | None]
BY_MONTH = KeyRules(key="loan", batch="strftime(applied, '%Y-%m')")
JANUARY: list[Row] = [("a", date(2024, 1, 5), 10.0), ("b", date(2024, 1, 6), None)]
FEBRUARY: list[Row] = [("c", date(2024, 2, 1), 30.0), ("d", date(2024, 2, 2), -0.0)]


class Files:
    """The known rows and the history of one source, after each file."""

    def __init__(self, folder: Path, rules: KeyRules) -> None:
        self.folder, self.rules, self.count = folder, rules, 0

    def arrive(self, rows: Sequence[Row], rules: KeyRules | None = None, **columns: pl.Expr) -> Accumulation:
        """Add a file."""
        self.count += 1
        frame = pl.DataFrame(rows, schema={"loan": pl.String, "applied": pl.Date, "income": pl.Float64}, orient="row")
        line = pl.int_range(2, pl.len() + 2, dtype=pl.Int64)
        frame = frame.with_columns(source_file=pl.lit(f"{self.count}.csv"), source_line=line).with_columns(**columns)
        frame.write_parquet(self.folder / f"new-{self.count}.parquet")
        old = (self._path("rows", self.count - 1), self._path("history", self.count - 1))
        known, history = (path if path.is_file() else None for path in old)
        paths = (self._path("rows", self.count), self._path("history", self.count))
        session = DuckDbSession(memory_limit="400MB")
        return Accumulator(session).add(
            self.folder / f"new-{self.count}.parquet", known, history, rules or self.rules, *paths
        )

    @property
    def rows(self) -> pl.DataFrame:
        """The rows that count."""
        return pl.read_parquet(self._path("rows", self.count))

    @property
    def history(self) -> pl.DataFrame:
        """The rows that do not count."""
        return pl.read_parquet(self._path("history", self.count))

    def incomes(self) -> dict[str, float | None]:
        """Income by loan."""
        return dict(self.rows.select("loan", "income").rows())

    def _path(self, name: str, count: int) -> Path:
        return self.folder / f"{name}-{count}.parquet"


@pytest.fixture
def files(tmp_path: Path) -> Callable[[KeyRules], Files]:
    return lambda rules=BY_MONTH: Files(tmp_path, rules)


def test_a_later_month_adds_to_the_earlier(files: Callable[..., Files]) -> None:
    book = files()
    assert book.arrive(JANUARY) == Accumulation(2, 2, 0, 0, 0, 0, ())
    assert book.arrive(FEBRUARY) == Accumulation(4, 2, 0, 0, 0, 0, ())
    assert book.rows.select("loan", "in_last_file").rows() == [("a", False), ("b", False), ("c", True), ("d", True)]
    assert book.history.is_empty()


def test_the_same_file_twice_changes_nothing(files: Callable[..., Files]) -> None:
    book = files()
    book.arrive(JANUARY)
    first = book.rows
    assert book.arrive(JANUARY) == Accumulation(2, 0, 2, 0, 0, 0, ())
    assert book.rows.equals(first)  # even the place in the file stays that of the first
    assert book.history.is_empty()


def test_a_correction_counts_and_the_first_word_stays(files: Callable[..., Files]) -> None:
    book = files()
    book.arrive(JANUARY)
    assert book.arrive([("a", date(2024, 1, 5), 11.0)]) == Accumulation(2, 0, 0, 1, 0, 0, ())
    assert book.incomes() == {"a": 11.0, "b": None}
    place = ("loan", "income", "source_file", "replaced_by_file", "replaced_by_line")
    assert book.history.select(place).rows() == [("a", 10.0, "1.csv", "2.csv", 2)]
    book.arrive(FEBRUARY)
    assert book.history.height == 1


@pytest.mark.parametrize(("rule", "income"), [("latest", 12.0), ("first", 10.0), ("refuse", 10.0)])
def test_the_rule_decides_within_a_file_and_between_files(
    files: Callable[..., Files], rule: str, income: float
) -> None:
    rules = replace(BY_MONTH, same_key=rule)
    once, twice = files(rules), files(rules)
    twice.folder = twice.folder / "twice"
    twice.folder.mkdir()
    rows: list[Row] = [("a", date(2024, 1, 5), 10.0), ("a", date(2024, 1, 5), 11.0), ("a", date(2024, 1, 5), 12.0)]
    assert once.arrive(rows).outranked == 2
    for row in rows:
        twice.arrive([row])
    assert once.incomes() == twice.incomes() == {"a": income}
    lost = {10.0, 11.0, 12.0} - {income}
    assert set(once.history["income"]) == set(twice.history["income"]) == lost


def test_a_date_decides_whichever_file_is_read_last(files: Callable[..., Files]) -> None:
    book = files(replace(BY_MONTH, latest_by="as_of"))
    later, earlier = pl.lit(date(2024, 3, 31)), pl.lit(date(2024, 2, 29))
    book.arrive(JANUARY, as_of=later)
    counts = book.arrive([("a", date(2024, 1, 5), 99.0)], as_of=earlier)
    assert (counts.outranked, book.incomes()["a"]) == (1, 10.0)
    assert book.history.select("income", "replaced_by_file").rows() == [(99.0, "1.csv")]


def test_only_a_named_range_is_emptied(files: Callable[..., Files]) -> None:
    book = files()
    book.arrive(JANUARY + FEBRUARY)
    counts = book.arrive([("c", date(2024, 2, 1), 30.0)], replace(BY_MONTH, replace=("2024-02", "2024-02")))
    assert (counts.removed, counts.shrunk) == (1, (("2024-02", 2, 1),))
    assert sorted(book.incomes()) == ["a", "b", "c"]
    assert book.history.select("loan", "replaced_by_file").rows() == [("d", None)]


def test_a_corrected_date_is_told_where_it_shrinks_a_batch(files: Callable[..., Files]) -> None:
    book = files()
    book.arrive(JANUARY)
    assert book.arrive([("a", date(2024, 2, 5), 10.0)]).shrunk == (("2024-01", 2, 1),)


def test_a_new_column_is_missing_in_known_rows(files: Callable[..., Files]) -> None:
    book = files()
    book.arrive(JANUARY)
    book.arrive(FEBRUARY, purpose=pl.lit("car"))
    assert book.rows["purpose"].to_list() == [None, None, "car", "car"]


def test_known_values_of_another_type_are_an_error(files: Callable[..., Files]) -> None:
    book = files()
    book.arrive(JANUARY, purpose=pl.lit("car"))
    with pytest.raises(WarehouseError, match="purpose"):
        book.arrive(FEBRUARY, purpose=pl.lit(1))
