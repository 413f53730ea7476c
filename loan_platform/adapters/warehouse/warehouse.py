"""Read raw files to raw Parquet, and stage raw Parquet to typed and quarantined rows, both out-of-core in DuckDB."""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from loan_platform.adapters.sources.layouts import FileLayout
from loan_platform.adapters.sources.parquet_relation import require_readable
from loan_platform.adapters.sources.raw_files import raw_relations
from loan_platform.adapters.sources.relation import RawFile, Relation, layout_files
from loan_platform.adapters.sources.unit_check import unit_contradictions
from loan_platform.adapters.warehouse.ordered_parquet import (
    RAW_TEXT,
    count_rows,
    files_metadata,
    read_files_metadata,
    write,
    write_in_order,
)
from loan_platform.adapters.warehouse.session import DuckDbSession, WarehouseError, lists_in_place
from loan_platform.adapters.warehouse.stage_steps import accepted_rows_sql, find_faults, quarantined_rows_sql
from loan_platform.adapters.warehouse.stage_summary import StageSummary, summarize
from loan_platform.core.book.policies import Source
from loan_platform.core.book.sql import quote_literal
from loan_platform.core.staging.table import Table


@dataclass(frozen=True)
class RawSummary:
    """Result of reading.

    Attributes:
        rows: rows of the raw Parquet file.
        rejected: structural rejects.
        files: each raw file, in the order of their names.
        layouts: which columns each file has, in the same order.
    """

    rows: int
    rejected: int
    files: tuple[RawFile, ...]
    layouts: tuple[FileLayout, ...] = ()


class Warehouse:
    """Reads and stages, one call at a time. It has no state between calls.

    Args:
        session: resources that DuckDB may use; None: the defaults.
    """

    def __init__(self, session: DuckDbSession | None = None) -> None:
        self._session = session or DuckDbSession()

    def read_raw(self, files: list[Path], table: Table, source: Source, out: Path, rejects: Path) -> RawSummary:
        """Write the raw text of all files to `out` and structural rejects to `rejects`, in file and line order.

        The line of a CSV record is the physical line, from 1, on which it begins. For Parquet it is the row number.

        Args:
            files: CSV (plain or gzip) or Parquet.
            table: what is to be staged.
            source: limits.
            out: Parquet with source_file, source_line and the raw columns that the table reads, as text. Columns that
                a file lacks and the contract's markers of missing values are null.
            rejects: Parquet with source_file, source_line and message.

        Raises:
            SourceError: a file as a whole cannot be used, or its percentages contradict the contract.
            WarehouseError: memory or disk space ran out.
        """
        with self._session.connection(files, (out, rejects)) as (connection, scratch):
            relations = raw_relations(connection, files, table, source, scratch)
            summary = RawSummary(
                rows=sum(relation.file.rows for relation in relations),
                rejected=sum(relation.file.rejected for relation in relations),
                files=tuple(relation.file for relation in relations),
                layouts=tuple(relation.layout for relation in relations),
            )
            try:
                query = _combined(connection, relations, scratch)
                write_in_order(connection, query, out, RAW_TEXT, files_metadata(summary.files))
            except duckdb.Error:
                require_readable(connection, relations)
                raise
            write(connection, _rejects_sql(relations), rejects)
            _require_rows(connection, out, summary.rows)
            rows = f"read_parquet({quote_literal(str(out))})"
            if found := unit_contradictions(connection, table, rows, layout_files(summary.files)):
                raise found[0][1]
        return summary

    def stage(
        self,
        raw: Path,
        table: Table,
        accepted: Path,
        quarantined: Path,
        rejects: Path | None = None,
        previously_quarantined: tuple[Path, ...] = (),
    ) -> StageSummary:
        """Write typed rows to `accepted` and the others to `quarantined`, in source order.

        Of rows without a fault that have the same key, the one that `table.same_key` names is accepted.

        Args:
            raw: Parquet that `read_raw` or a join wrote.
            table: types, ranges, key and target.
            accepted: Parquet with the table's columns, `target` (1, 0, null) if the table has one, source_file and
                source_line.
            quarantined: Parquet with source_file, source_line, column, reason and message of the first fault, and
                `faults`, the list of all faults.
            rejects: structural rejects of `read_raw`, which are quarantined too.
            previously_quarantined: files of rows that were quarantined before, or lost by, the join that wrote `raw`.
                They are added to `quarantined` and counted.

        Raises:
            WarehouseError: the contract's SQL does not run or fails on a row, or memory or disk space ran out.
        """
        reads = (raw, *((rejects,) if rejects else ()), *previously_quarantined)
        with self._session.connection(reads, (accepted, quarantined)) as (connection, _):
            files = read_files_metadata(connection, raw)
            with lists_in_place(connection):
                findings = find_faults(connection, table, raw, layout_files(files))
            write_in_order(connection, accepted_rows_sql(table, findings), accepted)
            write(connection, quarantined_rows_sql(rejects, previously_quarantined), quarantined)
            rows_in = sum(file.rows + file.rejected for file in files)
            rows_in += sum(count_rows(connection, path) for path in previously_quarantined)
            return summarize(connection, table, files, rows_in, findings, (accepted, quarantined))


def _combined(connection: duckdb.DuckDBPyConnection, relations: list[Relation], scratch: Path) -> str:
    """Query of all relations in order. UNION ALL does not keep their order, a list of files does."""
    if len(relations) == 1:
        return relations[0].sql
    parts = [scratch / f"part-{i:06}.parquet" for i in range(len(relations))]
    for relation, part in zip(relations, parts, strict=True):
        write_in_order(connection, relation.sql, part, RAW_TEXT)
    return f"FROM read_parquet([{', '.join(quote_literal(str(part)) for part in parts)}])"


def _rejects_sql(relations: list[Relation]) -> str:
    parts = [
        f"SELECT {quote_literal(r.file.name)} AS source_file, line AS source_line, message FROM read_csv("
        f"{quote_literal(str(r.rejects))}, auto_detect = false, header = false, delim = '\t', quote = '', "
        "columns = {'line': 'BIGINT', 'message': 'VARCHAR'})"
        for r in relations
        if r.rejects
    ]
    nothing = "SELECT '' AS source_file, CAST(0 AS BIGINT) AS source_line, '' AS message WHERE false"
    return f"FROM ({' UNION ALL '.join([nothing, *parts])}) ORDER BY source_file, source_line"


def _require_rows(connection: duckdb.DuckDBPyConnection, path: Path, rows: int) -> None:
    if (found := count_rows(connection, path)) != rows:
        raise WarehouseError(f"{path} has {found} of {rows} records. Report this as a defect.")
