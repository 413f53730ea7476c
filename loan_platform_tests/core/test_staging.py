"""Each type's parser, and what the compiled SQL reads and refuses."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import duckdb
import pytest

from loan_platform.core.contract import Column
from loan_platform.core.parsing import quoted
from loan_platform.core.staging import accepted_sql, faults_sql, fractions_sql, profile_sql, suspect_sql, typed_sql
from loan_platform.core.table import Table
from loan_platform_tests.ingest import book


def _table(**column: Any) -> Table:
    return Table(
        columns=(Column(name="x", description="A column.", **column),),
        key=("key",),
        event_date=None,
        target=None,
        target_required=False,
        missing=("", "NA", "n/a"),
    )


def _run(table: Table, texts: Sequence[str | None], fractions: dict[str, frozenset[str]] | None = None) -> list[Any]:
    """For each text its value, or the reason of its fault."""
    values = ", ".join(f"({i}, 'f.csv', {i}, {'NULL' if t is None else quoted(t)})" for i, t in enumerate(texts))
    raw = f"(SELECT * FROM (VALUES {values}) AS raw(__row, source_file, source_line, x))"
    typed = typed_sql(table, raw, fractions or {})
    rows = duckdb.execute(
        f"SELECT {accepted_sql(table, frozenset())}, ({suspect_sql(table)}) IS true, {faults_sql(table)} "
        f"FROM ({typed}) ORDER BY __row"
    ).fetchall()
    clean = duckdb.execute(profile_sql(table, raw, fractions or {})).fetchall()[0][0]
    found = [row[-1][0]["reason"] if row[-1] else row[0] for row in rows]
    assert [bool(row[-1]) for row in rows] == [row[-2] for row in rows], "suspects are the rows with faults"
    assert not (clean and any(row[-1] for row in rows)), "a clean column has no fault"
    if clean:
        fast = typed_sql(table, raw, fractions or {}, frozenset("x"))
        rows = duckdb.execute(f"SELECT v0 FROM ({fast}) ORDER BY __row").fetchall()
        assert [row[0] for row in rows] == found, "the fast path of a clean column gives the same"
    return found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12.0),
        (" 12.50 ", 12.5),
        ("-3", -3.0),
        ("1e3", 1000.0),
        ("$1,234,567.89", 1234567.89),
        ("$ 50", 50.0),
        ("-$5", -5.0),
        ("7%", 7.0),
        ("NA", None),
        (" n/a ", None),
        ("  ", None),
        (None, None),
        ("12,5", "unparseable"),
        ("1,23", "unparseable"),
        ("1.234,56", "unparseable"),
        ("1 234", "unparseable"),
        ("1.2.3", "unparseable"),
        ("NaN", "unparseable"),
        ("inf", "unparseable"),
        ("-Infinity", "unparseable"),
        ("1e400", "unparseable"),
        ("0x10", "unparseable"),
        ("=1+1", "unparseable"),
        ("true", "unparseable"),
        ("$", "unparseable"),
        ("١٢", "unparseable"),
    ],
)
def test_number(text: str | None, value: object) -> None:
    assert _run(_table(type="number"), [text]) == [value]
    assert _run(_table(type="number"), ["5", text, "6"]) == [5.0, value, 6.0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("36", 36),
        ("6000.0", 6000),
        ("1e3", 1000),
        ("1,000", 1000),
        (" 7 ", 7),
        ("", None),
        ("36.5", "unparseable"),
        ("1e300", "unparseable"),
        ("NaN", "unparseable"),
        ("40_", "unparseable"),
        ("36 months", "unparseable"),
    ],
)
def test_integer(text: str, value: object) -> None:
    found = _run(_table(type="integer"), [text, "1"])
    assert found == [value, 1]
    assert type(found[1]) is int


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2014-06-19", date(2014, 6, 19)),
        ("2014/06/19", date(2014, 6, 19)),
        ("Jun-2014", date(2014, 6, 1)),
        ("JUN-2014", date(2014, 6, 1)),
        ("2006-05-23 05:00", date(2006, 5, 23)),
        ("2006-05-23 05:00:01", date(2006, 5, 23)),
        ("2006-05-23T05:00:01Z", date(2006, 5, 23)),
        ("5-Jan-15", date(2015, 1, 5)),
        ("05-Jan-2015", date(2015, 1, 5)),
        ("Dec-11", date(2011, 12, 1)),
        ("Jan-29", date(2029, 1, 1)),
        ("Jan-30", date(1930, 1, 1)),
        ("Jan-62", date(1962, 1, 1)),
        ("Jan-1900", date(1900, 1, 1)),
        ("2016-02-29", date(2016, 2, 29)),
        ("2100-12-31", date(2100, 12, 31)),
        ("", None),
        ("Jan-0000", "unparseable"),
        ("Feb-30-2015", "unparseable"),
        ("2015-02-29", "unparseable"),
        ("2015-13-01", "unparseable"),
        ("01/02/2015", "unparseable"),
        ("1899-12-31", "unparseable"),
        ("2101-01-01", "unparseable"),
        ("epoch", "unparseable"),
        ("infinity", "unparseable"),
        ("42005", "unparseable"),
        ("now", "unparseable"),
    ],
)
def test_date(text: str, value: object) -> None:
    assert _run(_table(type="date"), [text]) == [value]
    assert _run(_table(type="date"), ["Mar-2001", text]) == [date(2001, 3, 1), value]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12,5", 12.5),
        ("1.234,56", 1234.56),
        ("1.234.567", 1234567.0),
        ("1.234", 1234.0),
        (" -3,25 ", -3.25),
        ("12", 12.0),
        ("1,5e3", 1500.0),
        ("$ 1.000,50", 1000.5),
        ("7,5%", 7.5),
        ("NA", None),
        ("", None),
        ("12.5", "unparseable"),
        ("1.23", "unparseable"),
        ("1,234.56", "unparseable"),
        ("1.234,5.6", "unparseable"),
        ("1,2,3", "unparseable"),
        ("12.5,0", "unparseable"),
        ("1e400", "unparseable"),
        ("NaN", "unparseable"),
        (".", "unparseable"),
    ],
)
def test_number_with_a_decimal_comma(text: str, value: object) -> None:
    assert _run(_table(type="number", decimal=","), [text]) == [value]
    assert _run(_table(type="number", decimal=","), ["5,5", text, "6"]) == [5.5, value, 6.0]


@pytest.mark.parametrize(
    ("text", "value"),
    [("36", 36), ("6.000", 6000), ("36,0", 36), ("36,5", "unparseable"), ("36.0", "unparseable"), ("1,000", 1)],
)
def test_integer_with_a_decimal_comma(text: str, value: object) -> None:
    found = _run(_table(type="integer", decimal=","), [text, "1"])
    assert found == [value, 1]
    assert type(found[1]) is int


def test_percent_with_a_decimal_comma() -> None:
    texts = ["11,22", " 11,22%", "1.011,5 %", "0,5", "11.22", "11.22%"]
    found = _run(_table(type="percent", decimal=","), texts)
    assert found == [11.22, 11.22, 1011.5, 0.5, "unparseable", "unparseable"]


def test_percent_with_a_decimal_comma_of_a_file_of_fractions() -> None:
    table = _table(type="percent", decimal=",")
    assert _run(table, ["0,1122", "12%", "1,19"], {"x": frozenset({"f.csv"})}) == [11.22, 12.0, 119.0]
    query = fractions_sql(table, "(SELECT 'f.csv' AS source_file, unnest(['0,1', '0,9', '50%', NULL]) AS x)")
    assert query is not None
    assert duckdb.execute(query).fetchall() == [("f.csv", True)]


@pytest.mark.parametrize(
    ("date_format", "text", "value"),
    [
        ("%d.%m.%Y", "19.06.2014", date(2014, 6, 19)),
        ("%d.%m.%Y", "1.2.2014", date(2014, 2, 1)),
        ("%d.%m.%Y", " 01.02.2014 ", date(2014, 2, 1)),
        ("%m/%d/%Y", "01/02/2014", date(2014, 1, 2)),
        ("%d/%m/%Y %H:%M", "01/02/2014 13:30", date(2014, 2, 1)),
        ("%Y%m%d", "20140619", date(2014, 6, 19)),
        ("%d.%m.%y", "19.06.14", date(2014, 6, 19)),
        ("%d.%m.%y", "19.06.29", date(2029, 6, 19)),
        ("%d.%m.%y", "19.06.30", date(1930, 6, 19)),
        ("%d.%m.%Y", "", None),
        ("%d.%m.%Y", "NA", None),
        ("%d.%m.%Y", "01.01.1900", date(1900, 1, 1)),
        ("%d.%m.%Y", "31.02.2014", "unparseable"),
        ("%d.%m.%Y", "06.19.2014", "unparseable"),
        ("%d.%m.%Y", "19.06.14", "unparseable"),
        ("%d.%m.%Y", "2014-06-19", "unparseable"),
        ("%d.%m.%Y", "Jun-2014", "unparseable"),
        ("%d.%m.%Y", "Dec-11", "unparseable"),
        ("%d.%m.%Y", "01.01.1899", "unparseable"),
        ("%d.%m.%Y", "epoch", "unparseable"),
        ("%d.%m.%y", "infinity", "unparseable"),
    ],
)
def test_date_in_its_own_format_only(date_format: str, text: str, value: object) -> None:
    table = _table(type="date", date_format=date_format)
    assert _run(table, [text]) == [value]
    good = date(2001, 3, 1)
    assert _run(table, [good.strftime(date_format), text]) == [good, value]


@pytest.mark.parametrize(
    ("text", "value"),
    [("Y", True), ("no", False), ("TRUE", True), ("0.0", False), (" f ", False), ("", None), ("2", "unparseable")],
)
def test_boolean(text: str, value: object) -> None:
    assert _run(_table(type="boolean"), [text]) == [value]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Fully Paid", "Fully Paid"),
        (" fully  PAID ", "Fully Paid"),
        ("It's late", "It's late"),
        ("NA", None),
        ("FullyPaid", "unknown_category"),
    ],
)
def test_category(text: str, value: object) -> None:
    assert _run(_table(type="text", allowed=("Fully Paid", "It's late")), [text]) == [value]


def test_percent_with_and_without_sign() -> None:
    texts = ["11.22", " 11.22%", "11.22 %", "0.5", "-1", "1e400", "%"]
    faults = ["unparseable", "unparseable"]
    assert _run(_table(type="percent"), texts) == [11.22, 11.22, 11.22, 0.5, -1.0, *faults]


def test_percent_of_a_file_of_fractions() -> None:
    files = {"x": frozenset({"f.csv"})}
    assert _run(_table(type="percent"), ["0.1122", "0.537", "12%", "1.19", "0"], files) == [
        11.22,
        53.7,
        12.0,
        119.0,
        0.0,
    ]
    assert _run(_table(type="percent"), ["0.1122"], {"x": frozenset({"other.csv"})}) == [0.1122]
    assert _run(_table(type="percent", maximum=100), ["1.19", "0.9"], files) == ["out_of_range", 90.0]


def test_range_is_closed_and_nan_is_not_inside() -> None:
    table = _table(type="number", minimum=0, maximum=10)
    assert _run(table, ["0", "10"]) == [0.0, 10.0]
    assert _run(table, ["-0.01", "10.01", "nan"]) == ["out_of_range", "out_of_range", "unparseable"]
    assert _run(_table(type="number", minimum=0, on_invalid="null"), ["-1", "1"])[1] == 1.0


def test_required() -> None:
    table = _table(type="number", required=True)
    assert _run(table, ["1", "", "NA", None, "x"]) == [1.0, *["missing_required"] * 3, "unparseable"]


def test_outcomes_read_key_and_target_only() -> None:
    table = Table.of(book(), outcomes=True)
    assert [column.name for column in table.columns] == ["number"]
    assert table.raw_columns == {"id", "status"}
    assert table.missing_required(frozenset({"id"})) == {"target": frozenset({"status"})}


def test_raw_columns_may_have_the_names_that_staging_uses() -> None:
    target = book(target={"sql": "CASE target WHEN 'bad' THEN 1 ELSE 0 END", "description": "Bad."}).target
    columns = (
        Column(name="x", description="-", type="text", sql='"key"'),
        Column(name="v0", description="-", type="text"),
    )
    table = replace(_table(type="text"), columns=columns, target=target)
    raw = "(SELECT 0 AS __row, 'f' AS source_file, 2 AS source_line, 'a' AS key, 'b' AS v0, 'bad' AS target, 'c' AS s0)"
    query = f"SELECT {accepted_sql(table, frozenset())} FROM ({typed_sql(table, raw, {})})"
    assert duckdb.execute(query).fetchall() == [("a", "b", 1, "f", 2)]


def test_what_a_file_must_have() -> None:
    table = Table.of(book())
    assert set(table.missing_required(frozenset())) == {"number", "issued", "income"}
    assert table.missing_optional(frozenset({"id", "issued", "income", "term"})) == ("rate", "home", "joint")
