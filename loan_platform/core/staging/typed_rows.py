"""A contract as DuckDB SQL: raw text becomes typed values, and each rejected value a fault with a reason."""

from dataclasses import replace

from loan_platform.core.book.constants import TARGET
from loan_platform.core.book.parts.columns import Column
from loan_platform.core.book.sql import quote_identifier, quote_literal
from loan_platform.core.staging.keys import key_value_sql
from loan_platform.core.staging.parsing import (
    first_try_sql,
    trimmed_again_sql,
    trimmed_sql,
    trims_own_text,
    value_sql,
    whole_sql,
)
from loan_platform.core.staging.quarantine_reasons import (
    broken_sql,
    clean_aggregate,
    fault_case,
    rule_fault_case,
    suspect_condition,
    target_fault_case,
    value_inside,
)
from loan_platform.core.staging.table import LayoutFiles, Table


def typed_sql(
    table: Table,
    raw: str,
    files: LayoutFiles,
    clean: frozenset[str] = frozenset(),
    rows: str = "true",
    rare: bool = True,
) -> str:
    """A query for every typed value of the raw rows, before ranges are checked.

    A value depends on its text, on the contract and on the layout of its file, never on another row.

    Its columns are __row, source_file, source_line, `target` and `target_failed`, and for each column i of the table
    the text t{i}, its first parse n{i} and the value v{i}. Where the column has SQL of its own, e{i} says whether that
    failed.

    Args:
        table: what to stage.
        raw: SQL of the raw relation, with a column `__row`.
        files: of each layout.
        clean: columns of which the first parse reads every text, see `profile_sql`.
        rows: SQL condition on the raw rows.
        rare: also read texts that the first parse does not read; without, their values are null.
    """
    columns = tuple(enumerate(table.columns))
    slow = [(i, c) for i, c in columns if rare and not (c.name in clean or trims_own_text(c))]
    # Raw columns end in the innermost SELECT: one of them may be called `target` or `key`.
    raws = ["__row", "source_file", "source_line", *(f"{own_text_sql(c)} AS s{i}" for i, c in columns)]
    # TRY gives null for an error, and a struct otherwise.
    raws.append(f"TRY({{'x': ({table.target.sql if table.target else 'NULL'})}}) AS target_own")
    texts = [f"{_text(table, c, i)} AS t{i}" for i, c in columns]
    texts += [f"s{i} IS NULL AS e{i}" for i, c in columns if c.sql is not None]
    firsts = [f"{_first(table, c, f't{i}', files)} AS n{i}" for i, c in columns]
    again = [f"{trimmed_again_sql(f't{i}', f'n{i}')} AS u{i}" for i, _ in slow]
    seconds = [f"coalesce(n{i}, {_first(table, c, f'u{i}', files)}) AS m{i}" for i, c in slow]
    numbers = list[str]()
    for i, c in columns:
        text, first = (f"u{i}", f"m{i}") if (i, c) in slow else (f"t{i}", f"n{i}")
        numbers.append(f"{_parsed(table, c, text, first, files, c.name in clean, rare)} AS w{i}")
    values = [f"{_value(table, c, i, c.name in clean)} AS v{i}" for i, c in columns]
    values += [
        f"CASE WHEN target_value IN (0, 1) THEN CAST(target_value AS INTEGER) END AS {TARGET}",
        "target_own IS NULL OR (target_own.x IS NOT NULL AND coalesce(target_value, 2) NOT IN (0, 1)) AS target_failed",
    ]
    # No WITH: DuckDB would materialize its whole result. One level for each step: with the steps inside each other,
    # planning the query of a wide table takes seconds.
    query = f"SELECT {', '.join(raws)} FROM {raw} WHERE {rows}"
    for level in (texts, [*firsts, f"{target_value_sql('target_own.x')} AS target_value"], again, seconds, numbers):
        if level:
            query = f"SELECT *, {', '.join(level)} FROM ({query})"
    return f"SELECT *, {', '.join(values)} FROM ({query})"


def target_value_sql(given: str) -> str:
    """SQL of what the target's SQL gave as a number, unrounded: 0.6 is no default. Null for other texts."""
    return f"CASE WHEN NOT contains(CAST({given} AS VARCHAR), '_') THEN TRY_CAST({given} AS DOUBLE) END"


def own_text_sql(column: Column) -> str:
    """SQL over the raw row of the column's text: the raw column, or a struct `x` that is null where its SQL fails."""
    return column.source_sql if column.sql is None else f"TRY({{'x': CAST(({column.sql}) AS VARCHAR)}})"


def given_text_sql(column: Column, i: int) -> str:
    """SQL of the text that `own_text_sql` gave as s{i}; null where the column's SQL failed."""
    return f"s{i}" if column.sql is None else f"s{i}.x"


def profile_sql(table: Table, raw: str, files: LayoutFiles) -> str:
    """A query of one row: whether each column is clean, in order, and last whether every target is.

    A column is clean if no row has a fault in it and the first parse reads every text. Nearly all columns of a sound
    file are clean, so the slow search for faults covers few columns.
    """
    checks = [f"coalesce({clean_aggregate(table, c, i)}, false)" for i, c in enumerate(table.columns)]
    checks.append("coalesce(NOT bool_or(target_failed), true)")
    return f"SELECT {', '.join(checks)} FROM ({typed_sql(table, raw, files, rare=False)})"


def suspect_sql(table: Table) -> str:
    """Condition on `typed_sql`: the row has a fault, which rejects the row or only the value."""
    return " OR ".join([*(suspect_condition(table, c, i) for i, c in enumerate(table.columns)), "target_failed"])


def faults_sql(table: Table) -> str:
    """Expression on `typed_sql`: the list of the row's faults, in contract order."""
    cases = [*(fault_case(table, c, i) for i, c in enumerate(table.columns)), target_fault_case()]
    return f"list_filter([{', '.join(cases)}], lambda fault: fault IS NOT NULL)"


def accepted_sql(table: Table, clean: frozenset[str]) -> str:
    """Select list on `typed_sql`: the columns, the target if there is one, and the source of the row."""
    values = [f"{_kept(table, c, i, clean)} AS {quote_identifier(c.name)}" for i, c in enumerate(table.columns)]
    return ", ".join([*values, *([TARGET] if table.target else []), "source_file", "source_line"])


def broken_rules_sql(table: Table, raw: str, files: LayoutFiles, clean: frozenset[str]) -> str | None:
    """A query of the rows that break critical rules: __row, source_file, source_line and the list of faults.

    None without such rules.
    """
    rules = [rule for rule in table.row_rules if rule.severity == "critical"]
    if not rules:
        return None
    read = frozenset[str]().union(*(rule.columns for rule in rules))
    part = replace(table, columns=tuple(c for c in table.columns if c.name in read), target=None)
    values = [f"{_kept(table, c, i, clean)} AS {quote_identifier(c.name)}" for i, c in enumerate(part.columns)]
    cases = ", ".join(rule_fault_case(table, rule) for rule in rules)
    return f"""
    SELECT __row, source_file, source_line, list_filter([{cases}], lambda fault: fault IS NOT NULL) AS faults
    FROM (SELECT __row, source_file, source_line, {", ".join(values)} FROM ({typed_sql(part, raw, files, clean)}))
    WHERE {" OR ".join(broken_sql(table, rule) for rule in rules)}"""


def _kept(table: Table, column: Column, i: int, clean: frozenset[str]) -> str:
    """SQL of the value that an accepted row has."""
    if column.on_invalid == "null" and column.name not in clean:
        return value_inside(table, column, f"v{i}")
    return f"v{i}"


def _text(table: Table, column: Column, i: int) -> str:
    """SQL of the text to parse. Raw marks of missing values are null already, unless white space is around them."""
    text = given_text_sql(column, i)
    if column.type != "text":
        return text
    marks = ", ".join(quote_literal(mark) for mark in table.missing)
    plain = trimmed_sql(text)
    return f"CASE WHEN {plain} NOT IN ({marks}) THEN {plain} END"


def _first(table: Table, column: Column, text: str, files: LayoutFiles) -> str:
    return table.by_layout(column, files, lambda written: first_try_sql(written, text))


def _parsed(table: Table, column: Column, text: str, first: str, files: LayoutFiles, clean: bool, rare: bool) -> str:
    return table.by_layout(column, files, lambda written: value_sql(written, text, first, clean, rare))


def _value(table: Table, column: Column, i: int, clean: bool) -> str:
    value = whole_sql(f"w{i}", clean) if column.type == "integer" else f"w{i}"
    return key_value_sql(column, f"t{i}", value) if table.is_key(column) else value
