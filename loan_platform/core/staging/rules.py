"""Data rules that a contract implies for its validated rows, and their outcomes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from loan_platform.core.book.contract import Contract
from loan_platform.core.book.parts.columns import Column
from loan_platform.core.book.parts.contract_parts import SourceTable
from loan_platform.core.book.parts.features import RowRule

Severity = Literal["critical", "warning"]
Kind = Literal[
    "has_rows",
    "columns_present",
    "in_source",
    "unique",
    "unique_together",
    "not_null",
    "missing_share",
    "between",
    "in_set",
    "not_after",
    "row_rule",
]


@dataclass(frozen=True)
class Rule:
    """One rule that validated rows must keep. Its name is the name of the asset check.

    `columns` are the columns that the rule reads. `has_rows` reads none, `columns_present` all of the contract,
    `in_source` the optional ones, `not_after` the earlier and the later date, `row_rule` those of its `sql`. Every
    other kind reads one.
    """

    name: str
    kind: Kind
    description: str
    severity: Severity
    columns: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] = ()
    max_missing: float = 0.0
    sql: str = ""


def expectations_for(contract: Contract) -> tuple[Rule, ...]:
    """Every rule of a contract: those of the table, then column by column, then those of rows. Names are unique."""
    return (
        *_table_rules(contract.columns),
        *_rules(contract.columns, contract.entity_key, contract.event_date),
        *(_row_rule(rule, contract) for rule in contract.row_rules),
    )


def expectations_for_applications(contract: Contract) -> tuple[Rule, ...]:
    """The rules that a file of applications must keep: those about what is known at application.

    There may be no application, and the key is unique among all files. The share of missing values is expected of
    many loans, so for a small file it is a warning.
    """
    columns = tuple(column for column in contract.columns if column.available_at == "application")
    about_columns = (*_table_rules(columns), *_rules(columns, contract.entity_key, contract.event_date))
    rules = (*about_columns, *(_row_rule(rule, contract) for rule in contract.row_rules))
    kept = (rule for rule in rules if rule.kind not in ("has_rows", "unique"))
    return tuple(replace(rule, severity="warning") if rule.kind == "missing_share" else rule for rule in kept)


def expectations_for_source(source: SourceTable, adds_up: bool = False) -> tuple[Rule, ...]:
    """Every rule of a linked source, before the join.

    A file of a source that adds up may have no rows, and its keys are unique among all files.
    """
    together = source.key if len(source.key) > 1 else ()
    alone = source.key[0] if len(source.key) == 1 else None
    rules = (*_table_rules(source.columns, together), *_rules(source.columns, alone, None))
    return tuple(rule for rule in rules if not (adds_up and rule.kind in ("has_rows", "unique", "unique_together")))


def _table_rules(columns: tuple[Column, ...], together: tuple[str, ...] = ()) -> Iterator[Rule]:
    names = tuple(column.name for column in columns)
    yield Rule("has_rows", "has_rows", "At least one row was accepted.", "critical", minimum=1)
    yield Rule("columns_present", "columns_present", "Every column of the contract is present.", "critical", names)
    if together:
        why = f"No two rows share the same {' and '.join(together)}."
        yield Rule("key_unique", "unique_together", why, "critical", together)
    if optional := tuple(c.name for c in columns if not (c.required or c.required_in_file)):
        yield Rule(
            "optional_columns_in_source",
            "in_source",
            "The source has every optional column of the contract. Rules of an absent column are skipped.",
            "warning",
            optional,
        )


def _rules(columns: tuple[Column, ...], key: str | None, event_date: str | None) -> Iterator[Rule]:
    for column in columns:
        yield from _column_rules(column, column.name == key)
        # A value known at the decision cannot have a later date. Most often a two-digit year was read as 2068.
        precedes = column.type == "date" and column.name != event_date and column.available_at != "after_origination"
        if event_date is not None and precedes:
            name, why = f"{column.name}_not_after_{event_date}", f"{column.name} is not later than {event_date}."
            yield Rule(name, "not_after", why, column.severity, (column.name, event_date))


def _row_rule(rule: RowRule, contract: Contract) -> Rule:
    columns = tuple(column.name for column in contract.columns if column.name in rule.columns)
    why = f"In no row is it true that {rule.message}."
    return Rule(f"row_rule_{rule.name}", "row_rule", why, rule.severity, columns, sql=rule.sql)


def _column_rules(column: Column, is_key: bool) -> Iterator[Rule]:
    if is_key:
        yield _rule(column, "unique", f"No two rows share the same {column.name}.")
    if is_key or column.required:
        yield _rule(column, "not_null", f"{column.name} has a value in every row.")
    elif column.max_missing < 1:
        why = f"{column.name} is missing in at most {100 * column.max_missing:g}% of the rows."
        yield _rule(column, "missing_share", why, max_missing=column.max_missing)
    if column.minimum is not None or column.maximum is not None:
        why = f"{column.name} is {_range(column)}."
        yield _rule(column, "between", why, minimum=column.minimum, maximum=column.maximum)
    if column.allowed is not None:
        why = f"{column.name} is one of {len(column.allowed)} categories of the contract."
        yield _rule(column, "in_set", why, allowed=column.allowed)


def _rule(
    column: Column,
    kind: Kind,
    description: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    allowed: tuple[str, ...] = (),
    max_missing: float = 0.0,
) -> Rule:
    name = f"{column.name}_{kind}"
    return Rule(name, kind, description, column.severity, (column.name,), minimum, maximum, allowed, max_missing)


def _range(column: Column) -> str:
    unit = f" {column.unit}" if column.unit else ""
    if column.minimum is None:
        return f"at most {column.maximum:,.15g}{unit}"
    if column.maximum is None:
        return f"at least {column.minimum:,.15g}{unit}"
    return f"between {column.minimum:,.15g} and {column.maximum:,.15g}{unit}"


@dataclass(frozen=True)
class RuleOutcome:
    """The outcome of one rule: counts and names, never a value of a row.

    `skipped` means that the source lacks the optional column. `expectation` is the engine's name of the check. It is
    empty where the engine was not needed.
    """

    rule: Rule
    status: Literal["passed", "failed", "skipped"]
    element_count: int
    unexpected_count: int
    note: str = ""
    expectation: str = ""

    @property
    def success(self) -> bool:
        """Whether the asset check passes."""
        return self.status != "failed"

    @property
    def unexpected_share(self) -> float:
        """Share of the rows that break the rule, 0 to 1."""
        return self.unexpected_count / self.element_count if self.element_count else 0.0

    def to_json(self) -> dict[str, object]:
        """The outcome as plain values."""
        return {
            "name": self.rule.name,
            "status": self.status,
            "severity": self.rule.severity,
            "description": self.rule.description,
            "element_count": self.element_count,
            "unexpected_count": self.unexpected_count,
            "unexpected_percent": round(100 * self.unexpected_share, 6),
            "note": self.note,
            "expectation": self.expectation,
        }


@dataclass(frozen=True)
class QualityResult:
    """Outcomes of all rules on one table, in the order of the rules."""

    rows: int
    outcomes: tuple[RuleOutcome, ...]

    def failed(self, severity: Severity) -> tuple[RuleOutcome, ...]:
        """Broken rules of one severity. A critical one blocks the next assets."""
        return tuple(o for o in self.outcomes if not o.success and o.rule.severity == severity)

    @property
    def skipped(self) -> tuple[RuleOutcome, ...]:
        """Rules that were skipped because the source lacks their optional column."""
        return tuple(o for o in self.outcomes if o.status == "skipped")

    def to_json(self) -> str:
        """Deterministic JSON text: no times, no run ids, no values of rows."""
        body = {
            "rows": self.rows,
            "rules": len(self.outcomes),
            "failed_critical": len(self.failed("critical")),
            "failed_warning": len(self.failed("warning")),
            "skipped": len(self.skipped),
            "outcomes": [outcome.to_json() for outcome in self.outcomes],
        }
        return json.dumps(body, indent=1, ensure_ascii=False) + "\n"
