"""Rules that the parts of a contract must keep together: every broken one is an issue."""

from collections.abc import Iterator

from loan_platform.core.book.constants import RESERVED_NAMES
from loan_platform.core.book.parts.column_rules import (
    column_issues,
    contract_source_issues,
    duplicate_issues,
    layout_issues,
    no_column,
    sql_issues,
    target_issues,
)
from loan_platform.core.book.parts.contract_parts import ContractParts
from loan_platform.core.book.parts.features import Feature, RowRule
from loan_platform.core.book.sql import columns_read
from loan_platform.core.errors import Issue


def contract_issues(contract: ContractParts) -> Iterator[Issue]:
    """Every issue of a contract, in the order of its keys."""
    yield from duplicate_issues("columns", [c.name for c in contract.columns])
    yield from duplicate_issues("features", [f.name for f in contract.features])
    yield from _reserved(contract)
    yield from _key_and_date(contract)
    for i, column in enumerate(contract.columns):
        yield from column_issues(f"columns[{i}]", column)
    yield from layout_issues(contract)
    yield from target_issues(contract)
    yield from contract_source_issues(contract)
    yield from duplicate_issues("row_rules", [rule.name for rule in contract.row_rules])
    for i, rule in enumerate(contract.row_rules):
        yield from _row_rule_issues(f"row_rules[{i}]", rule, contract)
    yield from _exposure_issues(contract)
    for i, feature in enumerate(contract.features):
        yield from _feature_issues(f"features[{i}]", feature, contract)
    for i, name in enumerate(contract.forbidden_features):
        if name not in contract.by_name:
            yield no_column(f"forbidden_features[{i}]", "names", name, contract)


def _reserved(contract: ContractParts) -> Iterator[Issue]:
    hint = "Choose another name."
    for i, column in enumerate(contract.columns):
        if column.name in RESERVED_NAMES:
            yield Issue(f"columns[{i}].name", f"{column.name!r} is reserved by the platform", hint, "reserved_name")
    taken = RESERVED_NAMES | {contract.entity_key, contract.event_date}
    for i, feature in enumerate(contract.features):
        if feature.name in taken:
            message = f"{feature.name!r} is the name of the key or the date, or reserved by the platform"
            yield Issue(f"features[{i}].name", message, hint, "reserved_name")


def _key_and_date(contract: ContractParts) -> Iterator[Issue]:
    for key in ("entity_key", "event_date"):
        if (name := getattr(contract, key)) is not None and name not in contract.by_name:
            yield no_column(key, "names", name, contract)
    date = contract.by_name.get(contract.event_date or "")
    if date is not None and date.type != "date":
        message = f"column {date.name!r} is {date.type}, not a date: loans would have no vintage"
        yield Issue("event_date", message, f"Give {date.name!r} the type date, or name another column.", "wrong_type")


def _row_rule_issues(path: str, rule: RowRule, contract: ContractParts) -> Iterator[Issue]:
    path, where = f"{path}.sql", f"the rule {rule.name!r} reads"
    if issues := list(sql_issues(path, rule.sql)):
        yield from issues
        return
    if not rule.columns:
        message = f"the rule {rule.name!r} reads no column: it says the same of every row"
        yield Issue(path, message, "Compare columns, or remove it.", "constant")
    for name in sorted(rule.columns):
        column = contract.by_name.get(name)
        if column is None:
            yield no_column(path, where, name, contract)
        elif column.available_at != "application":
            message = f"{where} {name!r}, which an application does not have (available_at: {column.available_at})"
            hint = "Compare columns that are available at application."
            yield Issue(path, message, hint, "not_at_application")
        elif column.protected:
            hint = "Remove it: a decision must not depend on it."
            yield Issue(path, f"{where} the protected column {name!r}", hint, "protected_column")


def _exposure_issues(contract: ContractParts) -> Iterator[Issue]:
    if contract.exposure is None:
        return
    if issues := list(sql_issues("exposure.sql", contract.exposure.sql)):
        yield from issues
        return
    for name in sorted(columns_read(contract.exposure.sql)):
        column = contract.by_name.get(name)
        if column is None:
            yield no_column("exposure.sql", "the exposure reads", name, contract)
        elif column.available_at != "application":
            message = f"the exposure reads {name!r}, which is not available at application"
            yield Issue("exposure.sql", message, "Compute it from what the applicant asks for.", "leak")


def _feature_issues(path: str, feature: Feature, contract: ContractParts) -> Iterator[Issue]:
    if issues := list(sql_issues(f"{path}.sql", feature.sql)):
        yield from issues
        return
    if not feature.columns:
        message = f"feature {feature.name!r} reads no column: it is the same for every loan"
        yield Issue(f"{path}.sql", message, "Compute it from columns, or remove it.", "constant")
    for name in sorted(feature.columns):
        if issue := _reading_issue(f"{path}.sql", f"feature {feature.name!r} reads", name, contract):
            yield issue
    if feature.kind == "category" and feature.monotone:
        hint = "Remove it, or make the kind number."
        yield Issue(f"{path}.monotone", "a category cannot be monotone", hint, "not_applicable")
    yield from _undefined_issues(path, feature)


def _undefined_issues(path: str, feature: Feature) -> Iterator[Issue]:
    stated = feature.when_undefined
    if stated is None or stated == "missing":
        return
    path = f"{path}.when_undefined"
    if feature.kind == "category":
        yield Issue(path, "only a number can be undefined", "Remove it, or make the kind number.", "not_applicable")
    elif stated in ("highest_risk", "lowest_risk") and feature.monotone is None:
        hint = "Write largest or smallest, or state `monotone`."
        yield Issue(path, f"{stated} needs a direction, and the feature has no `monotone`", hint, "not_applicable")
    elif stated in ("largest", "smallest") and feature.monotone is not None:
        hint = "Write highest_risk or lowest_risk."
        yield Issue(path, f"{stated} is for features without a direction", hint, "not_applicable")


def _reading_issue(path: str, where: str, name: str, contract: ContractParts) -> Issue | None:
    column = contract.by_name.get(name)
    if column is None:
        return no_column(path, where, name, contract)
    if column.available_at == "after_origination":
        message = f"{where} {name!r}, which is available only after origination: a leak"
        return Issue(
            path, message, "Remove it. If applicants have the value, correct `available_at` of the column.", "leak"
        )
    if column.protected:
        hint = "Remove it: a decision must not depend on it."
        return Issue(path, f"{where} the protected column {name!r}", hint, "protected_column")
    if name in contract.forbidden_features:
        message = f"{where} {name!r}, which is one of the forbidden_features"
        return Issue(path, message, "Remove it from one of the two.", "forbidden_column")
    return None
