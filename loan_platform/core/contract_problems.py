"""What can be wrong with a contract that is well-formed: every mistake, with its key path."""

from collections import Counter
from collections.abc import Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple

from loan_platform.core.sql import SqlError, columns_read

if TYPE_CHECKING:
    from loan_platform.core.contract import Column, Contract, Feature

RESERVED = frozenset({"target", "source_file", "source_line", "probability", "score", "row"})


class Problem(NamedTuple):
    """One mistake in a contract: where (key path) and why."""

    path: str
    reason: str


def problems_of(contract: "Contract") -> Iterator[Problem]:
    """Every mistake of a contract, in the order of its keys."""
    yield from _duplicates("columns", [c.name for c in contract.columns])
    yield from _duplicates("features", [f.name for f in contract.features])
    yield from _reserved(contract)
    for key in ("entity_key", "event_date"):
        if (name := getattr(contract, key)) is not None and name not in contract.by_name:
            yield Problem(key, f"no column {name!r}{_closest(name, contract)}")
    for i, column in enumerate(contract.columns):
        yield from column_problems(f"columns[{i}]", column)
    yield from _sql_problems("target.sql", contract.target.sql)
    for i, feature in enumerate(contract.features):
        yield from _feature_problems(f"features[{i}]", feature, contract)
    for i, name in enumerate(contract.forbidden_features):
        if name not in contract.by_name:
            yield Problem(f"forbidden_features[{i}]", f"no column {name!r}{_closest(name, contract)}")


def _duplicates(path: str, names: list[str]) -> Iterator[Problem]:
    for name, count in Counter(names).items():
        if count > 1:
            yield Problem(path, f"the name {name!r} is used {count} times")


def _reserved(contract: "Contract") -> Iterator[Problem]:
    for i, column in enumerate(contract.columns):
        if column.name in RESERVED:
            yield Problem(f"columns[{i}].name", f"{column.name!r} is a name that the platform uses itself")
    taken = RESERVED | {contract.entity_key, contract.event_date}
    for i, feature in enumerate(contract.features):
        if feature.name in taken:
            yield Problem(f"features[{i}].name", f"{feature.name!r} is the key, the date or the platform's own")


def column_problems(path: str, column: "Column") -> Iterator[Problem]:
    """Mistakes of one column by itself."""
    yield from _sql_problems(f"{path}.sql", column.source_sql)
    low, high = column.minimum, column.maximum
    if (low is not None or high is not None) and column.type not in ("number", "integer", "percent"):
        yield Problem(path, f"a {column.type} column has no range")
    if low is not None and high is not None and low > high:
        yield Problem(path, f"minimum {low} is above maximum {high}")
    if column.allowed is not None and column.type != "text":
        yield Problem(f"{path}.allowed", f"only a text column has categories, {column.name!r} is {column.type}")


def _feature_problems(path: str, feature: "Feature", contract: "Contract") -> Iterator[Problem]:
    if problems := list(_sql_problems(f"{path}.sql", feature.sql)):
        yield from problems
        return
    where = f"feature {feature.name!r} reads"
    for name in sorted(feature.columns):
        column = contract.by_name.get(name)
        if column is None:
            yield Problem(f"{path}.sql", f"{where} {name!r}, which is no column{_closest(name, contract)}")
        elif column.known == "after_origination":
            yield Problem(f"{path}.sql", f"{where} {name!r}, which is known only after origination (a leak)")
        elif column.protected:
            yield Problem(f"{path}.sql", f"{where} the protected column {name!r}")
        elif name in contract.forbidden_features:
            yield Problem(f"{path}.sql", f"{where} {name!r}, which forbidden_features excludes")
    if feature.kind == "category" and feature.monotone:
        yield Problem(f"{path}.monotone", "a category has no direction")


def _sql_problems(path: str, sql: str) -> Iterator[Problem]:
    try:
        columns_read(sql)
    except SqlError as error:
        yield Problem(path, str(error))


def _closest(name: str, contract: "Contract") -> str:
    close = get_close_matches(name, list(contract.by_name), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
