"""What can be wrong with a contract that is well-formed: every issue, with its key path, why, and what to do."""

from collections.abc import Iterable, Iterator

from loan_platform.core.book.close_names import did_you_mean
from loan_platform.core.book.constants import RESERVED_NAMES
from loan_platform.core.book.contract_parts import Column, ContractParts, Feature
from loan_platform.core.book.date_formats import format_issue
from loan_platform.core.book.sql import SqlError, columns_read
from loan_platform.core.errors import Issue

RANGED = ("number", "integer", "percent")


def contract_issues(contract: ContractParts) -> Iterator[Issue]:
    """Every mistake of a contract, in the order of its keys."""
    yield from _duplicates("columns", [c.name for c in contract.columns])
    yield from _duplicates("features", [f.name for f in contract.features])
    yield from _reserved(contract)
    yield from _key_and_date(contract)
    for i, column in enumerate(contract.columns):
        yield from column_issues(f"columns[{i}]", column)
    yield from _target_issues(contract)
    yield from _exposure_issues(contract)
    for i, feature in enumerate(contract.features):
        yield from _feature_issues(f"features[{i}]", feature, contract)
    for i, name in enumerate(contract.forbidden_features):
        if name not in contract.by_name:
            yield _no_column(f"forbidden_features[{i}]", "excludes", name, contract)


def column_issues(path: str, column: Column) -> Iterator[Issue]:
    """Every mistake of one column, which stands at a key path."""
    yield from _sql_issues(f"{path}.sql", column.source_sql)
    low, high = column.minimum, column.maximum
    for key, bound in (("minimum", low), ("maximum", high)):
        if bound is not None and column.type not in RANGED:
            message = f"a {column.type} column has no range"
            yield Issue(f"{path}.{key}", message, f"Remove it, or make {column.name!r} a number.")
    if low is not None and high is not None and low > high:
        message = f"minimum {low:g} is above maximum {high:g}, so every value would be refused"
        yield Issue(f"{path}.minimum", message, "Swap them, or correct one.")
    if column.allowed is not None and column.type != "text":
        message = f"only a text column has categories, {column.name!r} is {column.type}"
        yield Issue(f"{path}.allowed", message, "Remove it, or make the type text.")
    yield from _categories(f"{path}.allowed", column.allowed or ())
    yield from _format_issues(path, column)


def _format_issues(path: str, column: Column) -> Iterator[Issue]:
    if column.decimal is not None and column.type not in RANGED:
        message = f"only a number has a decimal sign, {column.name!r} is {column.type}"
        yield Issue(f"{path}.decimal", message, "Remove it, or make the column a number.")
    if column.date_format is None:
        return
    if column.type != "date":
        message = f"only a date has a date format, {column.name!r} is {column.type}"
        yield Issue(f"{path}.date_format", message, "Remove it, or make the type date.")
    elif message := format_issue(column.date_format):
        yield Issue(f"{path}.date_format", message, "Write it as in %d.%m.%Y.")


def _duplicates(path: str, names: list[str]) -> Iterator[Issue]:
    first: dict[str, int] = {}
    for i, name in enumerate(names):
        if name in first:
            yield Issue(
                f"{path}[{i}].name", f"the name {name!r} is that of {path}[{first[name]}] too", "Rename one of the two."
            )
        first.setdefault(name, i)


def _reserved(contract: ContractParts) -> Iterator[Issue]:
    hint = "Choose another name."
    for i, column in enumerate(contract.columns):
        if column.name in RESERVED_NAMES:
            yield Issue(f"columns[{i}].name", f"{column.name!r} is a name that the platform uses itself", hint)
    taken = RESERVED_NAMES | {contract.entity_key, contract.event_date}
    for i, feature in enumerate(contract.features):
        if feature.name in taken:
            message = f"{feature.name!r} is the key, the date or the platform's own"
            yield Issue(f"features[{i}].name", message, hint)


def _key_and_date(contract: ContractParts) -> Iterator[Issue]:
    for key in ("entity_key", "event_date"):
        if (name := getattr(contract, key)) is not None and name not in contract.by_name:
            yield _no_column(key, "names", name, contract)
    date = contract.by_name.get(contract.event_date or "")
    if date is not None and date.type != "date":
        message = f"column {date.name!r} is {date.type}, so loans have no vintage"
        yield Issue("event_date", message, f"Give {date.name!r} the type date, or name another column.")


def _categories(path: str, words: Iterable[str]) -> Iterator[Issue]:
    """Two spellings of one category: the second would never occur, as case and spacing are ignored."""
    first: dict[str, str] = {}
    for i, word in enumerate(words):
        plain = " ".join(word.lower().split())
        if plain in first:
            message = f"{word!r} and {first[plain]!r} are the same category, as case and spacing are ignored"
            yield Issue(f"{path}[{i}]", message, "Keep one of the two.")
        first.setdefault(plain, word)


def _target_issues(contract: ContractParts) -> Iterator[Issue]:
    if issues := list(_sql_issues("target.sql", contract.target.sql)):
        yield from issues
    elif not columns_read(contract.target.sql):
        message = "reads no column, so every loan has the same outcome and nothing can be learned"
        yield Issue("target.sql", message, "Derive it from the raw column that tells how the loan went.")


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
        elif column.known != "application":
            message = f"the exposure reads {name!r}, which is not known when an applicant asks for the loan"
            yield Issue("exposure.sql", message, "Compute it from what the applicant asks for.")


def _feature_issues(path: str, feature: Feature, contract: ContractParts) -> Iterator[Issue]:
    if issues := list(_sql_issues(f"{path}.sql", feature.sql)):
        yield from issues
        return
    if not feature.columns:
        message = f"feature {feature.name!r} reads no column, so it is the same for every loan"
        yield Issue(f"{path}.sql", message, "Compute it from columns, or remove it.")
    for name in sorted(feature.columns):
        if issue := _reading_issue(f"{path}.sql", f"feature {feature.name!r} reads", name, contract):
            yield issue
    if feature.kind == "category" and feature.monotone:
        yield Issue(f"{path}.monotone", "a category has no direction", "Remove it, or make the kind number.")


def _reading_issue(path: str, where: str, name: str, contract: ContractParts) -> Issue | None:
    column = contract.by_name.get(name)
    if column is None:
        return _no_column(path, where, name, contract)
    if column.known == "after_origination":
        message = f"{where} {name!r}, which is known only after origination (a leak): an applicant has no such value"
        return Issue(path, message, "Remove it; if the value is known at application, correct the column's `known`.")
    if column.protected:
        return Issue(path, f"{where} the protected column {name!r}", "Remove it: a decision must not depend on it.")
    if name in contract.forbidden_features:
        return Issue(path, f"{where} {name!r}, which forbidden_features excludes", "Remove it from one of the two.")
    return None


def _sql_issues(path: str, sql: str) -> Iterator[Issue]:
    try:
        columns_read(sql)
    except SqlError as error:
        yield Issue(path, str(error), "Correct the SQL.")


def _no_column(path: str, where: str, name: str, contract: ContractParts) -> Issue:
    made = [column.name for column in contract.columns if column.sql and name in _raw(column)]
    if made:
        hint = f"It is a raw column: the column made of it is {made[0]!r}."
    else:
        hint = did_you_mean(name, contract.by_name) or "Add the column, or correct the name."
    return Issue(path, f"{where} {name!r}, which is no column", hint)


def _raw(column: Column) -> frozenset[str]:
    try:
        return column.raw_columns
    except SqlError:
        return frozenset()
