"""What the compiled SQL of a table reads, and what it asks of a file."""

from dataclasses import replace

import duckdb

from loan_platform.core.book.parts.columns import Column
from loan_platform.core.staging.table import Table
from loan_platform.core.staging.typed_rows import accepted_sql, typed_sql
from loan_platform_tests.support.ingest import book
from loan_platform_tests.support.small_books.one_column import staged, table_of


def test_range_is_closed_and_nan_is_not_inside() -> None:
    table = table_of(type="number", minimum=0, maximum=10)
    assert staged(table, ["0", "10"]) == [0.0, 10.0]
    assert staged(table, ["-0.01", "10.01", "nan"]) == ["out_of_range", "out_of_range", "unparseable"]
    assert staged(table_of(type="number", minimum=0, on_invalid="null"), ["-1", "1"])[1] == 1.0


def test_texts_are_as_long_as_the_contract_allows() -> None:
    assert staged(table_of(type="text"), ["é" * 1_000, "é" * 1_001]) == ["é" * 1_000, "out_of_range"]
    assert staged(table_of(type="text", max_length=2), [" ab ", "abc"]) == ["ab", "out_of_range"]
    assert staged(table_of(type="text", max_length=2, on_invalid="null"), ["ab", "abc"])[0] == "ab"
    key = replace(table_of(type="text"), key=("x",))
    assert staged(key, ["k" * 128, "k" * 129]) == ["k" * 128, "out_of_range"]


def test_required() -> None:
    table = table_of(type="number", required=True)
    assert staged(table, ["1", "", "NA", None, "x"]) == [1.0, *["missing_required"] * 3, "unparseable"]


def test_outcomes_read_key_and_target_only() -> None:
    table = Table.from_contract(book(), outcomes=True)
    assert [column.name for column in table.columns] == ["number"]
    assert table.raw_columns == {"id", "status"}
    assert table.missing_required(frozenset({"id"})) == {"target": frozenset({"status"})}


def test_raw_columns_may_have_the_names_that_staging_uses() -> None:
    target = book(target={"sql": "CASE target WHEN 'bad' THEN 1 ELSE 0 END", "description": "Bad."}).target
    columns = (
        Column(name="x", description="-", type="text", sql='"key"'),
        Column(name="v0", description="-", type="text"),
    )
    table = replace(table_of(type="text"), columns=columns, target=target)
    raw = "(SELECT 0 AS __row, 'f' AS source_file, 2 AS source_line, 'a' AS key, 'b' AS v0, 'bad' AS target, 'c' AS s0)"
    query = f"SELECT {accepted_sql(table, frozenset())} FROM ({typed_sql(table, raw, {})})"
    assert duckdb.execute(query).fetchall() == [("a", "b", 1, "f", 2)]


def test_what_a_file_must_have() -> None:
    table = Table.from_contract(book())
    assert set(table.missing_required(frozenset())) == {"number", "issued", "income"}
    assert table.missing_optional(frozenset({"id", "issued", "income", "term"})) == ("rate", "home", "joint")


def test_a_target_is_not_rounded() -> None:
    target = book(target={"sql": "status", "description": "Bad."}).target
    table = replace(table_of(type="text"), target=target)
    given = ["0", "1", "1.0", None, "0.6", "1.4", "0_1", "bad"]
    rows = ", ".join(f"({i}, 'f', {i}, 'a', {'NULL' if g is None else repr(g)})" for i, g in enumerate(given))
    raw = f"(FROM (VALUES {rows}) AS r(__row, source_file, source_line, x, status))"
    found = duckdb.execute(f"SELECT target, target_failed FROM ({typed_sql(table, raw, {})}) ORDER BY __row").fetchall()
    assert found == [(0, False), (1, False), (1, False), (None, False), *[(None, True)] * 4]
