"""The steps from raw text rows to typed and quarantined rows, on one DuckDB connection."""

from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from loan_platform.adapters.sources.relation import raw_columns
from loan_platform.core.book.constants import TARGET
from loan_platform.core.book.sql import quote_identifier, quote_literal
from loan_platform.core.staging.quarantine_reasons import fault_sql
from loan_platform.core.staging.table import LayoutFiles, Table
from loan_platform.core.staging.typed_rows import (
    accepted_sql,
    broken_rules_sql,
    faults_sql,
    profile_sql,
    suspect_sql,
    typed_sql,
)


@dataclass(frozen=True)
class StagingFindings:
    """Result of checking every row. The tables `faults` and `refused` of the connection hold the rows.

    Attributes:
        files: of each layout.
        clean: columns without any fault, and `target` if every target is valid.
        refused: number of rows that are quarantined.
    """

    files: LayoutFiles
    clean: frozenset[str]
    refused: int


def find_faults(connection: duckdb.DuckDBPyConnection, table: Table, raw: Path, files: LayoutFiles) -> StagingFindings:
    """Create the view `raw` and the tables `faults` (rows with any fault) and `refused` (quarantined rows).

    Args:
        connection: of the warehouse.
        table: what is to be staged.
        raw: Parquet file of the raw rows.
        files: of each layout.
    """
    # Joined rows already have types. As text they are parsed in the same way as the rows of a file.
    texts = [
        f"CAST({quote_identifier(column)} AS VARCHAR) AS {quote_identifier(column)}" for column in raw_columns(table)
    ]
    columns = ", ".join(["source_file", "source_line", *texts])
    connection.execute(
        f"CREATE VIEW raw AS SELECT file_row_number AS __row, {columns} "
        f"FROM read_parquet({quote_literal(str(raw))}, file_row_number = true)"
    )
    clean = _clean_columns(connection, table, files)
    _create_fault_tables(connection, table, files, clean)
    if broken := broken_rules_sql(table, "raw", files, clean):  # before duplicates: a broken row outranks no other
        connection.execute(
            f"INSERT INTO refused FROM ({broken}) AS found "
            "WHERE NOT EXISTS (FROM refused WHERE refused.__row = found.__row)"
        )
    if table.key and table.same_key is not None:
        _add_duplicates(connection, table, files)
    counts = "SELECT (SELECT count(*) FROM raw), (SELECT count(*) FROM refused)"
    rows, refused = connection.execute(counts).fetchall()[0]
    if refused:
        bits = f"SELECT bitstring_agg(CAST(__row AS INTEGER), 0, {rows}) FROM refused"
        connection.execute(f"SET VARIABLE refused_rows = ({bits})")
    return StagingFindings(files, clean, refused)


def accepted_rows_sql(table: Table, findings: StagingFindings) -> str:
    """Query of the accepted rows, typed, in source order.

    A join with the quarantined rows would lose the order, so each row is looked up in a bit string.
    """
    good = "get_bit(getvariable('refused_rows'), CAST(__row AS INTEGER)) = 0" if findings.refused else "true"
    typed = typed_sql(table, "raw", findings.files, findings.clean, good)
    return f"SELECT {accepted_sql(table, findings.clean)} FROM ({typed})"


def quarantined_rows_sql(rejects: Path | None, previously_quarantined: tuple[Path, ...]) -> str:
    """Query of quarantined rows, structural rejects and previously quarantined rows, in source order."""
    earlier = " ".join(
        f"UNION ALL BY NAME FROM read_parquet({quote_literal(str(path))})" for path in previously_quarantined
    )
    structural = ""
    if rejects:
        fault = fault_sql("NULL", "structural", "message")
        found = f"SELECT source_file, source_line, [{fault}] FROM read_parquet({quote_literal(str(rejects))})"
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
    """Number of values that were set to null in accepted rows, by (column, reason)."""
    rows = connection.execute(
        'SELECT fault."column", fault.reason, count(*) FROM (SELECT unnest(faults) AS fault FROM faults '
        "WHERE NOT EXISTS (FROM refused WHERE refused.__row = faults.__row)) GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    return {(str(column), str(reason)): int(count) for column, reason, count in rows}


def _clean_columns(connection: duckdb.DuckDBPyConnection, table: Table, files: LayoutFiles) -> frozenset[str]:
    """Columns without any fault, and `target` if every target is valid."""
    checks = connection.execute(profile_sql(table, "raw", files)).fetchall()[0]
    names = [*(column.name for column in table.columns), TARGET]
    return frozenset(column for column, clean in zip(names, checks, strict=True) if clean)


def _create_fault_tables(
    connection: duckdb.DuckDBPyConnection, table: Table, files: LayoutFiles, clean: frozenset[str]
) -> None:
    doubtful = replace(table, columns=tuple(c for c in table.columns if c.name not in clean))
    suspect = suspect_sql(doubtful) if doubtful.columns or TARGET not in clean else "false"
    connection.execute(
        f"CREATE TABLE faults AS SELECT __row, source_file, source_line, {faults_sql(doubtful)} AS faults "
        f"FROM ({typed_sql(doubtful, 'raw', files)}) WHERE {suspect}"
    )
    connection.execute(
        "CREATE TABLE refused AS SELECT __row, source_file, source_line, faults FROM faults "
        "WHERE len(list_filter(faults, lambda fault: fault.refused)) > 0"
    )


def _add_duplicates(connection: duckdb.DuckDBPyConnection, table: Table, files: LayoutFiles) -> None:
    """Add to `refused` every row whose key has another row that counts: the first one, or the latest one."""
    columns = tuple(next(column for column in table.columns if column.name == name) for name in table.key)
    parts = [f"v{i}" for i in range(len(columns))] + ["source_file"] * table.key_in_file
    value = parts[0] if len(parts) == 1 else f"row({', '.join(parts)})"
    dated = (*columns, table.latest_by) if table.latest_by else columns
    date = f"v{len(columns)}" if table.latest_by else "NULL"
    keys = (
        f"SELECT *, {value} AS key, {date} AS latest_by FROM ({typed_sql(replace(table, columns=dated), 'raw', files)})"
    )
    connection.execute(f"CREATE TABLE duplicates AS SELECT key FROM ({keys}) GROUP BY key HAVING count(*) > 1")
    if connection.execute("SELECT count(*) FROM duplicates").fetchall()[0][0] == 0:
        return
    key = " and ".join(table.key)
    latest = table.same_key == "latest"
    same = f"{'a later' if latest else 'an earlier'} row has the same {key}: "
    message = f"{quote_literal(same)} || first_file || ' line ' || first_line"
    fault = fault_sql(quote_literal(key), "duplicate_key", message)
    connection.execute(f"""
        INSERT INTO refused
        SELECT __row, source_file, source_line, [{fault}]
        FROM (
            SELECT *, row_number() OVER same AS place, first(source_file) OVER same AS first_file,
                first(source_line) OVER same AS first_line
            FROM (SELECT __row, source_file, source_line, key, latest_by FROM ({keys})) AS keyed
            WHERE key IN (FROM duplicates) AND NOT EXISTS (FROM refused WHERE refused.__row = keyed.__row)
            WINDOW same AS (PARTITION BY key ORDER BY {_order(table)})
        ) WHERE place > 1""")


def _order(table: Table) -> str:
    """Order of rows with one key: the row that counts is first."""
    return "latest_by DESC NULLS LAST, __row DESC" if table.same_key == "latest" else "__row"
