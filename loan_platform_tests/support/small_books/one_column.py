"""One column staged: what the compiled SQL reads of texts, or refuses."""

from collections.abc import Sequence
from typing import Any

import duckdb

from loan_platform.core.book.parts.columns import Column
from loan_platform.core.book.sql import quote_literal
from loan_platform.core.staging.table import Table
from loan_platform.core.staging.typed_rows import accepted_sql, faults_sql, profile_sql, suspect_sql, typed_sql


def table_of(**column: Any) -> Table:
    """A table of one column `x`."""
    return Table(
        columns=(Column(name="x", description="A column.", **column),),
        key=("key",),
        event_date=None,
        target=None,
        target_required=False,
        missing=("", "NA", "n/a"),
    )


def staged(table: Table, texts: Sequence[str | None]) -> list[Any]:
    """For each text its value, or the reason of its fault."""
    values = ", ".join(f"({i}, 'f.csv', {i}, {'NULL' if t is None else quote_literal(t)})" for i, t in enumerate(texts))
    raw = f"(SELECT * FROM (VALUES {values}) AS raw(__row, source_file, source_line, x))"
    typed = typed_sql(table, raw, {})
    rows = duckdb.execute(
        f"SELECT {accepted_sql(table, frozenset())}, ({suspect_sql(table)}) IS true, {faults_sql(table)} "
        f"FROM ({typed}) ORDER BY __row"
    ).fetchall()
    clean = duckdb.execute(profile_sql(table, raw, {})).fetchall()[0][0]
    found = [row[-1][0]["reason"] if row[-1] else row[0] for row in rows]
    assert [bool(row[-1]) for row in rows] == [row[-2] for row in rows], "suspects are the rows with faults"
    assert not (clean and any(row[-1] for row in rows)), "a clean column has no fault"
    if clean:
        fast = typed_sql(table, raw, {}, frozenset("x"))
        rows = duckdb.execute(f"SELECT v0 FROM ({fast}) ORDER BY __row").fetchall()
        assert [row[0] for row in rows] == found, "the fast path of a clean column gives the same"
    return found
