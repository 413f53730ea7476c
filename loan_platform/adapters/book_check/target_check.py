"""Check the target's SQL on the first rows of the loans."""

from collections import Counter
from dataclasses import replace

import duckdb
import polars as pl

from loan_platform.adapters.book_check.findings import Findings
from loan_platform.adapters.sources.sample import Sample
from loan_platform.adapters.sources.sql_check import empty_rows
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.sql import quote_identifier
from loan_platform.core.errors import Issue
from loan_platform.core.staging.table import Table
from loan_platform.core.staging.typed_rows import typed_sql

_HINT = "Compare the SQL with the values of the columns that it reads."


def check_target(contract: Contract, samples: list[Sample]) -> Findings:
    """Check that the target has defaults and repaid loans.

    A constant target is an issue if the samples have all rows of the files; otherwise it is a note.

    Args:
        contract: with the target.
        samples: the first rows of each file of the loans.
    """
    found = Findings()
    table, rows = _target_rows(contract, samples)
    values = _values(table, rows)
    if values is None or not rows.height:
        return found
    whole = all(sample.whole for sample in samples)
    seen = f"{rows.height:,} loans" if whole else f"the first {rows.height:,} loans"
    known = values["1"] + values["0"]
    if values["wrong"] == rows.height or (not known and whole):
        value = "neither 0 nor 1 nor null" if values["wrong"] else "null: no outcome is known"
        found.issues.append(Issue("target.sql", f"for all of {seen} the target is {value}", _HINT, "target_unusable"))
    elif not (values["1"] and values["0"]):
        value = "null" if not known else "1 (default) or null" if values["1"] else "0 (repaid) or null"
        message = f"for all of {seen} the target is {value}, so no model can be trained"
        issue = Issue("target.sql", message, _HINT, "target_constant")
        (found.issues if whole else found.notes).append(issue)
    elif values["wrong"]:
        message = f"for {values['wrong']:,} of {seen} the target is neither 0 nor 1 nor null: they would be quarantined"
        found.notes.append(Issue("target.sql", message, _HINT, "target_invalid"))
    return found


def default_rate(contract: Contract, samples: list[Sample]) -> float | None:
    """Share of defaults among the loans of the samples whose outcome is known; None if none is."""
    values = _values(*_target_rows(contract, samples))
    known = values["1"] + values["0"] if values else 0
    return values["1"] / known if values and known else None


def _target_rows(contract: Contract, samples: list[Sample]) -> tuple[Table, pl.DataFrame]:
    """The target as a table, and the rows of the samples that it reads."""
    table = replace(Table.from_contract(contract), columns=())
    rows = pl.concat([sample.rows.select(sorted(table.raw_columns & {*sample.rows.columns})) for sample in samples])
    return table, rows


def _values(table: Table, rows: pl.DataFrame) -> Counter[str] | None:
    """Number of rows by target: "1", "0", "null" or "wrong". None if the SQL fails; staging reports the row."""
    columns = ", ".join(quote_identifier(column) for column in rows.columns)
    with empty_rows(table) as connection:
        try:
            connection.register("sample", rows.to_arrow())
            connection.execute(f"INSERT INTO raw BY NAME SELECT {columns} FROM sample")
            counts = connection.execute(
                "SELECT CASE WHEN target_failed THEN 'wrong' ELSE coalesce(CAST(target AS VARCHAR), 'null') END "
                f"AS value, count(*) FROM ({typed_sql(table, 'raw', {})}) GROUP BY value"
            ).fetchall()
        except duckdb.Error:
            return None
    return Counter({str(value): int(count) for value, count in counts})
