"""Row rules mean the same in DuckDB, which reads files, and in Polars, which reads requests."""

from datetime import date
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from loan_platform.core.book.sql import columns_read
from loan_platform.core.rule_sql.engine_sql import engine_sql
from loan_platform.core.rule_sql.kinds import UnlikeError, unlike_issue

SCHEMA: dict[str, type[pl.DataType]] = {
    "a": pl.Float64,
    "b": pl.Float64,
    "i": pl.Int64,
    "j": pl.Int64,
    "d": pl.Date,
    "e": pl.Date,
    "t": pl.String,
    "u": pl.String,
    "f": pl.Boolean,
}
SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large, HealthCheck.large_base_example]
WHOLE = [0, 1, -1, 2, 3, 12, 36, 2**31, 2**53, -(2**53)]
VALUES = [0.0, -0.0, 1.0, -1.0, 0.1, 0.3, 3.0, 1e-300, 1e16, 1e200, 1e308, -1e308]
DATES = [date(1900, 1, 1), date(1999, 12, 31), date(2020, 1, 31), date(2020, 2, 29), date(2100, 12, 31)]
TEXTS = ["", "a", "A", "ab", "é", "z", "it's"]
LITERALS = ["0", "1", "3", "0.1", "0.30000000000000004", "36", "2147483648", "1e10", "99999999999999999999"]

FLOATS = st.one_of(st.sampled_from(VALUES), st.floats(allow_nan=False, allow_infinity=False))
WHOLES = st.one_of(st.sampled_from(WHOLE), st.integers(-(2**53), 2**53))
CELLS: dict[type[pl.DataType], SearchStrategy[object]] = {
    pl.Float64: FLOATS,
    pl.Int64: WHOLES,
    pl.Date: st.sampled_from(DATES),
    pl.String: st.sampled_from(TEXTS),
    pl.Boolean: st.booleans(),
}
ROWS = st.lists(st.fixed_dictionaries({n: st.none() | CELLS[kind] for n, kind in SCHEMA.items()}), min_size=1)

numbers = st.deferred(lambda: st.one_of(st.sampled_from(["a", "b", "i", "j"]), st.sampled_from(LITERALS), COMPUTED))
dates = st.one_of(
    st.sampled_from(["d", "e"]),
    st.sampled_from(DATES).map("DATE '{}'".format),
    st.just("GREATEST(d, e)"),
    st.just("COALESCE(e, d)"),
)
texts = st.one_of(st.sampled_from(["t", "u"]), st.sampled_from(["'a'", "'it''s'"]), st.just("COALESCE(t, u)"))
comparisons = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
conditions = st.deferred(lambda: st.one_of(COMPARED, COMPARED, JOINED))


def filled(form: str, *parts: SearchStrategy[str]) -> SearchStrategy[str]:
    return st.tuples(*parts).map(lambda found: form.format(*found))


COMPUTED = st.one_of(
    filled("({} {} {})", numbers, st.sampled_from("+-*/"), numbers),
    filled("(-{})", numbers),
    filled("ABS({})", numbers),
    filled("COALESCE({}, {})", numbers, numbers),
    filled("NULLIF({}, {})", numbers, numbers),
    filled("GREATEST({}, {}, {})", numbers, numbers, numbers),
    filled("LEAST({}, {})", numbers, numbers),
    filled("CASE WHEN {} THEN {} ELSE {} END", conditions, numbers, numbers),
    filled("CASE WHEN {} THEN {} END", conditions, numbers),
    filled("EXTRACT({} FROM {})", st.sampled_from(["YEAR", "MONTH", "DAY"]), dates),
)
COMPARED = st.one_of(
    filled("{} {} {}", numbers, comparisons, numbers),
    filled("{} {} {}", dates, comparisons, dates),
    filled("{} {} {}", texts, comparisons, texts),
    filled("{} BETWEEN {} AND {}", numbers, numbers, numbers),
    filled("{} NOT BETWEEN {} AND {}", dates, dates, dates),
    filled("{} IN (0, -1, 36, 0.1)", numbers),
    filled("{} NOT IN ('a', 'z')", texts),
    filled("{} IN (DATE '2020-01-31', DATE '1900-01-01')", dates),
    filled("{} IS NULL", numbers),
    filled("{} IS NOT NULL", texts),
    st.sampled_from(["f", "f = TRUE", "f <> (a > b)"]),
)
JOINED = st.one_of(
    filled("({} AND {})", conditions, conditions),
    filled("({} OR {})", conditions, conditions),
    filled("NOT ({})", conditions),
)


def decided(sql: str, rows: pl.DataFrame) -> tuple[list[bool | None], list[bool | None]]:
    """What DuckDB finds, and what Polars finds as in `FeatureSet`: numbers are floats, below the rows are nulls."""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("loans", rows.to_arrow())
        found = connection.execute(f"SELECT {engine_sql(sql, SCHEMA, 'duckdb')} FROM loans").fetchall()
    read: Any = {**SCHEMA, "i": pl.Float64}  # j stays whole, as where a category reads it
    frame = rows.cast(read).vstack(pl.DataFrame({name: [None, None] for name in SCHEMA}, schema=read))
    decision = frame.with_columns(decided=pl.sql_expr(engine_sql(sql, read, "polars")))["decided"]
    return [row[0] for row in found], decision.to_list()[:-2]


@settings(max_examples=200, deadline=None, suppress_health_check=SLOW)
@given(conditions, ROWS)
def test_both_engines_decide_every_row_alike(sql: str, rows: list[dict[str, object]]) -> None:
    assume(columns_read(sql) and unlike_issue(sql, SCHEMA) is None)  # else it computes with literals alone
    in_files, in_requests = decided(sql, pl.DataFrame(rows, schema=SCHEMA))
    assert in_requests == in_files


@pytest.mark.parametrize(
    ("sql", "named", "instead"),
    [
        ("a // i <= 50", "`a // i`", "`a / b >= 2`"),
        ("i % 2 = 0", "`i % 2`", "term IN"),
        ("CAST(a AS INTEGER) = 2", "`CAST(a AS INT)`", "without a CAST"),
        ("ROUND(a) = 2", "`ROUND(a)`", "tolerance"),
        ("t LIKE 'a%'", "`t LIKE 'a%'`", "Use comparisons"),
        ("d >= '2020-01-31'", "the text `'2020-01-31'`", "DATE '2020-01-31'"),
        ("d - e > 30", "`d`", "Use comparisons"),
        ("0.1 * 3 <= a", "`0.1 * 3`", "Write its result"),
        ("a > 1 AND b", "`b`", "Use comparisons"),
        ("i IN (j, 1)", "`i IN (j, 1)`", "Write values"),
        ("a > 1 IS TRUE", "IS TRUE", "IS NULL"),
        ("a / -0 < 1", "divides by zero", "another divisor"),
        ("a < 1e400", "`1e400`", "smaller"),
    ],
)
def test_what_the_engines_may_read_differently_is_named(sql: str, named: str, instead: str) -> None:
    issue = unlike_issue(sql, SCHEMA)
    assert issue is not None
    assert issue.code == "engines_differ"
    assert named in issue.message
    assert instead in issue.hint
    with pytest.raises(UnlikeError):
        engine_sql(sql, SCHEMA, "duckdb")


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("i * j > 0", True),  # beyond 64 bits
        ("i / 3 * 3 = i", True),
        ("EXTRACT(MONTH FROM d) * 30 = 360", True),  # beyond 8 bits
        ("CASE WHEN f THEN 2000000000 ELSE 0 END * 2 > 0", True),  # beyond 32 bits
        ("1 / LEAST(a, b) > 0", True),  # 0 and -0
        ("1 / (0 - a) > 0", True),
        ("GREATEST(a / b, 1) <= 1", True),  # 0 / 0
    ],
)
def test_numbers_do_not_overflow_and_zero_has_no_sign(sql: str, found: bool) -> None:
    row = {"a": 0.0, "b": -0.0, "i": 2**53, "j": 2**53, "d": date(1999, 12, 31), "f": True}
    assert decided(sql, pl.DataFrame([row], schema=SCHEMA)) == ([found], [found])
