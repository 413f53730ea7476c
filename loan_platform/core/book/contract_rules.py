"""What can be wrong with a contract that is well-formed: every mistake, with its key path, why, and what to do."""

from collections.abc import Iterable, Iterator

from loan_platform.core.book.constants import RESERVED_NAMES
from loan_platform.core.book.contract_parts import Column, ContractParts, Feature
from loan_platform.core.book.date_formats import format_problem
from loan_platform.core.book.issues import Problem, did_you_mean
from loan_platform.core.book.sql import SqlError, columns_read

RANGED = ("number", "integer", "percent")


def problems_of(contract: ContractParts) -> Iterator[Problem]:
    """Every mistake of a contract, in the order of its keys."""
    yield from _duplicates("columns", [c.name for c in contract.columns])
    yield from _duplicates("features", [f.name for f in contract.features])
    yield from _reserved(contract)
    yield from _key_and_date(contract)
    for i, column in enumerate(contract.columns):
        yield from column_problems(f"columns[{i}]", column)
    yield from _target_problems(contract)
    yield from _exposure_problems(contract)
    for i, feature in enumerate(contract.features):
        yield from _feature_problems(f"features[{i}]", feature, contract)
    for i, name in enumerate(contract.forbidden_features):
        if name not in contract.by_name:
            yield _no_column(f"forbidden_features[{i}]", "excludes", name, contract)


def column_problems(path: str, column: Column) -> Iterator[Problem]:
    """Every mistake of one column, which stands at a key path."""
    yield from _sql_problems(f"{path}.sql", column.source_sql)
    low, high = column.minimum, column.maximum
    for key, bound in (("minimum", low), ("maximum", high)):
        if bound is not None and column.type not in RANGED:
            reason = f"a {column.type} column has no range"
            yield Problem(f"{path}.{key}", reason, f"Remove it, or make {column.name!r} a number.")
    if low is not None and high is not None and low > high:
        reason = f"minimum {low:g} is above maximum {high:g}, so every value would be refused"
        yield Problem(f"{path}.minimum", reason, "Swap them, or correct one.")
    if column.allowed is not None and column.type != "text":
        reason = f"only a text column has categories, {column.name!r} is {column.type}"
        yield Problem(f"{path}.allowed", reason, "Remove it, or make the type text.")
    yield from _categories(f"{path}.allowed", column.allowed or ())
    yield from _format_problems(path, column)


def _format_problems(path: str, column: Column) -> Iterator[Problem]:
    if column.decimal is not None and column.type not in RANGED:
        reason = f"only a number has a decimal sign, {column.name!r} is {column.type}"
        yield Problem(f"{path}.decimal", reason, "Remove it, or make the column a number.")
    if column.date_format is None:
        return
    if column.type != "date":
        reason = f"only a date has a date format, {column.name!r} is {column.type}"
        yield Problem(f"{path}.date_format", reason, "Remove it, or make the type date.")
    elif reason := format_problem(column.date_format):
        yield Problem(f"{path}.date_format", reason, "Write it as in %d.%m.%Y.")


def _duplicates(path: str, names: list[str]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for i, name in enumerate(names):
        if name in first:
            yield Problem(
                f"{path}[{i}].name", f"the name {name!r} is that of {path}[{first[name]}] too", "Rename one of the two."
            )
        first.setdefault(name, i)


def _reserved(contract: ContractParts) -> Iterator[Problem]:
    mend = "Choose another name."
    for i, column in enumerate(contract.columns):
        if column.name in RESERVED_NAMES:
            yield Problem(f"columns[{i}].name", f"{column.name!r} is a name that the platform uses itself", mend)
    taken = RESERVED_NAMES | {contract.entity_key, contract.event_date}
    for i, feature in enumerate(contract.features):
        if feature.name in taken:
            reason = f"{feature.name!r} is the key, the date or the platform's own"
            yield Problem(f"features[{i}].name", reason, mend)


def _key_and_date(contract: ContractParts) -> Iterator[Problem]:
    for key in ("entity_key", "event_date"):
        if (name := getattr(contract, key)) is not None and name not in contract.by_name:
            yield _no_column(key, "names", name, contract)
    date = contract.by_name.get(contract.event_date or "")
    if date is not None and date.type != "date":
        reason = f"column {date.name!r} is {date.type}, so loans have no vintage"
        yield Problem("event_date", reason, f"Give {date.name!r} the type date, or name another column.")


def _categories(path: str, words: Iterable[str]) -> Iterator[Problem]:
    """Two spellings of one category: the second would never occur, as case and spacing are ignored."""
    first: dict[str, str] = {}
    for i, word in enumerate(words):
        plain = " ".join(word.lower().split())
        if plain in first:
            reason = f"{word!r} and {first[plain]!r} are the same category, as case and spacing are ignored"
            yield Problem(f"{path}[{i}]", reason, "Keep one of the two.")
        first.setdefault(plain, word)


def _target_problems(contract: ContractParts) -> Iterator[Problem]:
    if problems := list(_sql_problems("target.sql", contract.target.sql)):
        yield from problems
    elif not columns_read(contract.target.sql):
        reason = "reads no column, so every loan has the same outcome and nothing can be learned"
        yield Problem("target.sql", reason, "Derive it from the raw column that tells how the loan went.")


def _exposure_problems(contract: ContractParts) -> Iterator[Problem]:
    if contract.exposure is None:
        return
    if problems := list(_sql_problems("exposure.sql", contract.exposure.sql)):
        yield from problems
        return
    for name in sorted(columns_read(contract.exposure.sql)):
        column = contract.by_name.get(name)
        if column is None:
            yield _no_column("exposure.sql", "the exposure reads", name, contract)
        elif column.known != "application":
            reason = f"the exposure reads {name!r}, which is not known when an applicant asks for the loan"
            yield Problem("exposure.sql", reason, "Compute it from what the applicant asks for.")


def _feature_problems(path: str, feature: Feature, contract: ContractParts) -> Iterator[Problem]:
    if problems := list(_sql_problems(f"{path}.sql", feature.sql)):
        yield from problems
        return
    if not feature.columns:
        reason = f"feature {feature.name!r} reads no column, so it is the same for every loan"
        yield Problem(f"{path}.sql", reason, "Compute it from columns, or remove it.")
    for name in sorted(feature.columns):
        if problem := _reading_problem(f"{path}.sql", f"feature {feature.name!r} reads", name, contract):
            yield problem
    if feature.kind == "category" and feature.monotone:
        yield Problem(f"{path}.monotone", "a category has no direction", "Remove it, or make the kind number.")


def _reading_problem(path: str, where: str, name: str, contract: ContractParts) -> Problem | None:
    column = contract.by_name.get(name)
    if column is None:
        return _no_column(path, where, name, contract)
    if column.known == "after_origination":
        reason = f"{where} {name!r}, which is known only after origination (a leak): an applicant has no such value"
        return Problem(path, reason, "Remove it; if the value is known at application, correct the column's `known`.")
    if column.protected:
        return Problem(path, f"{where} the protected column {name!r}", "Remove it: a decision must not depend on it.")
    if name in contract.forbidden_features:
        return Problem(path, f"{where} {name!r}, which forbidden_features excludes", "Remove it from one of the two.")
    return None


def _sql_problems(path: str, sql: str) -> Iterator[Problem]:
    try:
        columns_read(sql)
    except SqlError as error:
        yield Problem(path, str(error), "Correct the SQL.")


def _no_column(path: str, where: str, name: str, contract: ContractParts) -> Problem:
    made = [column.name for column in contract.columns if column.sql and name in _raw(column)]
    if made:
        mend = f"It is a raw column: the column made of it is {made[0]!r}."
    else:
        mend = did_you_mean(name, contract.by_name) or "Add the column, or correct the name."
    return Problem(path, f"{where} {name!r}, which is no column", mend)


def _raw(column: Column) -> frozenset[str]:
    try:
        return column.raw_columns
    except SqlError:
        return frozenset()
