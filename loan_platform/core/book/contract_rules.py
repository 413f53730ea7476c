"""Rules that the parts of a contract must keep together: every broken one is an issue."""

from collections.abc import Iterable, Iterator, Sequence

from loan_platform.core.book.close_names import did_you_mean
from loan_platform.core.book.column_types import spelling
from loan_platform.core.book.constants import RESERVED_NAMES
from loan_platform.core.book.contract_parts import Column, ContractParts, Feature, RowRule, Target, plain_name
from loan_platform.core.book.date_formats import FORMAT_HINT, format_issue
from loan_platform.core.book.sql import SqlError, columns_read
from loan_platform.core.errors import Issue

RANGED = ("number", "integer", "percent")
_REMOVE = "Remove it from one of the two."


def contract_issues(contract: ContractParts) -> Iterator[Issue]:
    """Every issue of a contract, in the order of its keys."""
    yield from _duplicates("columns", [c.name for c in contract.columns])
    yield from _duplicates("features", [f.name for f in contract.features])
    yield from _reserved(contract)
    yield from _key_and_date(contract)
    for i, column in enumerate(contract.columns):
        yield from column_issues(f"columns[{i}]", column)
    yield from _layout_issues(contract)
    yield from _target_issues(contract)
    yield from _source_names(contract)
    yield from _duplicates("row_rules", [rule.name for rule in contract.row_rules])
    for i, rule in enumerate(contract.row_rules):
        yield from _row_rule_issues(f"row_rules[{i}]", rule, contract)
    yield from _exposure_issues(contract)
    for i, feature in enumerate(contract.features):
        yield from _feature_issues(f"features[{i}]", feature, contract)
    for i, name in enumerate(contract.forbidden_features):
        if name not in contract.by_name:
            yield _no_column(f"forbidden_features[{i}]", "names", name, contract)


def column_issues(path: str, column: Column) -> Iterator[Issue]:
    """Every issue of one column at a key path."""
    yield from _sql_issues(f"{path}.sql", column.source_sql)
    low, high = column.minimum, column.maximum
    for key, bound in (("minimum", low), ("maximum", high)):
        if bound is not None and column.type not in RANGED:
            message = f"a {column.type} column has no range"
            yield Issue(f"{path}.{key}", message, f"Remove it, or make {column.name!r} a number.", "not_applicable")
    if low is not None and high is not None and low > high:
        message = f"minimum {low:g} is above maximum {high:g}: every value would be invalid"
        yield Issue(f"{path}.minimum", message, "Swap them, or correct one.", "wrong_order")
    if column.allowed is not None and column.type != "text":
        message = f"only a text column has categories, and {column.name!r} is {column.type}"
        yield Issue(f"{path}.allowed", message, "Remove it, or make the type text.", "not_applicable")
    yield from _categories(f"{path}.allowed", column.allowed or ())
    yield from _format_issues(path, column)


def _layout_issues(contract: ContractParts) -> Iterator[Issue]:
    if contract.layouts and contract.tables:
        message = "a book of linked files has no layouts: its columns read the joined row"
        yield Issue("layouts", message, "Remove them, and convert the values in the join.", "not_applicable")
        return
    yield from _duplicates("layouts", [layout.name for layout in contract.layouts])
    for i, layout in enumerate(contract.layouts):
        path = f"layouts[{i}]"
        yield from _duplicates(f"{path}.columns", [column.name for column in layout.columns])
        for j, raw in enumerate(layout.header_has):
            if raw != raw.lower():
                message = f"{raw!r} has upper-case letters, and headers are compared in lower case"
                yield Issue(f"{path}.header_has[{j}]", message, f"Write {raw.lower()!r}.", "not_lower_case")
        for j, item in enumerate(layout.columns):
            column = contract.by_name.get(item.name)
            if column is None:
                yield _no_column(f"{path}.columns[{j}].name", "names", item.name, contract)
            else:
                yield from _format_issues(f"{path}.columns[{j}]", item.applied(column))


def _format_issues(path: str, column: Column) -> Iterator[Issue]:
    if column.written_as is not None and column.type != "percent":
        message = f"only a percent column is written as a {column.written_as}, and {column.name!r} is {column.type}"
        yield Issue(f"{path}.written_as", message, "Remove it, or make the type percent.", "not_applicable")
    if column.decimal is not None and column.type not in RANGED:
        message = f"only a number has a decimal sign, and {column.name!r} is {column.type}"
        yield Issue(f"{path}.decimal", message, "Remove it, or make the column a number.", "not_applicable")
    if column.date_format is None:
        return
    if column.type != "date":
        message = f"only a date has a date format, and {column.name!r} is {column.type}"
        yield Issue(f"{path}.date_format", message, "Remove it, or make the type date.", "not_applicable")
    elif message := format_issue(column.date_format):
        yield Issue(f"{path}.date_format", message, FORMAT_HINT, "invalid_date_format")


def _duplicates(path: str, names: list[str]) -> Iterator[Issue]:
    first: dict[str, int] = {}
    for i, name in enumerate(names):
        if name in first:
            message = f"the name {name!r} is also the name of {path}[{first[name]}]"
            yield Issue(f"{path}[{i}].name", message, "Rename one of the two.", "duplicate_name")
        first.setdefault(name, i)


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
            yield _no_column(key, "names", name, contract)
    date = contract.by_name.get(contract.event_date or "")
    if date is not None and date.type != "date":
        message = f"column {date.name!r} is {date.type}, not a date: loans would have no vintage"
        yield Issue("event_date", message, f"Give {date.name!r} the type date, or name another column.", "wrong_type")


def _categories(path: str, words: Iterable[str]) -> Iterator[Issue]:
    """Categories that differ only in case and spacing: the second one would never occur."""
    first: dict[str, str] = {}
    for i, word in enumerate(words):
        plain = spelling(word)
        if plain in first:
            message = f"{word!r} and {first[plain]!r} are the same category, because case and spacing are ignored"
            yield Issue(f"{path}[{i}]", message, "Keep one of the two.", "duplicate_category")
        first.setdefault(plain, word)


def _target_issues(contract: ContractParts) -> Iterator[Issue]:
    if issues := list(_sql_issues("target.sql", contract.target.sql)):
        yield from issues
    elif not columns_read(contract.target.sql):
        message = "reads no column: every loan would have the same outcome"
        yield Issue("target.sql", message, "Derive it from the raw column with the outcome of the loan.", "constant")


def _source_names(contract: ContractParts) -> Iterator[Issue]:
    """Issues of the alternative names of raw columns."""
    parts: list[tuple[str, Column | Target]] = [(f"columns[{i}]", column) for i, column in enumerate(contract.columns)]
    parts.append(("target", contract.target))
    if not contract.tables:
        yield from source_name_issues(parts)
        return
    for path, part in parts:
        if part.sources:
            hint = "Give the names to the column of the table in `tables`."
            yield Issue(f"{path}.sources", "the joined row is no file", hint, "not_applicable")


def source_name_issues(parts: Sequence[tuple[str, Column | Target]]) -> Iterator[Issue]:
    """Issues of `sources` of the columns and the target of one file: each name must mean one raw column.

    Args:
        parts: key path and column, or target.
    """
    read = {name: path for path, part in parts for name in _raw(part)}
    meaning: dict[str, str] = {}
    for path, part in parts:
        names = [plain_name(name) for name in part.sources]
        if names and (reads := _raw(part)) and names[0] not in reads:
            message = f"the SQL does not read {part.sources[0]!r}"
            hint = "List first the name that the SQL uses."
            yield Issue(f"{path}.sources[0]", message, hint, "unknown_column")
            continue
        for i, name in enumerate(names[1:], start=1):
            if name in names[:i]:
                yield Issue(f"{path}.sources[{i}]", f"{part.sources[i]!r} is listed twice", _REMOVE, "duplicate_name")
            elif name in read:
                message = f"{part.sources[i]!r} is a raw column of its own, which {read[name]} reads"
                yield Issue(f"{path}.sources[{i}]", message, _REMOVE, "duplicate_name")
            elif meaning.setdefault(name, names[0]) != names[0]:
                message = f"{part.sources[i]!r} is a name of {meaning[name]!r} too"
                yield Issue(f"{path}.sources[{i}]", message, _REMOVE, "duplicate_name")


def _row_rule_issues(path: str, rule: RowRule, contract: ContractParts) -> Iterator[Issue]:
    path, where = f"{path}.sql", f"the rule {rule.name!r} reads"
    if issues := list(_sql_issues(path, rule.sql)):
        yield from issues
        return
    if not rule.columns:
        message = f"the rule {rule.name!r} reads no column: it says the same of every row"
        yield Issue(path, message, "Compare columns, or remove it.", "constant")
    for name in sorted(rule.columns):
        column = contract.by_name.get(name)
        if column is None:
            yield _no_column(path, where, name, contract)
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
    if issues := list(_sql_issues("exposure.sql", contract.exposure.sql)):
        yield from issues
        return
    for name in sorted(columns_read(contract.exposure.sql)):
        column = contract.by_name.get(name)
        if column is None:
            yield _no_column("exposure.sql", "the exposure reads", name, contract)
        elif column.available_at != "application":
            message = f"the exposure reads {name!r}, which is not available at application"
            yield Issue("exposure.sql", message, "Compute it from what the applicant asks for.", "leak")


def _feature_issues(path: str, feature: Feature, contract: ContractParts) -> Iterator[Issue]:
    if issues := list(_sql_issues(f"{path}.sql", feature.sql)):
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
        return _no_column(path, where, name, contract)
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


def _sql_issues(path: str, sql: str) -> Iterator[Issue]:
    try:
        columns_read(sql)
    except SqlError as error:
        yield Issue(path, str(error), "Correct the SQL.", "invalid_sql")


def _no_column(path: str, where: str, name: str, contract: ContractParts) -> Issue:
    made = [c.name for c in contract.columns if (c.sql or c.sources) and name in _raw(c)]
    if made:
        hint = f"It is a raw column. The column made from it is {made[0]!r}."
    else:
        hint = did_you_mean(name, contract.by_name) or "Add the column, or correct the name."
    return Issue(path, f"{where} {name!r}, which is no column", hint, "unknown_column")


def _raw(part: Column | Target) -> frozenset[str]:
    try:
        return part.raw_columns
    except SqlError:
        return frozenset()
