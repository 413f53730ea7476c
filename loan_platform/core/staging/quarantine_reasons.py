"""SQL conditions on typed values: why a value is wrong, and the message about it.

The names come from `typed_rows.typed_sql`: t{i} is the text of column i, n{i} its first parse, v{i} its value, e{i}
whether the column's own SQL failed. A message names the column and the rule, never the value.
"""

from typing import Literal

from loan_platform.core.book.column_types import COLUMN_TYPES, NUMBERS
from loan_platform.core.book.constants import TARGET
from loan_platform.core.book.parts.columns import Column
from loan_platform.core.book.parts.features import RowRule
from loan_platform.core.book.sql import quote_literal
from loan_platform.core.rule_sql.engine_sql import engine_sql
from loan_platform.core.staging.keys import NO_KEY
from loan_platform.core.staging.parsing import trimmed_sql
from loan_platform.core.staging.table import Table

Reason = Literal[
    "unparseable",
    "unknown_category",
    "out_of_range",
    "missing_required",
    "row_rule",
    "duplicate_key",
    "structural",
]
FAULT_TYPE = 'STRUCT("column" VARCHAR, reason VARCHAR, message VARCHAR, refused BOOLEAN)'


def suspect_condition(table: Table, column: Column, i: int) -> str:
    """SQL condition: the value has a fault."""
    conditions = [f"v{i} IS NULL" if table.requires(column) else _unparseable(table, column, i)]
    if outside := _outside(table, column, f"v{i}"):
        conditions.append(outside)
    return " OR ".join(conditions)


def fault_case(table: Table, column: Column, i: int) -> str:
    """SQL of the value's fault as `FAULT_TYPE`, or null."""
    refused = column.on_invalid == "quarantine" or table.requires(column)
    reason: Reason = "unparseable" if column.allowed is None else "unknown_category"
    if table.is_key(column) and column.type == "text" and column.allowed is None:
        message = NO_KEY
    elif column.allowed is None:
        kind = "integer" if table.is_key(column) and column.type == "number" else column.type
        message = f"is not {COLUMN_TYPES[kind].in_file}"
    else:
        message = "is not one of the allowed categories"
    unparseable = _fault_sql(column.name, reason, message, refused)
    cases = [f"WHEN {_unparseable(table, column, i)} THEN {unparseable}"]
    if outside := _outside(table, column, f"v{i}"):
        cases.append(f"WHEN {outside} THEN {_fault_sql(column.name, 'out_of_range', _range(table, column), refused)}")
    if table.requires(column):
        fault = _fault_sql(column.name, "missing_required", "is required and has no value", refused=True)
        cases.append(f"WHEN v{i} IS NULL THEN {fault}")
    return f"CASE {' '.join(cases)} END"


def target_fault_case() -> str:
    """SQL of the target's fault as `FAULT_TYPE`, or null."""
    fault = _fault_sql(TARGET, "unparseable", "is neither 0 nor 1 nor null", refused=True)
    return f"CASE WHEN target_failed THEN {fault} END"


def rule_fault_case(table: Table, rule: RowRule) -> str:
    """SQL over typed columns of the fault of a row that breaks a rule, as `FAULT_TYPE`; null for other rows."""
    columns = " and ".join(column.name for column in table.columns if column.name in rule.columns)
    fault = fault_sql(quote_literal(columns), "row_rule", quote_literal(rule.statement))
    return f"CASE WHEN {broken_sql(table, rule)} THEN {fault} END"


def fault_sql(column: str, reason: Reason, message: str, refused: bool = True) -> str:
    """SQL of a fault as `FAULT_TYPE`.

    Args:
        column: SQL of the name of the column.
        reason: why the value or the row is wrong.
        message: SQL of the message.
        refused: whether the row is quarantined.
    """
    return f"CAST(row({column}, {quote_literal(reason)}, {message}, {str(refused).lower()}) AS {FAULT_TYPE})"


def broken_sql(table: Table, rule: RowRule) -> str:
    """SQL condition over typed columns: the row breaks the rule. It is not true where the rule is null."""
    schema = {column.name: COLUMN_TYPES[column.type].dtype for column in table.columns}
    return f"(NOT {engine_sql(rule.sql, schema, 'duckdb')})"


def value_inside(table: Table, column: Column, value: str) -> str:
    """SQL of the value; null where it is out of range."""
    outside = _outside(table, column, value)
    return f"CASE WHEN NOT ({outside}) THEN {value} END" if outside else value


def clean_aggregate(table: Table, column: Column, i: int) -> str:
    """SQL aggregate: no row has a fault in the column, and the first parse reads every text. Null without any value."""
    checks = [f"count(t{i}) = count(n{i}) AND count(t{i}) = count(v{i})"]
    if table.requires(column):
        checks.append(f"count(v{i}) = count(*)")
    if column.sql is not None:
        checks.append(f"NOT bool_or(e{i})")
    if column.type in NUMBERS:
        low = "-1e300" if column.minimum is None else repr(column.minimum)
        high = "1e300" if column.maximum is None else repr(column.maximum)
        checks.append(f"min(v{i}) >= {low} AND max(v{i}) <= {high}")
    if (longest := column.longest(table.is_key(column))) is not None:
        checks.append(f"max(length(v{i})) <= {longest}")
    if column.type == "date":
        checks.append(f"bool_and(n{i} = v{i})")
    empty = "false" if table.requires(column) else f"count(t{i}) = 0"
    return f"{empty} OR ({' AND '.join(checks)})"


def _unparseable(table: Table, column: Column, i: int) -> str:
    unread = f"v{i} IS NULL AND t{i} IS NOT NULL"
    if column.type != "text":
        marks = ", ".join(quote_literal(mark) for mark in table.missing)
        unread += f" AND {trimmed_sql(f't{i}')} NOT IN ({marks})"
    return f"(({unread}) OR e{i})" if column.sql is not None else f"({unread})"


def _outside(table: Table, column: Column, value: str) -> str | None:
    if (longest := column.longest(table.is_key(column))) is not None:
        return f"length({value}) > {longest}"
    limits = [
        f"{value} {sign} {limit!r}"
        for sign, limit in (("<", column.minimum), (">", column.maximum))
        if column.type in NUMBERS and limit is not None
    ]
    return " OR ".join(limits) if limits else None


def _range(table: Table, column: Column) -> str:
    if (longest := column.longest(table.is_key(column))) is not None:
        return f"is longer than {longest:,} characters"
    low = "" if column.minimum is None else f" below {column.minimum:,g}"
    high = "" if column.maximum is None else f" above {column.maximum:,g}"
    return f"is{low}{' or' if low and high else ''}{high}"


def _fault_sql(column: str, reason: Reason, message: str, refused: bool) -> str:
    return fault_sql(quote_literal(column), reason, quote_literal(f"{column} {message}"), refused)
