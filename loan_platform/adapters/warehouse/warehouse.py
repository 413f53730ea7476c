"""DuckDB: raw files to raw Parquet, raw Parquet to typed rows and quarantined rows, both out-of-core."""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from loan_platform.adapters.sources.raw_files import Progress, RawFile, Relation, read_parquet_or_csv
from loan_platform.adapters.warehouse.ordered_parquet import (
    RAW_TEXT,
    copy,
    files_metadata,
    read_files_metadata,
    write_in_order,
)
from loan_platform.adapters.warehouse.session import ContractSqlError, DuckDbSession, WarehouseError
from loan_platform.adapters.warehouse.stage_steps import (
    Refusals,
    accepted_rows_sql,
    find_refusals,
    nulled_values,
    quarantined_rows_sql,
)
from loan_platform.core.book.policies import Source
from loan_platform.core.staging.parsing import quoted
from loan_platform.core.staging.table import Table


@dataclass(frozen=True)
class RawSummary:
    """What was read: rows of the raw Parquet, structural rejects, and each file."""

    rows: int
    rejected: int
    files: tuple[RawFile, ...]


@dataclass(frozen=True)
class StageSummary:
    """What became of the rows; `rows_in == accepted + quarantined`.

    Attributes:
        by_reason: quarantined rows by the reason of their first fault.
        nulled: values dropped from accepted rows, by (column, reason).
        missing_optional: optional columns that at least one file lacks, in contract order.
        fractions: (file, column) of percent columns that were written as fractions and multiplied by 100.
        resolved: accepted rows whose outcome is known, 0 for rows without a target.
        target_rate: share of defaults among them, None without any.
    """

    rows_in: int
    accepted: int
    quarantined: int
    by_reason: dict[str, int]
    nulled: dict[tuple[str, str], int]
    missing_optional: tuple[str, ...]
    fractions: tuple[tuple[str, str], ...]
    resolved: int
    target_rate: float | None


class Warehouse:
    """Reading and staging, one call at a time; it holds no state between calls."""

    def __init__(self, session: DuckDbSession | None = None) -> None:
        self._session = session or DuckDbSession()

    def read_raw(
        self,
        files: list[Path],
        table: Table,
        source: Source,
        out: Path,
        rejects: Path,
        progress: Progress | None = None,
    ) -> RawSummary:
        """Write the raw text of all files to `out`, what is no record to `rejects`, in file and line order.

        `out` has source_file, source_line and, as text, the raw columns that the table reads; absent
        columns and the contract's marks of missing values are null. `rejects` has source_file, source_line
        and message. The line of a CSV record is the physical line of the file (1-based) on which it begins:
        notes, header and blank lines count. For Parquet it is the number of the row.

        Raises:
            SourceError: a file as a whole cannot be used.
            WarehouseError: memory or disk do not suffice.
        """
        with self._session.connection() as (connection, scratch):
            relations = read_parquet_or_csv(connection, files, table, source, scratch, progress)
            summary = RawSummary(
                rows=sum(relation.file.rows for relation in relations),
                rejected=sum(relation.file.rejected for relation in relations),
                files=tuple(relation.file for relation in relations),
            )
            if progress:
                progress(f"{summary.rows:,} rows to Parquet")
            query = _one_by_one(connection, relations, scratch)
            write_in_order(connection, query, out, RAW_TEXT, files_metadata(summary.files))
            copy(connection, _rejects_sql(relations), rejects)
            _require_rows(connection, out, summary.rows)
        return summary

    def stage(
        self,
        raw: Path,
        table: Table,
        accepted: Path,
        quarantined: Path,
        rejects: Path | None = None,
        before: Path | None = None,
    ) -> StageSummary:
        """Write typed rows to `accepted` and refused ones to `quarantined`, in source order.

        `accepted` has the table's columns, target (1, 0, null) where the table has one, source_file and
        source_line; of rows with the same key the first without a fault is accepted. `quarantined` has
        source_file, source_line, column, reason and message of the first fault, and `faults`, the list of all.

        Args:
            raw: what `read_raw` or a join wrote.
            table: types, ranges, key and target.
            accepted: where typed rows go.
            quarantined: where refused rows go.
            rejects: what `read_raw` rejected; it is quarantined too.
            before: rows that were quarantined when the rows of `raw` were cleaned; they count as rows in too.

        Raises:
            WarehouseError: the contract's SQL does not run, or memory or disk do not suffice.
        """
        try:
            return self._stage(raw, table, accepted, quarantined, rejects, before)
        except ContractSqlError:
            return self._stage(raw, table, accepted, quarantined, rejects, before, "common_subexpressions")

    def _stage(
        self,
        raw: Path,
        table: Table,
        accepted: Path,
        quarantined: Path,
        rejects: Path | None,
        before: Path | None,
        without: str = "",
    ) -> StageSummary:
        with self._session.connection(without) as (connection, _):
            refusals = find_refusals(connection, table, raw)
            write_in_order(connection, accepted_rows_sql(table, refusals), accepted)
            copy(connection, quarantined_rows_sql(rejects, before), quarantined)
            files = read_files_metadata(connection, raw)
            rows_in = sum(file.rows + file.rejected for file in files) + (_rows(connection, before) if before else 0)
            return _summary(connection, table, files, rows_in, refusals, accepted, quarantined)


def _one_by_one(connection: duckdb.DuckDBPyConnection, relations: list[Relation], scratch: Path) -> str:
    """All relations one after the other: UNION ALL does not keep their order, a list of files does."""
    if len(relations) == 1:
        return relations[0].sql
    parts = [scratch / f"part-{i:06}.parquet" for i in range(len(relations))]
    for relation, part in zip(relations, parts, strict=True):
        write_in_order(connection, relation.sql, part, RAW_TEXT)
    return f"FROM read_parquet([{', '.join(quoted(str(part)) for part in parts)}])"


def _rejects_sql(relations: list[Relation]) -> str:
    parts = [
        f"SELECT {quoted(r.file.name)} AS source_file, line AS source_line, message FROM read_csv("
        f"{quoted(str(r.rejects))}, auto_detect = false, header = false, delim = '\t', quote = '', "
        "columns = {'line': 'BIGINT', 'message': 'VARCHAR'})"
        for r in relations
        if r.rejects
    ]
    nothing = "SELECT '' AS source_file, CAST(0 AS BIGINT) AS source_line, '' AS message WHERE false"
    return f"FROM ({' UNION ALL '.join([nothing, *parts])}) ORDER BY source_file, source_line"


def _require_rows(connection: duckdb.DuckDBPyConnection, path: Path, rows: int) -> None:
    if (found := _rows(connection, path)) != rows:
        raise WarehouseError(f"{found} of {rows} records were read")


def _summary(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    files: list[RawFile],
    rows_in: int,
    refusals: Refusals,
    accepted: Path,
    quarantined: Path,
) -> StageSummary:
    outcome = "count(target), avg(target)" if table.target else "0, NULL"
    good, resolved, rate = connection.execute(
        f"SELECT count(*), {outcome} FROM read_parquet({quoted(str(accepted))})"
    ).fetchall()[0]
    reasons = connection.execute(
        f"SELECT reason, count(*) FROM read_parquet({quoted(str(quarantined))}) GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    bad = sum(count for _, count in reasons)
    if rows_in != good + bad:
        raise WarehouseError(f"{rows_in} rows in, but {good} accepted and {bad} quarantined")
    missing = {column for file in files for column in file.missing}
    return StageSummary(
        rows_in=rows_in,
        accepted=good,
        quarantined=bad,
        by_reason={str(reason): int(count) for reason, count in reasons},
        nulled=nulled_values(connection),
        missing_optional=tuple(column.name for column in table.columns if column.name in missing),
        fractions=tuple(sorted((file, c) for c, files_of in refusals.fractions.items() for file in files_of)),
        resolved=resolved,
        target_rate=rate,
    )


def _rows(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    return connection.execute(f"SELECT count(*) FROM read_parquet({quoted(str(path))})").fetchall()[0][0]
