"""Check in DuckDB, on an empty table, that the SQL of columns and target runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import duckdb

from loan_platform.adapters.sources.relation import raw_columns
from loan_platform.adapters.storage.duckdb_files import OFFLINE, limit_files
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.parts.columns import Column, Target
from loan_platform.core.book.sql import SqlError, columns_read, quote_identifier
from loan_platform.core.errors import Issue
from loan_platform.core.staging.table import Table
from loan_platform.core.staging.typed_rows import typed_sql

_NO_TARGET = Target(sql="NULL", description="Not checked.")
_CODE = "sql_does_not_run"


def sql_issues(contract: Contract) -> Iterator[Issue]:
    """Every SQL of a contract without linked files that DuckDB would reject at staging.

    SQL that cannot be parsed is skipped, because the contract's own checks report it.
    """
    table = Table.from_contract(contract)
    columns = {i: column for i, column in enumerate(contract.columns) if _parses(column.source_sql)}
    target = contract.target if _parses(contract.target.sql) else _NO_TARGET
    parsed = replace(table, columns=tuple(columns.values()), target=target)
    with empty_rows(parsed) as connection:
        if _error(connection, parsed) is None:
            return
        for i, column in columns.items():
            if message := _error(connection, replace(parsed, columns=(column,), target=_NO_TARGET)):
                yield Issue(f"columns[{i}].{_key(column)}", *_format_error(message), _CODE)
        if message := _error(connection, replace(parsed, columns=(), target=target)):
            yield Issue("target.sql", *_format_error(message), _CODE)


@contextmanager
def empty_rows(table: Table) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with the table `raw` that staging reads, without rows."""
    connection = duckdb.connect(config={"threads": 1, **OFFLINE})
    try:
        limit_files(connection)
        texts = [f"{quote_identifier(column)} VARCHAR" for column in raw_columns(table)]
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


def _error(connection: duckdb.DuckDBPyConnection, table: Table) -> str | None:
    try:
        connection.execute(f"DESCRIBE {typed_sql(table, 'raw', {})}")
    except duckdb.Error as error:
        return str(error)
    return None


def _format_error(message: str) -> tuple[str, str]:
    """DuckDB's message without its position, which refers to a longer query; and a hint."""
    lines = [line.strip() for line in message.splitlines()]
    kind, _, message = lines[0].partition(": ")
    hint = next((line for line in lines if line.startswith("Did you mean")), "")
    if "No function matches" in message:
        hint = "Raw values are text: cast them, as in TRY_CAST(amount AS DOUBLE)."
    elif "GROUP BY" in message or "aggregate" in message.lower():
        hint = "The SQL sees one raw row, so it cannot aggregate."
    return f"DuckDB cannot run it: {(message or kind).rstrip('.!')}", hint or "Correct the SQL."
