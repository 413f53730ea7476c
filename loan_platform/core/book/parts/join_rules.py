"""Rules that the linked tables of a contract and the query that joins them must keep."""

from collections import Counter
from collections.abc import Iterator

from loan_platform.core.book.close_names import did_you_mean
from loan_platform.core.book.constants import MAIN_TABLE, RESERVED_NAMES, SOURCE_LOCATION
from loan_platform.core.book.parts.column_rules import column_issues, source_name_issues
from loan_platform.core.book.parts.contract_parts import ContractParts, SourceTable
from loan_platform.core.book.sql import Query, SqlError, columns_read, query_of
from loan_platform.core.errors import Issue

_RENAME = "Rename all but one of them."


def join_issues(contract: ContractParts) -> Iterator[Issue]:
    """Every issue of `tables` and `join`, and of the columns that read the joined row; none for a book of one file."""
    if not contract.tables and contract.join is None:
        return
    yield from _tables_issues(contract)
    for i, table in enumerate(contract.tables):
        yield from _table_issues(f"tables[{i}]", table)
    if contract.join is None:
        hint = "Write a SELECT that gives one row per loan."
        yield Issue("join", "there are `tables`, and no query that joins them", hint, "missing_join")
        return
    try:
        query = query_of(contract.join)
    except SqlError as error:
        yield Issue("join", str(error), "Correct the SQL.", "invalid_sql")
        return
    yield from _query_issues(contract, query)
    if query.columns is not None:
        yield from _reading_issues(contract, query.columns)


def _tables_issues(contract: ContractParts) -> Iterator[Issue]:
    names = [table.name for table in contract.tables]
    for name, count in Counter(names).items():
        if count > 1:
            yield Issue("tables", f"the name {name!r} is used {count} times", _RENAME, "duplicate_name")
    if MAIN_TABLE not in names:
        message = f"there is no table {MAIN_TABLE!r}, which applications replace in scoring"
        yield Issue("tables", message, f"Call the table with a row for each loan {MAIN_TABLE!r}.", "missing_table")
        return
    main = next(table for table in contract.tables if table.name == MAIN_TABLE)
    if contract.entity_key not in main.by_name:
        message = (
            f"the table {MAIN_TABLE!r} has no column {contract.entity_key!r}, so a loan that the join loses is not seen"
        )
        hint = did_you_mean(contract.entity_key, main.by_name) or "Add the column to the table."
        yield Issue("entity_key", message, hint, "missing_column")


def _table_issues(path: str, table: SourceTable) -> Iterator[Issue]:
    for name, count in Counter(column.name for column in table.columns).items():
        if count > 1:
            yield Issue(f"{path}.columns", f"the name {name!r} is used {count} times", _RENAME, "duplicate_name")
    for i, column in enumerate(table.columns):
        if column.name in RESERVED_NAMES:
            message = f"{column.name!r} is reserved by the platform"
            yield Issue(f"{path}.columns[{i}].name", message, "Choose another name.", "reserved_name")
        yield from column_issues(f"{path}.columns[{i}]", column)
    yield from source_name_issues([(f"{path}.columns[{i}]", column) for i, column in enumerate(table.columns)])
    for i, name in enumerate(table.key):
        if name not in table.by_name:
            yield _no_column(f"{path}.key[{i}]", name, table)
    if table.as_of is not None:
        column = table.by_name.get(table.as_of)
        if column is None:
            yield _no_column(f"{path}.as_of", table.as_of, table)
        elif column.type != "date":
            message = f"{table.as_of!r} is {column.type}, not a date: it cannot say from when a row is known"
            yield Issue(f"{path}.as_of", message, "Name a date column, or make its type date.", "wrong_type")


def _query_issues(contract: ContractParts, query: Query) -> Iterator[Issue]:
    known = {table.name for table in contract.tables}
    for name in sorted(query.tables - known):
        hint = did_you_mean(name, known) or f"The tables are {', '.join(sorted(known))}."
        yield Issue("join", f"reads {name!r}, which is no table of the contract", hint, "unknown_table")
    for name in sorted(known - query.tables):
        yield Issue("join", f"does not read the table {name!r}", "Join it, or remove it from `tables`.", "unused_table")
    for name in SOURCE_LOCATION:
        if query.columns is not None and name not in query.columns:
            hint = "Select it from the table that has one row for each loan."
            message = f"does not select {name!r}, which locates a row in its file"
            yield Issue("join", message, hint, "missing_column")


def _reading_issues(contract: ContractParts, given: frozenset[str]) -> Iterator[Issue]:
    """Columns and target that read what the join does not give."""
    reads = [(f"columns[{i}].sql", column.source_sql) for i, column in enumerate(contract.columns)]
    for path, sql in [*reads, ("target.sql", contract.target.sql)]:
        try:
            missing = sorted(columns_read(sql) - given)
        except SqlError:  # reported by the rules of columns
            continue
        for name in missing:
            hint = did_you_mean(name, given) or "Add it to the SELECT of the join."
            yield Issue(path, f"reads {name!r}, which the join does not select", hint, "unknown_column")


def _no_column(path: str, name: str, table: SourceTable) -> Issue:
    hint = did_you_mean(name, table.by_name) or f"The table has {', '.join(table.by_name)}."
    return Issue(path, f"names {name!r}, which is no column of the table {table.name!r}", hint, "unknown_column")
