"""Reject files that contradict how the contract says that percentages are written."""

from collections.abc import Iterator

import duckdb

from loan_platform.adapters.sources.sample import Sample
from loan_platform.adapters.sources.sql_check import empty_rows
from loan_platform.core.book.parts.columns import Column
from loan_platform.core.book.sql import quote_identifier, quote_literal
from loan_platform.core.errors import Issue, SourceError
from loan_platform.core.staging.table import LayoutFiles, Table
from loan_platform.core.staging.unit_evidence import UnitCounts, checked_columns, contradictions, unit_counts_sql


def unit_contradictions(
    connection: duckdb.DuckDBPyConnection, table: Table, raw: str, files: LayoutFiles
) -> list[tuple[Column, SourceError]]:
    """Each percent column that a file contradicts, with an error for the file.

    Args:
        connection: has the raw rows.
        table: what is to be staged.
        raw: SQL of the raw relation.
        files: of each layout.
    """
    query = unit_counts_sql(table, raw, files)
    if query is None:
        return []
    return list(contradictions(table, _counts(table, connection.execute(query).fetchall()), files))


def _counts(table: Table, rows: list[tuple[str | int, ...]]) -> Iterator[UnitCounts]:
    for file, *numbers in rows:
        for i, column in enumerate(checked_columns(table)):
            yield UnitCounts(str(file), column, int(numbers[2 * i]), int(numbers[2 * i + 1]))


def sample_unit_issues(table: Table, file: str, sample: Sample) -> Iterator[Issue]:
    """An issue for each percent column that the first rows of a file contradict.

    Args:
        table: what is to be staged.
        file: name of the file.
        sample: its first rows, with the raw columns that the percent columns read.
    """
    layout = table.layout_of(sample.written)
    files = {layout.name: frozenset({file})} if layout else {}
    columns = ", ".join(quote_identifier(column) for column in sample.rows.columns)
    with empty_rows(table) as connection:
        connection.register("sample", sample.rows.to_arrow())
        raw = f"(SELECT {quote_literal(file)} AS source_file, {columns} FROM sample)"
        found = unit_contradictions(connection, table, raw, files)
    for column, error in found:
        i = table.columns.index(column)
        yield Issue(f"columns[{i}].type", f"{error.file}: {error.message}", error.hint, "contradicting_unit")
