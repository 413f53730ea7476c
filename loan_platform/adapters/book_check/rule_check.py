"""Check that DuckDB and Polars give the same result for each row rule, on generated rows."""

import random
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import duckdb
import polars as pl
from sqlglot import exp

from loan_platform.adapters.storage.duckdb_files import OFFLINE, limit_files
from loan_platform.core.book.column_types import COLUMN_TYPES, NUMBERS
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.parts.columns import Column
from loan_platform.core.book.parts.features import RowRule
from loan_platform.core.book.sql import parsed
from loan_platform.core.errors import Issue
from loan_platform.core.features.feature_set import input_schema
from loan_platform.core.features.feature_sql import first_line
from loan_platform.core.features.row_rules import kept_expression
from loan_platform.core.rule_sql.engine_sql import engine_sql
from loan_platform.core.rule_sql.kinds import HINT

ROWS = 500
DAYS = (0, 1, 10, 31, 400, 4000)  # of dates, after the first day
STEPS = (-1, -0.5, 0, 0.5, 1)  # from each number of the SQL
GAP = 0.1  # share of missing values
FIRST_DAY = date(1990, 1, 1)


def engine_issues(contract: Contract, known: Iterable[Issue]) -> Iterator[Issue]:
    """Every row rule that DuckDB cannot run, or that it decides otherwise than Polars.

    Args:
        contract: as far as it can be read.
        known: issues that were found before; rules that have one are skipped.
    """
    wrong = {issue.path.partition(".")[0] for issue in known}
    features = () if wrong else contract.computed(use_pricing=True)  # they decide the types of integers
    for i, rule in enumerate(contract.row_rules):
        if f"row_rules[{i}]" in wrong:
            continue
        schema = input_schema(features, contract, (rule,))
        if issue := _issue(f"row_rules[{i}].sql", rule, _rows(rule, contract), schema):
            yield issue


def _issue(path: str, rule: RowRule, rows: pl.DataFrame, schema: Mapping[str, type[pl.DataType]]) -> Issue | None:
    raw = {name: type(dtype) for name, dtype in rows.schema.items()}
    typed = rows.with_columns(pl.col(name).cast(schema[name]) for name in rows.columns)
    try:
        polars = typed.select(kept_expression(rule, schema).alias("x"))["x"]
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        return Issue(path, f"Polars cannot run it on every row: {first_line(error)}", HINT, "sql_does_not_run")
    with duckdb.connect(config={"threads": 1, **OFFLINE}) as connection:
        limit_files(connection)
        connection.register("rows", rows.to_arrow())
        try:
            found = connection.execute(f"SELECT {engine_sql(rule.sql, raw, 'duckdb')} FROM rows").fetchall()
        except duckdb.Error as error:
            return Issue(path, f"DuckDB cannot run it: {first_line(error)}", HINT, "sql_does_not_run")
    decided = [value for (value,) in found]
    if wrong := next((value for value in decided if value is not None and not isinstance(value, bool)), None):
        return Issue(path, f"gives {type(wrong).__name__} in DuckDB, not true or false", HINT, "wrong_type")
    different = sum((a is False) != (b is False) for a, b in zip(decided, polars.to_list(), strict=True))
    if different:
        message = f"DuckDB, which reads files, and Polars, which reads requests, differ on {different} of {ROWS} rows"
        return Issue(path, message, HINT, "engines_differ")
    return None


def _rows(rule: RowRule, contract: Contract) -> pl.DataFrame:
    """Generated rows of the columns that the rule reads: the same for the same rule."""
    chance, columns = random.Random(0), [c for c in contract.columns if c.name in rule.columns]
    literals = list(parsed(rule.sql).find_all(exp.Literal))
    numbers = [float(node.name) for node in literals if not node.is_string]
    texts = [node.name for node in literals if node.is_string]
    values = {column.name: _values(column, numbers, texts) for column in columns}
    rows = {
        name: [None if chance.random() < GAP else chance.choice(few) for _ in range(ROWS)]
        for name, few in values.items()
    }
    return pl.DataFrame(rows, schema={c.name: COLUMN_TYPES[c.type].dtype for c in columns})


def _values(column: Column, numbers: list[float], texts: list[str]) -> list[Any]:
    match column.type:
        case "boolean":
            return [True, False]
        case "date":
            return [FIRST_DAY + timedelta(days=days) for days in DAYS]
        case "text":
            return [*(column.allowed or ()), *texts, "Other text"]
        case _:
            assert column.type in NUMBERS
            ends = [end for end in (column.minimum, column.maximum) if end is not None]
            found = {0.0, 1.0, 2.0, 3.5, -1.0, 1000.0, *ends, *(n + step for n in numbers for step in STEPS)}
            whole = column.type == "integer"
            return sorted({int(value) for value in found}) if whole else sorted(found)
