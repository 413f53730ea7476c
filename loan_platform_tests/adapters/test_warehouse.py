"""Raw files become raw Parquet, typed rows and quarantined rows; whatever the file, the rows reconcile."""

import gzip
from pathlib import Path

import polars as pl
import pytest

from loan_platform.adapters.csv_bytes import CHUNK_BYTES, MAX_RECORD_BYTES
from loan_platform.adapters.duckdb_session import DuckDbSession, WarehouseError
from loan_platform.adapters.ordered_parquet import _in_order
from loan_platform.adapters.sources import SourceError
from loan_platform.adapters.warehouse import Warehouse
from loan_platform.core.policies import Source
from loan_platform_tests.ingest import BOOK, GOOD, HEADER, book, ingest, write


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


def test_columns_that_the_contract_does_not_read_never_leave_the_file(tmp_path: Path) -> None:
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
        ('1,2015-03-01,50000,11.5,36,O"w"n,n,good,x', None, "a quote stands inside a value"),
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
        ("1,2015-03-01,NaN,11.5,36,Own,n,good,x", "unparseable", "income is not a number"),
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
    assert done.quarantined.select("source_file", "source_line", "reason", "message").rows() == [
        ("a.csv", 2, "out_of_range", "income is below 0 or above 1e+07"),
        ("a.csv", 5, "duplicate_key", "number is that of an earlier row: a.csv line 3"),
        ("b.csv", 2, "duplicate_key", "number is that of an earlier row: a.csv line 4"),
    ]


def test_fractions_become_percent_for_each_file_and_column(tmp_path: Path) -> None:
    def rates(values: list[str], start: int) -> list[str]:
        return [f"{start + i},2015-03-01,1,{value},36,Own,n,good,x" for i, value in enumerate(values)]

    fractions = write(tmp_path / "fractions.csv", rates(["0.1122", "0.5", "0", "12%", "1"], 0))
    percents = write(tmp_path / "percents.csv", rates(["11.22", "0.5", " 12.5%", "99"], 10))
    done = ingest([fractions, percents], tmp_path / "out")
    assert done.accepted["rate"].to_list() == [11.22, 50.0, 0.0, 12.0, 100.0, 11.22, 0.5, 12.5, 99.0]
    assert done.staged.fractions == (("fractions.csv", "rate"),)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_line_ends_and_byte_order_mark(tmp_path: Path, end: str, start: str) -> None:
    text = start + end.join([HEADER, *_rows(3)])
    done = ingest([_bytes(tmp_path / "a.csv", text.encode())], tmp_path / "out")
    assert done.accepted["source_line"].to_list() == [2, 3, 4]
    assert done.accepted["number"].to_list() == ["0", "1", "2"]


def test_mixed_line_ends_count_as_lines(tmp_path: Path) -> None:
    ends = ["\n", "\r\n", "\r", "\n", "\r\n", "\r"]
    text = "".join(row + end for row, end in zip([HEADER, *_rows(5)], ends, strict=True))
    done = ingest([_bytes(tmp_path / "a.csv", text.encode())], tmp_path / "out")
    assert done.accepted["source_line"].to_list() == [2, 3, 4, 5, 6]


def test_crlf_on_the_border_of_two_chunks_is_one_line_end(tmp_path: Path) -> None:
    head = (HEADER + "\r\n").encode()
    row = (GOOD.format(id=1) + "\r\n").encode()
    fill = row[:-3] + b"x" * (CHUNK_BYTES - len(head) - len(row) - 1000) + b"\r\n"
    first = head + row + fill
    pad = CHUNK_BYTES - len(first) - len(row) + 1
    data = first + row[:-3] + b"y" * (pad + 1) + b"\r\n" + row
    assert data[CHUNK_BYTES - 1 : CHUNK_BYTES + 1] == b"\r\n"
    done = ingest([_bytes(tmp_path / "a.csv", data)], tmp_path / "out")
    assert done.staged.rows_in == 4
    assert done.reasons == [
        (3, "number", "duplicate_key"),
        (4, "number", "duplicate_key"),
        (5, "number", "duplicate_key"),
    ]


def test_a_value_may_hold_line_ends_quotes_and_delimiters(tmp_path: Path) -> None:
    rows = [
        GOOD.format(id=1),
        '2,2015-03-01,50000,11.5,36,Own,n,good,"said ""no, sir"""',
        '3,2015-03-01,50000,11.5,36,Own,n,good,"first',
        "",
        'last, line"',
        GOOD.format(id=4),
    ]
    done = ingest([write(tmp_path / "a.csv", rows)], tmp_path / "out")
    assert done.accepted.select("number", "source_line").rows() == [("1", 2), ("2", 3), ("3", 4), ("4", 7)]


def test_an_open_quote_costs_one_row_only(tmp_path: Path) -> None:
    rows = _rows(500)
    for i in (3, 250, 499):
        rows[i] = rows[i].replace(",x", ',"x')
    done = ingest([write(tmp_path / "a.csv", rows)], tmp_path / "out")
    assert done.reasons == [(5, None, "structural"), (252, None, "structural"), (501, None, "structural")]
    assert done.staged.accepted == 497


def test_a_quote_closed_on_the_next_line_makes_one_bad_record(tmp_path: Path) -> None:
    rows = [*_rows(2), GOOD.format(id=3).replace(",Own", ',"Own'), '"', GOOD.format(id=4)]
    done = ingest([write(tmp_path / "a.csv", rows)], tmp_path / "out")
    assert done.quarantined.select("source_line", "message").rows() == [(4, "6 fields where the header has 9")]
    assert done.accepted["source_line"].to_list() == [2, 3, 6]


def test_notes_above_the_header_and_a_footer(tmp_path: Path) -> None:
    lines = ["Notes offered by Prospectus, see our site", "", HEADER, *_rows(2), "", "Total amount funded: 7"]
    done = ingest([_bytes(tmp_path / "a.csv", "\n".join(lines).encode())], tmp_path / "out")
    assert done.read.files[0].header_line == 3
    assert done.accepted["source_line"].to_list() == [4, 5]
    assert done.reasons == [(7, None, "structural")]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters_quoted_names_and_blank_names(tmp_path: Path, delimiter: str) -> None:
    header = delimiter.join(["", *(f'" {name.upper()}"' for name in HEADER.split(",")), ""])
    rows = [delimiter.join(["0", *GOOD.format(id=i).split(","), ""]) for i in range(3)]
    done = ingest([write(tmp_path / "a.csv", rows, header)], tmp_path / "out")
    assert done.read.files[0].delimiter == delimiter
    assert done.accepted["number"].to_list() == ["0", "1", "2"]


def test_a_record_that_is_not_utf8_is_quarantined(tmp_path: Path) -> None:
    data = "\n".join([HEADER, *_rows(2)]).encode() + b"\n3,2015-03-01,50000,11.5,36,Own,n,good,caf\xe9\n"
    done = ingest([_bytes(tmp_path / "a.csv", data)], tmp_path / "out")
    assert done.reasons == [(4, None, "structural")]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is empty"),
        (b"\n\n", "has no header"),
        (HEADER.encode(), "has a header and no rows"),
        ((HEADER + "\n\n\n").encode(), "has a header and no rows"),
        ("\n".join(_rows(5)).encode(), "has no header"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "is a binary file"),
        (bytes(range(1, 256)) * 300, "is a binary file"),
        ("\n".join([HEADER, *_rows(3)]).encode("utf-16"), "is UTF-16"),
        ("\n".join([HEADER, *_rows(3)]).encode("utf-16-le"), "is UTF-16"),
        (b"PK\x03\x04" + b"x" * 100, "packed with zip"),
        (b"PAR1" + b"x" * 100, "no readable Parquet"),
        ((HEADER + ",id\n").encode(), "several columns of the same name: id"),
        ((HEADER + ",caf\xe9\n").encode("latin-1"), "header that is not UTF-8"),
        ((HEADER + ",ID\n").encode(), "several columns of the same name: id"),
        ((HEADER.replace("income", "yearly_income") + "\n").encode(), "income \\(closest: yearly_income"),
        (gzip.compress(b"x" * 1000)[:-9], "cut short"),
        (gzip.compress(b"x" * 1000)[:-8] + bytes(8), "damaged gzip"),
        (b"\x1f\x8b" + b"x" * 100, "damaged gzip"),
        (b"x" * 3_000_000, "has no header"),
        (("\n".join([HEADER] + ["1,2"] * 2998)).encode(), "2,9.. of 2,9.. lines do not fit the header"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_clear_error(tmp_path: Path, data: bytes, problem: str) -> None:
    with pytest.raises(SourceError, match=problem) as caught:
        ingest([_bytes(tmp_path / "a.csv", data)], tmp_path / "out")
    assert caught.value.file == "a.csv"
    assert caught.value.remedy


def test_limits_on_rows_and_on_unpacked_bytes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", _rows(100))
    with pytest.raises(SourceError, match="more than the allowed 99 rows"):
        ingest([path], tmp_path / "out", source=Source(path="-", max_rows=99))
    assert ingest([path], tmp_path / "out", source=Source(path="-", max_rows=100)).staged.accepted == 100
    bomb = _bytes(tmp_path / "bomb.csv.gz", gzip.compress(HEADER.encode() + b"\n1,2,3,4,5,6,7,8,9" * 3_000_000))
    with pytest.raises(SourceError, match="more than the allowed 10,000,000 bytes when unpacked"):
        ingest([bomb], tmp_path / "out", source=Source(path="-", max_bytes=10_000_000))


def test_files_with_different_columns_are_united(tmp_path: Path) -> None:
    short = write(tmp_path / "short.csv", ["1,2015-03-01,5"], "id,issued,income")
    packed = tmp_path / "long.csv.gz"
    packed.write_bytes(gzip.compress("\n".join([HEADER, GOOD.format(id=2)]).encode()))
    done = ingest([short, packed], tmp_path / "out")
    assert done.accepted.select("number", "term", "target", "source_file").rows() == [
        ("2", 36, 0, "long.csv.gz"),
        ("1", None, None, "short.csv"),
    ]
    assert done.staged.missing_optional == ("rate", "term", "home", "joint")
    assert {file.name: file.missing for file in done.read.files}["long.csv.gz"] == ()


def test_files_of_the_same_name_keep_their_folder(tmp_path: Path) -> None:
    files = [write(tmp_path / folder / "loans.csv", [GOOD.format(id=folder)]) for folder in ("b", "a")]
    done = ingest(files, tmp_path / "out")
    assert done.accepted["source_file"].to_list() == ["a/loans.csv", "b/loans.csv"]


def test_parquet_is_read_like_csv(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "id": [1, 2, 3],
            "Issued": pl.Series(["2015-03-01"] * 3).str.to_date(),
            "income": [5.5, float("nan"), 7.0],
            "rate": [0.1, 0.2, 0.3],
            "home": ["Own", "NA", "Rent"],
            "note": ["CANARY"] * 3,
        }
    )
    frame.write_parquet(tmp_path / "[a]*.parquet")
    done = ingest([tmp_path / "[a]*.parquet"], tmp_path / "out")
    assert done.accepted.select("number", "income", "rate", "home", "source_line").rows() == [
        ("1", 5.5, 10.0, "Own", 1),
        ("3", 7.0, 30.0, "Rent", 3),
    ]
    assert done.reasons == [(2, "income", "unparseable")]
    assert "CANARY" not in str(done.raw.rows())


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
    rows = [f"{i},2015-03-01,{i}.5,{i % 90 + 1},36,Own,n,{'bad' if i % 7 else 'good'},x" for i in range(300_000)]
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
    assert _in_order(tmp_path / "rows.parquet") is in_order


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
