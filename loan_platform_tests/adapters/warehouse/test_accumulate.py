"""Rows of later files are added to known rows; which row of a key counts is a rule, and no row is lost."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from loan_platform.adapters.warehouse.accumulate import Accumulation, AccumulationFiles, Accumulator, KeyRules
from loan_platform.adapters.warehouse.session import DuckDbSession, WarehouseError
from loan_platform.core.book.policies import SameKey

Row = tuple[str, date, float | None]
BY_MONTH = KeyRules(key=("loan",), batch="strftime(applied, '%Y-%m')")
JANUARY: list[Row] = [("a", date(2024, 1, 5), 10.0), ("b", date(2024, 1, 6), None)]
FEBRUARY: list[Row] = [("c", date(2024, 2, 1), 30.0), ("d", date(2024, 2, 2), -0.0)]


class Files:
    """The known rows and the history of one source, after each file."""

    def __init__(self, folder: Path, rules: KeyRules) -> None:
        self.folder, self.rules, self.count = folder, rules, 0

    def arrive(
        self, rows: Sequence[Row], rules: KeyRules | None = None, **columns: pl.Expr | pl.Series
    ) -> Accumulation:
        """Add a file."""
        self.count += 1
        frame = pl.DataFrame(rows, schema={"loan": pl.String, "applied": pl.Date, "income": pl.Float64}, orient="row")
        line = pl.int_range(2, pl.len() + 2, dtype=pl.Int64)
        frame = frame.with_columns(source_file=pl.lit(f"{self.count}.csv"), source_line=line).with_columns(**columns)
        frame.write_parquet(self.folder / f"new-{self.count}.parquet")
        old = (self._path("rows", self.count - 1), self._path("history", self.count - 1))
        known, history = (path if path.is_file() else None for path in old)
        out = AccumulationFiles(*(self._path(name, self.count) for name in ("rows", "history", "superseded")))
        session = DuckDbSession(memory_limit="400MB")
        return Accumulator(session).add(
            self.folder / f"new-{self.count}.parquet", known, history, rules or self.rules, out
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


@pytest.mark.parametrize("lossy", [pl.lit(10.6), pl.lit(2.0**80)])
def test_a_known_value_is_never_rounded_to_a_new_type(files: Callable[..., Files], lossy: pl.Expr) -> None:
    book = files()
    book.arrive(JANUARY, points=lossy)
    with pytest.raises(WarehouseError, match="2 rows that earlier files brought have a value in points that is no"):
        book.arrive(FEBRUARY, points=pl.lit(1))


@pytest.mark.parametrize(
    ("text", "new"),
    [("1.5", 1), ("1e3", 1), ("007", 1), ("1_000", 1.0), ("inf", 1.0), ("nan", 1.0), ("1", True), ("yes", True)],
)
def test_a_known_text_never_becomes_another_value(files: Callable[..., Files], text: str, new: object) -> None:
    book = files()
    book.arrive(JANUARY, points=pl.lit(text))
    with pytest.raises(WarehouseError, match="2 rows that earlier files brought have a value in points"):
        book.arrive(FEBRUARY, points=pl.lit(new))


@pytest.mark.parametrize(
    ("text", "new"), [("7", 7), ("-7", -7), ("1e3", 1000.0), ("7", 7.0), ("2024-01-05", date(2024, 1, 5))]
)
def test_a_known_text_becomes_the_value_it_states(files: Callable[..., Files], text: str, new: object) -> None:
    book = files()
    book.arrive(JANUARY, points=pl.lit(text))
    book.arrive(FEBRUARY, points=pl.lit(new))
    assert book.rows["points"].to_list() == [new] * 4


def test_a_text_of_the_history_is_never_rounded(files: Callable[..., Files]) -> None:
    book = files()
    book.arrive([*JANUARY, *JANUARY[:1]], points=pl.lit(pl.Series(["1.5", "7", "7"])))
    book.arrive(FEBRUARY, points=pl.lit(9))
    assert book.history["points"].to_list() == [None]


def test_the_history_takes_the_new_type_too(files: Callable[..., Files]) -> None:
    book = files()
    book.arrive([*JANUARY, *JANUARY[:1]], points=pl.lit("7"))
    book.arrive([("a", date(2024, 1, 5), 11.0)], points=pl.lit("8"))
    book.arrive(FEBRUARY, points=pl.lit(9))
    assert book.rows["points"].to_list() == [8, 7, 9, 9]
    assert book.history["points"].to_list() == [7]


def test_a_column_that_no_row_has_leaves_the_content(files: Callable[..., Files]) -> None:
    book = files()
    book.arrive(JANUARY)
    first = book.rows["content"].to_list()
    empty = pl.lit(None, pl.String)
    assert book.arrive(JANUARY, purpose=empty).unchanged == 2
    assert book.rows["content"].to_list() == first
    assert book.arrive(FEBRUARY, purpose=pl.lit("car")).added == 2
    assert book.rows["content"].to_list()[:2] == first


def test_rows_may_differ_in_columns_that_are_not_compared(files: Callable[..., Files]) -> None:
    rules = replace(BY_MONTH, latest_by="as_of", not_compared=frozenset({"repaid"}))
    book = files(rules)
    book.arrive(JANUARY, as_of=pl.lit(date(2024, 1, 31)), repaid=pl.lit(None, pl.String))
    counts = book.arrive(JANUARY, as_of=pl.lit(date(2024, 3, 31)), repaid=pl.lit("no"))
    assert (counts.unchanged, counts.replacing, book.history.height) == (2, 0, 0)
    # A file of February that arrives late does not outrank what March said again.
    late = book.arrive([("a", date(2024, 1, 5), 99.0)], as_of=pl.lit(date(2024, 2, 29)), repaid=pl.lit(None, pl.String))
    assert (late.outranked, book.incomes()["a"]) == (1, 10.0)


def test_the_same_row_twice_in_a_file_is_no_other_row(files: Callable[..., Files]) -> None:
    book = files()
    assert book.arrive([*JANUARY, JANUARY[0]]) == Accumulation(2, 2, 1, 0, 0, 0, ())
    assert book.history.is_empty()


def test_each_change_of_a_word_is_in_the_history(files: Callable[..., Files]) -> None:
    book = files()
    for income in (1.0, 2.0, 1.0, 2.0):
        book.arrive([("a", date(2024, 1, 5), income)], source_file=pl.lit("monthly.csv"))
        superseded = pl.read_parquet(book._path("superseded", book.count))
        assert superseded.height == (book.count > 1)
    assert sorted(book.history["income"]) == [1.0, 1.0, 2.0]


def test_files_that_are_read_again_add_no_history(files: Callable[..., Files]) -> None:
    book = files()
    both: list[Row] = [("a", date(2024, 1, 5), 10.0), ("a", date(2024, 1, 5), 11.0)]
    for _ in range(3):
        book.arrive(both, source_file=pl.lit("monthly.csv"))
        assert book.history["income"].to_list() == [10.0]


def test_a_neighbour_of_the_same_name_adds_no_history(files: Callable[..., Files]) -> None:
    book = files()
    both: list[Row] = [("a", date(2024, 1, 5), 10.0), ("a", date(2024, 1, 5), 11.0)]
    for name in ("x.csv", "old/x.csv", "2024/old/x.csv", "x.csv"):
        book.arrive(both, source_file=pl.lit(name))
        assert book.history["income"].to_list() == [10.0]
    book.arrive(both, source_file=pl.lit("max.csv"))  # another file
    assert book.history["source_file"].to_list() == ["max.csv", "x.csv"]


def test_a_key_may_have_several_columns(files: Callable[..., Files]) -> None:
    book = files(replace(BY_MONTH, key=("loan", "applied")))
    book.arrive([("a", date(2024, 1, 5), 10.0), ("a", date(2024, 2, 5), 11.0)])
    counts = book.arrive([("a", date(2024, 2, 5), 12.0), ("a", date(2024, 3, 5), 13.0)])
    assert (counts.added, counts.replacing, counts.rows) == (1, 1, 3)
    assert book.rows["income"].to_list() == [10.0, 12.0, 13.0]


@pytest.mark.parametrize("rule", ["refuse", "latest", "first"])
def test_a_whole_number_with_and_without_decimals_is_one(tmp_path: Path, rule: SameKey) -> None:
    book = Files(tmp_path, replace(BY_MONTH, same_key=rule))
    book.arrive(JANUARY, term=pl.Series(["36.0", "1.10"]))
    again = book.arrive(JANUARY, term=pl.Series(["36", "1.10"]))
    assert (again.unchanged, again.replacing, again.outranked) == (2, 0, 0)
    assert book.history.is_empty()
