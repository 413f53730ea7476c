"""The steps from raw text rows to typed and refused ones, on a DuckDB connection of their own."""

from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from loan_platform.adapters.sources.raw_files import raw_columns
from loan_platform.core.book.constants import TARGET
from loan_platform.core.staging.parsing import name, quoted
from loan_platform.core.staging.quarantine_reasons import FAULT_TYPE
from loan_platform.core.staging.table import Table
from loan_platform.core.staging.typed_rows import (
    Fractions,
    accepted_sql,
    faults_sql,
    fractions_sql,
    profile_sql,
    suspect_sql,
    typed_sql,
)


@dataclass(frozen=True)
class Refusals:
    """What is known once every row has been looked at; the tables `faults` and `refused` hold the rows."""

    fractions: Fractions
    clean: frozenset[str]
    rows: int


def find_refusals(connection: duckdb.DuckDBPyConnection, table: Table, raw: Path) -> Refusals:
    """Create view `raw` and the tables `faults` (rows with any fault) and `refused` (rows not accepted)."""
    # The rows of a join have types already: as text they go the same way as any file's.
    texts = [f"CAST({name(column)} AS VARCHAR) AS {name(column)}" for column in raw_columns(table)]
    columns = ", ".join(["source_file", "source_line", *texts])
    connection.execute(
        f"CREATE VIEW raw AS SELECT file_row_number AS __row, {columns} "
        f"FROM read_parquet({quoted(str(raw))}, file_row_number = true)"
    )
    fractions = _fractions(connection, table)
    clean = _clean_columns(connection, table, fractions)
    _find_faults(connection, table, fractions, clean)
    if table.key:
        _find_duplicates(connection, table)
    rows, refused = connection.execute("SELECT (SELECT count(*) FROM raw), (SELECT count(*) FROM refused)").fetchall()[
        0
    ]
    if refused:
        bits = f"SELECT bitstring_agg(CAST(__row AS INTEGER), 0, {rows}) FROM refused"
        connection.execute(f"SET VARIABLE refused_rows = ({bits})")
    return Refusals(fractions, clean, refused)


def accepted_rows_sql(table: Table, refusals: Refusals) -> str:
    """Every row that is not refused, typed, in source order.

    A join with the refused rows would lose the order, so each row looks itself up in a string of bits.
    """
    good = "get_bit(getvariable('refused_rows'), CAST(__row AS INTEGER)) = 0" if refusals.rows else "true"
    typed = typed_sql(table, "raw", refusals.fractions, refusals.clean, good)
    return f"SELECT {accepted_sql(table, refusals.clean)} FROM ({typed})"


def quarantined_rows_sql(rejects: Path | None, before: Path | None) -> str:
    """Every refused row, structural reject and row that was quarantined before, in source order."""
    earlier = f"UNION ALL BY NAME FROM read_parquet({quoted(str(before))})" if before else ""
    structural = ""
    if rejects:
        fault = f"CAST(row(NULL, 'structural', message, true) AS {FAULT_TYPE})"
        found = f"SELECT source_file, source_line, [{fault}] FROM read_parquet({quoted(str(rejects))})"
        structural = f"UNION ALL {found}"
    return f"""
    SELECT source_file, source_line, first_fault."column" AS "column", first_fault.reason AS reason,
        first_fault.message AS message,
        list_transform(faults, lambda fault: {{'column': fault."column", 'reason': fault.reason,
            'message': fault.message}}) AS faults
    FROM (
        SELECT *, list_filter(faults, lambda fault: fault.refused)[1] AS first_fault FROM (
            SELECT source_file, source_line, faults FROM refused
            {structural}
        )
    ) {earlier} ORDER BY source_file, source_line"""


def nulled_values(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], int]:
    """Values dropped from accepted rows, by (column, reason)."""
    rows = connection.execute(
        'SELECT fault."column", fault.reason, count(*) FROM (SELECT unnest(faults) AS fault FROM faults '
        "WHERE NOT EXISTS (FROM refused WHERE refused.__row = faults.__row)) GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    return {(str(column), str(reason)): int(count) for column, reason, count in rows}


def _fractions(connection: duckdb.DuckDBPyConnection, table: Table) -> Fractions:
    query = fractions_sql(table, "raw")
    if query is None:
        return {}
    result = connection.execute(query)
    names = [column[0] for column in result.description][1:]
    rows = result.fetchall()
    found = {column: frozenset(row[0] for row in rows if row[i]) for i, column in enumerate(names, start=1)}
    return {column: files for column, files in found.items() if files}


def _clean_columns(connection: duckdb.DuckDBPyConnection, table: Table, fractions: Fractions) -> frozenset[str]:
    """Columns without any fault, and `target` where every target is sound."""
    checks = connection.execute(profile_sql(table, "raw", fractions)).fetchall()[0]
    names = [*(column.name for column in table.columns), TARGET]
    return frozenset(column for column, clean in zip(names, checks, strict=True) if clean)


def _find_faults(
    connection: duckdb.DuckDBPyConnection, table: Table, fractions: Fractions, clean: frozenset[str]
) -> None:
    doubtful = replace(table, columns=tuple(c for c in table.columns if c.name not in clean))
    suspect = suspect_sql(doubtful) if doubtful.columns or TARGET not in clean else "false"
    connection.execute(
        f"CREATE TABLE faults AS SELECT __row, source_file, source_line, {faults_sql(doubtful)} AS faults "
        f"FROM ({typed_sql(doubtful, 'raw', fractions)}) WHERE {suspect}"
    )
    connection.execute(
        "CREATE TABLE refused AS SELECT __row, source_file, source_line, faults FROM faults "
        "WHERE len(list_filter(faults, lambda fault: fault.refused)) > 0"
    )


def _find_duplicates(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Add to `refused` every row whose key is that of an earlier row without a fault."""
    columns = tuple(next(column for column in table.columns if column.name == name) for name in table.key)
    value = "v0" if len(columns) == 1 else f"row({', '.join(f'v{i}' for i in range(len(columns)))})"
    keys = f"SELECT *, {value} AS key FROM ({typed_sql(replace(table, columns=columns), 'raw', {})})"
    connection.execute(f"CREATE TABLE twice AS SELECT key FROM ({keys}) GROUP BY key HAVING count(*) > 1")
    if connection.execute("SELECT count(*) FROM twice").fetchall()[0][0] == 0:
        return
    told = " and ".join(table.key)
    same = f"{told} {'is' if len(table.key) == 1 else 'are'} that of an earlier row: "
    message = f"{quoted(same)} || first_file || ' line ' || first_line"
    fault = f"CAST(row({quoted(told)}, 'duplicate_key', {message}, true) AS {FAULT_TYPE})"
    connection.execute(f"""
        INSERT INTO refused
        SELECT __row, source_file, source_line, [{fault}]
        FROM (
            SELECT *, row_number() OVER same AS place, first(source_file) OVER same AS first_file,
                first(source_line) OVER same AS first_line
            FROM (SELECT __row, source_file, source_line, key FROM ({keys})) AS keyed
            WHERE key IN (FROM twice) AND NOT EXISTS (FROM refused WHERE refused.__row = keyed.__row)
            WINDOW same AS (PARTITION BY key ORDER BY __row)
        ) WHERE place > 1""")
