"""Raw files become raw Parquet, typed rows and quarantined rows; whatever the file, the rows reconcile."""

from pathlib import Path

import polars as pl
import pytest

from loan_platform.adapters.csv_files.blocks import MAX_RECORD_BYTES
from loan_platform.adapters.warehouse.ordered_parquet import is_in_order
from loan_platform.adapters.warehouse.session import DuckDbSession, WarehouseError
from loan_platform.adapters.warehouse.warehouse import Warehouse
from loan_platform.core.errors import SourceError
from loan_platform_tests.support.ingest import BOOK, GOOD, book, ingest, write


def _rows(count: int) -> list[str]:
    return [GOOD.format(id=i) for i in range(count)]


def _bytes(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_good_rows_are_typed_and_keep_their_place(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ["7,Mar-2015,$50;000,11.5%,36.0, own ,Yes,BAD,x".replace(";", ",")][:0])
    write(path, ['7,Mar-2015,"$50,000",11.5%,36.0, own ,Yes,BAD,x', "", '8,2015-04-02,1e3,,,,,,"a,b"'])
    done = ingest([path], tmp_path / "out")
    assert done.accepted.rows() == [
        ("7", pl.Series(["2015-03-01"]).str.to_date()[0], 50000.0, 11.5, 36, "Own", True, 1, "a.csv", 2),
        ("8", pl.Series(["2015-04-02"]).str.to_date()[0], 1000.0, None, None, None, None, None, "a.csv", 4),
    ]
    assert done.accepted.dtypes == [
        pl.String, pl.Date, pl.Float64, pl.Float64, pl.Int64, pl.String, pl.Boolean, pl.Int32, pl.String, pl.Int64
    ]  # fmt: skip
    assert (done.staged.resolved, done.staged.target_rate) == (1, 1.0)


def test_columns_outside_the_contract_never_leave_the_file(tmp_path: Path) -> None:
    rows = [GOOD.format(id=i).replace(",x", ",CANARY-773") for i in range(3)] + [
        "CANARY-773,a,b",
        '9,"CANARY-773',
    ]
    rows += ["9,CANARY-773,50000,11.5,36,Own,n,good,CANARY-773"]
    done = ingest([write(tmp_path / "a.csv", rows)], tmp_path / "out")
    assert "note" not in done.raw.columns
    # The only canary that may be seen is the raw text of a column that the contract reads.
    assert done.raw.filter(pl.any_horizontal(pl.all().cast(pl.String).str.contains("CANARY"))).height == 1
    assert "CANARY" not in str(done.accepted.rows()) + str(done.quarantined.rows())
    assert done.reasons == [(5, None, "structural"), (6, None, "structural"), (7, "issued", "unparseable")]


@pytest.mark.parametrize(
    ("row", "reason", "message"),
    [
        ("1,2015-03-01,50000", None, "3 fields where the header has 9"),
        (GOOD.format(id=1) + ",y", None, "10 fields where the header has 9"),
        ('1,2015-03-01,50000,11.5,36,"Own,n,good,x', None, "a quote is opened and not closed"),
        ('1,2015-03-01,50000,11.5,36,O"w"n,n,good,x', None, "a value has a quote inside"),
        ("1,2015-03-01,50000,11.5,36,Own\0,n,good,x", None, "the record holds a NUL byte"),
        (
            "1,2015-03-01,50000,11.5,36,Own,n,good," + "x" * MAX_RECORD_BYTES,
            None,
            "longer than 1,048,576 bytes",
        ),
        (",2015-03-01,50000,11.5,36,Own,n,good,x", "missing_required", "number is required and has no value"),
        ("1,,50000,11.5,36,Own,n,good,x", "missing_required", "issued is required and has no value"),
        ("1,2015-03-01, NA ,11.5,36,Own,n,good,x", "missing_required", "income is required"),
        ("1,Jan-0000,50000,11.5,36,Own,n,good,x", "unparseable", "issued is not a date"),
        ("1,Feb-30-2015,50000,11.5,36,Own,n,good,x", "unparseable", "issued is not a date"),
        ("1,2015-02-30,50000,11.5,36,Own,n,good,x", "unparseable", "issued is not a date"),
        ("1,epoch,50000,11.5,36,Own,n,good,x", "unparseable", "issued is not a date"),
        ("1,2101-01-01,50000,11.5,36,Own,n,good,x", "unparseable", "issued is not a date"),
        ("1,2015-03-01,NaN,11.5,36,Own,n,good,x", "missing_required", "income is required"),
        ("1,2015-03-01,inf,11.5,36,Own,n,good,x", "unparseable", "income is not a number"),
        ("1,2015-03-01,1e400,11.5,36,Own,n,good,x", "unparseable", "income is not a number"),
        ("1,2015-03-01,=cmd|x,11.5,36,Own,n,good,x", "unparseable", "income is not a number"),
        ('1,2015-03-01,"50,5",11.5,36,Own,n,good,x', "unparseable", "income is not a number"),
        ('1,2015-03-01,"1.234,56",11.5,36,Own,n,good,x', "unparseable", "income is not a number"),
        ("1,2015-03-01,5 0,11.5,36,Own,n,good,x", "unparseable", "income is not a number"),
        ("1,2015-03-01,-1,11.5,36,Own,n,good,x", "out_of_range", "income is below 0 or above 1e+07"),
        ("1,2015-03-01,50000,11.5,36.5,Own,n,good,x", "unparseable", "term is not an integer"),
        ("1,2015-03-01,50000,11.5,0,Own,n,good,x", "out_of_range", "term is below 1 or above 600"),
        ("1,2015-03-01,50000,11.5,36,Tent,n,good,x", "unknown_category", "home is not one of the allowed"),
        ("1,2015-03-01,50000,11.5,36,Own,perhaps,good,x", "unparseable", "joint is not a boolean"),
    ],
)
def test_a_bad_row_is_quarantined_alone(tmp_path: Path, row: str, reason: str | None, message: str) -> None:
    path = write(tmp_path / "a.csv", [GOOD.format(id=10), row, GOOD.format(id=11)])
    done = ingest([path], tmp_path / "out")
    assert done.accepted["number"].to_list() == ["10", "11"]
    (bad,) = done.quarantined.rows(named=True)
    assert (bad["source_file"], bad["source_line"], bad["reason"]) == ("a.csv", 3, reason or "structural")
    assert message in bad["message"]
    assert done.staged.by_reason == {reason or "structural": 1}


def test_every_fault_of_a_row_is_listed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [*_rows(2), "5,never,-1,x,36,Own,n,good,x"])
    (bad,) = ingest([path], tmp_path / "out").quarantined.rows(named=True)
    assert bad["column"] == "issued"
    assert [(fault["column"], fault["reason"]) for fault in bad["faults"]] == [
        ("issued", "unparseable"),
        ("income", "out_of_range"),
        ("rate", "unparseable"),
    ]


def test_a_column_may_drop_bad_values_and_counts_them(tmp_path: Path) -> None:
    rows = [f"{i},2015-03-01,50000,{rate},36,Own,n,good,x" for i, rate in enumerate(["7", "x", "101", "%", "8"])]
    done = ingest([write(tmp_path / "a.csv", rows)], tmp_path / "out")
    assert done.accepted["rate"].to_list() == [7.0, None, None, None, 8.0]
    assert done.staged.nulled == {("rate", "out_of_range"): 1, ("rate", "unparseable"): 2}


def test_of_equal_keys_the_first_sound_row_wins(tmp_path: Path) -> None:
    rows = ["1,2015-03-01,-5,,,,,good,x", GOOD.format(id=1), GOOD.format(id=2), GOOD.format(id=1)]
    second = write(tmp_path / "b.csv", [GOOD.format(id=2), GOOD.format(id=3)])
    done = ingest([second, write(tmp_path / "a.csv", rows)], tmp_path / "out")
    assert done.accepted.select("number", "source_file", "source_line").rows() == [
        ("1", "a.csv", 3),
        ("2", "a.csv", 4),
        ("3", "b.csv", 3),
    ]
    assert done.quarantined.select("source_file", "source_line", "column", "reason").rows() == [
        ("a.csv", 2, "income", "out_of_range"),
        ("a.csv", 5, "number", "duplicate_key"),
        ("b.csv", 2, "number", "duplicate_key"),
    ]
    out_of_range, *duplicates = done.quarantined["message"]
    assert ("0" in out_of_range, "1e+07" in out_of_range) == (True, True)
    assert [message.rpartition(": ")[2] for message in duplicates] == ["a.csv line 3", "a.csv line 4"]


def test_all_unresolved_and_one_class_are_told(tmp_path: Path) -> None:
    open_loans = [GOOD.format(id=i).replace("good", "current") for i in range(3)]
    staged = ingest([write(tmp_path / "a.csv", open_loans)], tmp_path / "out").staged
    assert (staged.accepted, staged.resolved, staged.target_rate) == (3, 0, None)
    staged = ingest([write(tmp_path / "a.csv", _rows(3))], tmp_path / "out").staged
    assert (staged.accepted, staged.resolved, staged.target_rate) == (3, 3, 0.0)


def test_outcomes_need_key_and_target_only(tmp_path: Path) -> None:
    path = write(tmp_path / "o.csv", ["1,BAD", "2,good", "2,good", "3,", ",bad"], "id,status")
    done = ingest([path], tmp_path / "out", outcomes=True)
    assert done.accepted.select("number", "target").rows() == [("1", 1), ("2", 0), ("3", None)]
    assert done.reasons == [(4, "number", "duplicate_key"), (6, "number", "missing_required")]
    with pytest.raises(SourceError, match=r"lacks 1 required columns: target \(read from status"):
        ingest([write(tmp_path / "o.csv", ["1"], "id")], tmp_path / "out", outcomes=True)


def test_bytes_do_not_depend_on_threads_or_file_order(tmp_path: Path) -> None:
    rows = [f"{i},2015-03-01,{i}.5,{i % 90 + 1},36,Own,n,{'bad' if i % 7 else 'good'},x" for i in range(250_000)]
    rows[1000] = rows[1000].replace("Own", "Tent")
    files = [write(tmp_path / f"{name}.csv", part) for name, part in (("a", rows[:9]), ("b", rows[9:]))]
    seen: set[tuple[bytes, ...]] = set()
    for threads, order in ((1, files), (2, files), (4, files[::-1])):
        warehouse = Warehouse(DuckDbSession(threads, "400MB", tmp_path))
        done = ingest(order, tmp_path / "out", warehouse=warehouse)
        seen.add(tuple(path.read_bytes() for path in sorted(done.folder.glob("*.parquet"))))
        places = done.accepted.select("source_file", "source_line").rows()
        assert places == sorted(places)
        assert len(places) == len(rows) - 1
    assert len(seen) == 1
    assert not list(tmp_path.glob("warehouse-*"))


@pytest.mark.parametrize(
    ("places", "in_order"),
    [
        ([("a", 2), ("a", 3), ("b", 2)], True),
        ([("a", 3), ("a", 2), ("b", 2)], False),
        ([("b", 2), ("a", 2), ("a", 3)], False),
        ([("a", 2), ("b", 2), ("a", 3)], False),
        ([], True),
    ],
)
def test_lost_order_is_seen(tmp_path: Path, places: list[tuple[str, int]], in_order: bool) -> None:
    schema = {"source_file": pl.String, "source_line": pl.Int64}
    pl.DataFrame(places, schema=schema, orient="row").write_parquet(tmp_path / "rows.parquet")
    assert is_in_order(tmp_path / "rows.parquet") is in_order


def test_sql_of_the_contract_that_does_not_run_is_told(tmp_path: Path) -> None:
    columns = [dict(column) for column in BOOK["columns"]]
    columns[4]["sql"] = "no_such_function(term)"
    with pytest.raises(WarehouseError, match="no_such_function"):
        ingest([write(tmp_path / "a.csv", _rows(1))], tmp_path / "out", book(columns=columns))


def test_sql_of_the_contract_that_fails_on_a_row_refuses_the_row(tmp_path: Path) -> None:
    columns = [dict(column) for column in BOOK["columns"]]
    columns[4]["sql"] = "CAST(term AS INTEGER) * 12"
    rows = ["1,2015-03-01,5,,3,,,good,x", "2,2015-03-01,5,,three,,,good,x", "3,2015-03-01,5,,,,,good,x"]
    done = ingest([write(tmp_path / "a.csv", rows)], tmp_path / "out", book(columns=columns))
    assert done.accepted["term"].to_list() == [36, None]
    assert done.reasons == [(3, "term", "unparseable")]


def test_a_target_that_is_neither_0_nor_1_refuses_the_row(tmp_path: Path) -> None:
    contract = book(target={"sql": "CAST(status AS INTEGER)", "description": "1 is bad."})
    rows = [f"{i},2015-03-01,5,,3,,,{status},x" for i, status in enumerate(["1", "0", "", "2", "good"])]
    done = ingest([write(tmp_path / "a.csv", rows)], tmp_path / "out", contract)
    assert done.accepted["target"].to_list() == [1, 0, None]
    assert done.reasons == [(5, "target", "unparseable"), (6, "target", "unparseable")]
