"""Whether DuckDB takes the SQL of columns and target, tried on raw rows of which there are none."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import duckdb

from loan_platform.core.book.contract import Contract
from loan_platform.core.book.contract_parts import Column, Target
from loan_platform.core.book.sql import SqlError, columns_read
from loan_platform.core.errors import Issue
from loan_platform.core.staging.parsing import name
from loan_platform.core.staging.table import Table
from loan_platform.core.staging.typed_rows import typed_sql

_NO_TARGET = Target(sql="NULL", description="Not looked at.")
_OFFLINE = {"threads": 1, "autoinstall_known_extensions": False, "autoload_known_extensions": False}


def binding_issues(contract: Contract) -> Iterator[Issue]:
    """Every SQL of a contract of one file that DuckDB would refuse when the book is staged.

    SQL that is no expression at all is passed over: the contract's own checks tell of it.
    """
    table = Table.from_contract(contract)
    columns = {i: column for i, column in enumerate(contract.columns) if _parses(column.source_sql)}
    target = contract.target if _parses(contract.target.sql) else _NO_TARGET
    sound = replace(table, columns=tuple(columns.values()), target=target)
    with empty_rows(sound) as connection:
        if _refusal(connection, sound) is None:
            return
        for i, column in columns.items():
            if message := _refusal(connection, replace(sound, columns=(column,), target=_NO_TARGET)):
                yield Issue(f"columns[{i}].{_key(column)}", *_told(message))
        if message := _refusal(connection, replace(sound, columns=(), target=target)):
            yield Issue("target.sql", *_told(message))


@contextmanager
def empty_rows(table: Table) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with a table `raw` as staging sees it, without rows."""
    connection = duckdb.connect(config=_OFFLINE)
    try:
        texts = [f"{name(column)} VARCHAR" for column in sorted(table.raw_columns - {"source_file", "source_line"})]
        columns = ", ".join(["__row BIGINT", "source_file VARCHAR", "source_line BIGINT", *texts])
        connection.execute(f"CREATE TABLE raw ({columns})")
        yield connection
    finally:
        connection.close()


def _parses(sql: str) -> bool:
    try:
        columns_read(sql)
    except SqlError:
        return False
    return True


def _key(column: Column) -> str:
    return "sql" if column.sql else "type"


def _refusal(connection: duckdb.DuckDBPyConnection, table: Table) -> str | None:
    try:
        connection.execute(f"DESCRIBE {typed_sql(table, 'raw', {})}")
    except duckdb.Error as error:
        return str(error)
    return None


def _told(message: str) -> tuple[str, str]:
    """DuckDB's reason without its position, which is that in a longer query; and what to do."""
    lines = [line.strip() for line in message.splitlines()]
    kind, _, message = lines[0].partition(": ")
    hint = next((line for line in lines if line.startswith("Did you mean")), "")
    if "No function matches" in message:
        hint = "Raw values are text: cast them, as in TRY_CAST(amount AS DOUBLE)."
    elif "GROUP BY" in message or "aggregate" in message.lower():
        hint = "The SQL sees one raw row; it cannot sum or count others."
    return f"DuckDB, which runs it, refuses it: {(message or kind).rstrip('.!')}", hint or "Correct the SQL."
