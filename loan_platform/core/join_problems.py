"""What can be wrong with the linked tables of a contract and the query that joins them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING

from loan_platform.core.contract_problems import RESERVED, Problem, column_problems
from loan_platform.core.sql import Query, SqlError, columns_read, query_of

if TYPE_CHECKING:
    from loan_platform.core.contract import Contract, SourceTable

MAIN = "loans"
PLACE = ("source_file", "source_line")


def join_problems(contract: "Contract") -> Iterator[Problem]:
    """Every mistake in `tables` and `join`, and in what reads the joined row; none for a book of one file."""
    if not contract.tables and contract.join is None:
        return
    yield from _tables_problems(contract)
    for i, table in enumerate(contract.tables):
        yield from _table_problems(f"tables[{i}]", table)
    if contract.join is None:
        yield Problem("join", "there are `tables` and no query that joins them to one row per loan")
        return
    try:
        query = query_of(contract.join)
    except SqlError as error:
        yield Problem("join", str(error))
        return
    yield from _query_problems(contract, query)
    if query.columns is not None:
        yield from _reading_problems(contract, query.columns)


def _tables_problems(contract: "Contract") -> Iterator[Problem]:
    names = [table.name for table in contract.tables]
    for name, count in Counter(names).items():
        if count > 1:
            yield Problem("tables", f"the name {name!r} is used {count} times")
    if MAIN not in names:
        yield Problem("tables", f"there is no table {MAIN!r}, whose place applications take when they are scored")
        return
    main = next(table for table in contract.tables if table.name == MAIN)
    if contract.entity_key not in main.by_name:
        close = _closest(contract.entity_key, main.by_name)
        yield Problem("entity_key", f"the table {MAIN!r} has no column {contract.entity_key!r}{close}")


def _table_problems(path: str, table: "SourceTable") -> Iterator[Problem]:
    for name, count in Counter(column.name for column in table.columns).items():
        if count > 1:
            yield Problem(f"{path}.columns", f"the name {name!r} is used {count} times")
    for i, column in enumerate(table.columns):
        if column.name in RESERVED:
            yield Problem(f"{path}.columns[{i}].name", f"{column.name!r} is a name that the platform uses itself")
        yield from column_problems(f"{path}.columns[{i}]", column)
    for i, name in enumerate(table.key):
        if name not in table.by_name:
            yield Problem(f"{path}.key[{i}]", f"no column {name!r}{_closest(name, table.by_name)}")
    if table.as_of is not None:
        column = table.by_name.get(table.as_of)
        if column is None:
            yield Problem(f"{path}.as_of", f"no column {table.as_of!r}{_closest(table.as_of, table.by_name)}")
        elif column.type != "date":
            yield Problem(f"{path}.as_of", f"{table.as_of!r} is {column.type}, not a date")


def _query_problems(contract: "Contract", query: Query) -> Iterator[Problem]:
    known = {table.name for table in contract.tables}
    for name in sorted(query.tables - known):
        yield Problem("join", f"reads {name!r}, which is no table of the contract{_closest(name, known)}")
    for name in sorted(known - query.tables):
        yield Problem("join", f"does not read the table {name!r}: join it, or remove it from `tables`")
    for name in PLACE:
        if query.columns is not None and name not in query.columns:
            yield Problem("join", f"does not give {name!r}: where each row came from")


def _reading_problems(contract: "Contract", given: frozenset[str]) -> Iterator[Problem]:
    """Columns and target that read what the join does not give."""
    reads = [(f"columns[{i}].sql", column.source_sql) for i, column in enumerate(contract.columns)]
    for path, sql in [*reads, ("target.sql", contract.target.sql)]:
        try:
            missing = sorted(columns_read(sql) - given)
        except SqlError:  # told already
            continue
        for name in missing:
            yield Problem(path, f"reads {name!r}, which the join does not give{_closest(name, given)}")


def _closest(name: str, names: Iterable[str]) -> str:
    close = get_close_matches(name, list(names), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
