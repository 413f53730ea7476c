"""One feature's SQL as a Polars expression, and the issues that prevent it."""

from collections.abc import Iterator

import polars as pl
from sqlglot import exp

from loan_platform.core.book.parts.features import Feature
from loan_platform.core.book.sql import SqlError, parsed
from loan_platform.core.errors import Issue
from loan_platform.core.features.undefined import computed_sql

_FAILURES = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
_BEYOND = (exp.AggFunc, exp.Window, exp.Subquery)


def feature_expression(feature: Feature, empty: pl.DataFrame) -> pl.Expr:
    """The feature as an expression of type Float64 or String.

    Args:
        feature: its SQL and kind.
        empty: a frame without rows that has every input in its type.
    """
    wanted = pl.String if feature.kind == "category" else pl.Float64
    value = pl.sql_expr(computed_sql(feature)).alias(feature.name)
    return value if empty.select(value).dtypes == [wanted] else value.cast(wanted)


def feature_issues(features: tuple[Feature, ...], empty: pl.DataFrame) -> Iterator[tuple[int, Issue]]:
    """Every feature whose SQL does not compile, gives another kind, or looks beyond its own row, by its number.

    The path of a problem is the key of the feature: `sql` or `kind`.
    """
    types = _types(features, empty)
    for i, feature in enumerate(features):
        issue = beyond_its_row(feature.sql, "a feature") or _compile_issue(feature, empty, types[i] if types else None)
        if issue:
            yield i, issue


def _types(features: tuple[Feature, ...], empty: pl.DataFrame) -> list[pl.DataType] | None:
    """Types of all features, in one call; None if one does not compile."""
    try:
        return empty.select(pl.sql_expr(computed_sql(f)).alias(f"{i}") for i, f in enumerate(features)).dtypes
    except (*_FAILURES, SqlError):
        return None


def beyond_its_row(sql: str, what: str) -> Issue | None:
    """An issue if the SQL of a feature or rule reads other rows: its result would depend on the loan's batch."""
    try:
        found = next(parsed(sql).find_all(*_BEYOND), None)
    except SqlError as error:
        return Issue("sql", str(error), "Correct the SQL.", "invalid_sql")
    if found is None:
        return None
    message = f"{what} reads one row only, and {found.sql('duckdb')} reads other rows"
    hint = "Compute it from the columns of one loan. For the largest of several columns use GREATEST."
    return Issue("sql", message, hint, "reads_other_rows")


def _compile_issue(feature: Feature, empty: pl.DataFrame, dtype: pl.DataType | None) -> Issue | None:
    try:
        if dtype is None:
            dtype = empty.select(pl.sql_expr(computed_sql(feature)).alias(feature.name)).dtypes[0]
        if feature.kind == "category" and dtype != pl.String:
            empty.select(feature_expression(feature, empty))
    except _FAILURES as error:
        message = f"Polars cannot run it: {first_line(error)}"
        return Issue("sql", message, "Use functions of Polars' SQL, and columns of fitting types.", "invalid_sql")
    is_number = dtype.is_numeric() or isinstance(dtype, pl.Boolean | pl.Null)
    if feature.kind == "number" and not is_number:
        hint = "Write `kind: category`, or make it a number." if dtype == pl.String else "Make it a number."
        return Issue("sql", f"gives {_noun(dtype)}, not a number", hint, "wrong_type")
    return None


def _noun(dtype: pl.DataType) -> str:
    return {"String": "text", "Date": "a date"}.get(str(dtype), str(dtype))


def first_line(error: BaseException) -> str:
    """The first line of an error's message."""
    return (str(error).splitlines() or [type(error).__name__])[0]
