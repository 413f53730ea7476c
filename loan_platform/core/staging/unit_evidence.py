"""Whether a file contradicts how the contract says that it writes percentages.

The counts never convert a value. They only decide whether a file is rejected as a whole.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from loan_platform.core.book.parts.columns import Column
from loan_platform.core.errors import SourceError
from loan_platform.core.staging.parsing import plain_number_sql
from loan_platform.core.staging.table import LayoutFiles, Table
from loan_platform.core.staging.typed_rows import given_text_sql, own_text_sql

MIN_VALUES = 100  # fewer values are no evidence: a few loans may well have small ratios
SHARE = 0.95  # of the values, on the wrong side of 1
SMALL_MAXIMUM = 10.0  # a column with at most this maximum is expected to have values of at most 1 %
LARGE_MINIMUM = 100.0  # a column with at least this minimum is expected to have fractions above 1


class UnitCounts(NamedTuple):
    """Values of one percent column in one file that are not 0 and have no % sign, and those of at most 1 in size."""

    file: str
    column: Column
    values: int
    small: int


def unit_counts_sql(table: Table, raw: str, files: LayoutFiles) -> str | None:
    """A query of one row per file: its name, then values and small values of each of `checked_columns`.

    None without such columns.
    """
    columns = checked_columns(table)
    if not columns:
        return None
    numbers = ", ".join(f"{_unsigned(table, c, files)} AS u{i}" for i, c in enumerate(columns))
    counts = ", ".join(
        f"count(*) FILTER (u{i} <> 0), count(*) FILTER (u{i} <> 0 AND abs(u{i}) <= 1)" for i in range(len(columns))
    )
    owns = ", ".join(f"{own_text_sql(c)} AS s{i}" for i, c in enumerate(columns))
    texts = ", ".join(f"{given_text_sql(c, i)} AS t{i}" for i, c in enumerate(columns))
    texts = f"SELECT source_file, {texts} FROM (SELECT source_file, {owns} FROM {raw})"
    inner = f"SELECT source_file, {numbers} FROM ({texts})"
    return f"SELECT source_file, {counts} FROM ({inner}) GROUP BY source_file ORDER BY source_file"


def checked_columns(table: Table) -> tuple[Column, ...]:
    """Percent columns."""
    return tuple(column for column in table.columns if column.type == "percent")


def contradictions(
    table: Table, counts: Iterable[UnitCounts], files: LayoutFiles
) -> Iterator[tuple[Column, SourceError]]:
    """Each column that a file contradicts, with an error for the file."""
    layouts = {file: layout for layout, names in files.items() for file in names}
    for count in counts:
        written = table.written_in(layouts.get(count.file), count.column)
        if count.values >= MIN_VALUES and (error := _contradiction(count, written)):
            yield count.column, error


def _contradiction(count: UnitCounts, column: Column) -> SourceError | None:
    large = count.values - count.small
    if column.written_as != "fraction":
        plausible = column.maximum is not None and column.maximum <= SMALL_MAXIMUM
        if plausible or count.small < SHARE * count.values:
            return None
        said = f"{count.small:,} of {count.values:,} values are at most 1, and the contract reads 0.85 as 0.85 %"
        other, why = "fraction", f"If values this small are right, give the column a `maximum` of {SMALL_MAXIMUM:g}."
    else:
        plausible = column.minimum is not None and column.minimum >= LARGE_MINIMUM
        if plausible or large < SHARE * count.values:
            return None
        said = f"{large:,} of {count.values:,} values are above 1, and the contract reads 1.5 as 150 %"
        other, why = "percent", f"If values this large are right, give the column a `minimum` of {LARGE_MINIMUM:g}."
    message = f"the column {column.name} seems to be written as {other}: {said}"
    hint = (
        f"Write `written_as: {other}` for the column in the contract, or add a layout (`layouts`) for files with this "
        f"header. {why}"
    )
    return SourceError(count.file, message, hint)


def _unsigned(table: Table, column: Column, files: LayoutFiles) -> str:
    i = checked_columns(table).index(column)
    return table.by_layout(column, files, lambda written: plain_number_sql(written, f"t{i}"))
