"""What can be wrong with the linked tables of a contract and the query that joins them."""

from collections import Counter
from collections.abc import Iterator

from loan_platform.core.book.constants import MAIN_TABLE, RESERVED_NAMES, SOURCE_LOCATION
from loan_platform.core.book.contract_parts import ContractParts, SourceTable
from loan_platform.core.book.contract_rules import column_problems
from loan_platform.core.book.issues import Problem, did_you_mean
from loan_platform.core.book.sql import Query, SqlError, columns_read, query_of


def join_problems(contract: ContractParts) -> Iterator[Problem]:
    """Every mistake in `tables` and `join`, and in what reads the joined row; none for a book of one file."""
    if not contract.tables and contract.join is None:
        return
    yield from _tables_problems(contract)
    for i, table in enumerate(contract.tables):
        yield from _table_problems(f"tables[{i}]", table)
    if contract.join is None:
        mend = "Write a SELECT that gives one row per loan."
        yield Problem("join", "there are `tables` and no query that joins them to one row per loan", mend)
        return
    try:
        query = query_of(contract.join)
    except SqlError as error:
        yield Problem("join", str(error), "Correct the SQL.")
        return
    yield from _query_problems(contract, query)
    if query.columns is not None:
        yield from _reading_problems(contract, query.columns)


def _tables_problems(contract: ContractParts) -> Iterator[Problem]:
    names = [table.name for table in contract.tables]
    for name, count in Counter(names).items():
        if count > 1:
            yield Problem("tables", f"the name {name!r} is used {count} times", "Rename all but one of them.")
    if MAIN_TABLE not in names:
        reason = f"there is no table {MAIN_TABLE!r}, whose place applications take when they are scored"
        yield Problem("tables", reason, f"Call the table with a row for each loan {MAIN_TABLE!r}.")
        return
    main = next(table for table in contract.tables if table.name == MAIN_TABLE)
    if contract.entity_key not in main.by_name:
        reason = (
            f"the table {MAIN_TABLE!r} has no column {contract.entity_key!r}, so a loan that the join loses is not seen"
        )
        mend = did_you_mean(contract.entity_key, main.by_name) or "Add the column to the table."
        yield Problem("entity_key", reason, mend)


def _table_problems(path: str, table: SourceTable) -> Iterator[Problem]:
    for name, count in Counter(column.name for column in table.columns).items():
        if count > 1:
            yield Problem(f"{path}.columns", f"the name {name!r} is used {count} times", "Rename all but one of them.")
    for i, column in enumerate(table.columns):
        if column.name in RESERVED_NAMES:
            reason = f"{column.name!r} is a name that the platform uses itself"
            yield Problem(f"{path}.columns[{i}].name", reason, "Choose another name.")
        yield from column_problems(f"{path}.columns[{i}]", column)
    for i, name in enumerate(table.key):
        if name not in table.by_name:
            yield _no_column(f"{path}.key[{i}]", name, table)
    if table.as_of is not None:
        column = table.by_name.get(table.as_of)
        if column is None:
            yield _no_column(f"{path}.as_of", table.as_of, table)
        elif column.type != "date":
            reason = f"{table.as_of!r} is {column.type}, so nobody knows from when on a row is known"
            yield Problem(f"{path}.as_of", reason, "Name a date column, or make its type date.")


def _query_problems(contract: ContractParts, query: Query) -> Iterator[Problem]:
    known = {table.name for table in contract.tables}
    for name in sorted(query.tables - known):
        mend = did_you_mean(name, known) or f"The tables are {', '.join(sorted(known))}."
        yield Problem("join", f"reads {name!r}, which is no table of the contract", mend)
    for name in sorted(known - query.tables):
        yield Problem("join", f"does not read the table {name!r}", "Join it, or remove it from `tables`.")
    for name in SOURCE_LOCATION:
        if query.columns is not None and name not in query.columns:
            mend = "Select it from the table that has one row for each loan."
            yield Problem("join", f"does not give {name!r}, so a refused row could not be found in its file", mend)


def _reading_problems(contract: ContractParts, given: frozenset[str]) -> Iterator[Problem]:
    """Columns and target that read what the join does not give."""
    reads = [(f"columns[{i}].sql", column.source_sql) for i, column in enumerate(contract.columns)]
    for path, sql in [*reads, ("target.sql", contract.target.sql)]:
        try:
            missing = sorted(columns_read(sql) - given)
        except SqlError:  # told already
            continue
        for name in missing:
            mend = did_you_mean(name, given) or "Add it to the SELECT of the join."
            yield Problem(path, f"reads {name!r}, which the join does not give", mend)


def _no_column(path: str, name: str, table: SourceTable) -> Problem:
    mend = did_you_mean(name, table.by_name) or f"The table has {', '.join(table.by_name)}."
    return Problem(path, f"names {name!r}, which is no column of the table {table.name!r}", mend)
