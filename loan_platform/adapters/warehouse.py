"""DuckDB: raw files to raw Parquet, raw Parquet to typed rows and quarantined rows, both out-of-core."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb
import polars as pl

from loan_platform.adapters.raw_files import Progress, RawFile, Relation, read_parquet_or_csv
from loan_platform.adapters.stage_steps import (
    Refusals,
    accepted_rows_sql,
    find_refusals,
    nulled_values,
    quarantined_rows_sql,
)
from loan_platform.core.contract import Contract
from loan_platform.core.errors import ExplainedError
from loan_platform.core.parsing import quoted
from loan_platform.core.policies import Source
from loan_platform.core.table import Table

_PARQUET = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 122880"
# Writing a dictionary for many different texts costs more than it saves.
_RAW = "DICTIONARY_SIZE_LIMIT 2000"
_METADATA_KEY = "loan_platform"
_NO_VALUE = "the SQL of the contract fails on a row where it must not"
_ADVICE = "free memory or disk space, or give the warehouse another memory_limit or temp_directory"


class WarehouseError(ExplainedError, RuntimeError):
    """Rows cannot be read or staged; nothing that was written may be used."""


class _EscapedError(WarehouseError):
    """The contract's SQL failed on a row: an optimizer shares a part of it, and so takes it out of its TRY."""


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
        resolved: accepted rows whose outcome is known.
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
    """An embedded DuckDB for one call at a time; it holds no state between calls.

    Args:
        threads: cores used; the bytes written do not depend on it.
        memory_limit: DuckDB's own limit; what does not fit goes to `temp_directory`.
        temp_directory: scratch space, of the unpacked size of the sources; default: the system's.
    """

    def __init__(self, threads: int = 2, memory_limit: str = "4GB", temp_directory: Path | None = None) -> None:
        self._threads = threads
        self._memory_limit = memory_limit
        self._temp_directory = temp_directory

    def read_raw(
        self,
        files: list[Path],
        contract: Contract,
        source: Source,
        out: Path,
        rejects: Path,
        progress: Progress | None = None,
        outcomes: bool = False,
    ) -> RawSummary:
        """Write the raw text of all files to `out`, what is no record to `rejects`, in file and line order.

        `out` has source_file, source_line and, as text, the raw columns that the contract reads; absent
        columns and the contract's marks of missing values are null. `rejects` has source_file, source_line
        and message. The line of a CSV record is the physical line of the file (1-based) on which it begins:
        notes, header and blank lines count. For Parquet it is the number of the row.

        Raises:
            SourceError: a file as a whole cannot be used.
            WarehouseError: memory or disk do not suffice.
        """
        table = Table.of(contract, outcomes)
        with self._connection() as (connection, scratch):
            relations = read_parquet_or_csv(connection, files, table, source, scratch, progress)
            summary = RawSummary(
                rows=sum(relation.file.rows for relation in relations),
                rejected=sum(relation.file.rejected for relation in relations),
                files=tuple(relation.file for relation in relations),
            )
            if progress:
                progress(f"{summary.rows:,} rows to Parquet")
            about = quoted(json.dumps([asdict(file) for file in summary.files]))
            options = f"{_RAW}, KV_METADATA {{{_METADATA_KEY}: {about}}}"
            _copy_in_order(connection, _one_by_one(connection, relations, scratch), out, options)
            _copy(connection, _rejects_sql(relations), rejects)
            _require_rows(connection, out, summary.rows)
        return summary

    def stage(
        self,
        raw: Path,
        rejects: Path,
        contract: Contract,
        accepted: Path,
        quarantined: Path,
        outcomes: bool = False,
    ) -> StageSummary:
        """Write typed rows to `accepted` and refused ones to `quarantined`, in source order.

        `accepted` has the contract's columns, target (1, 0, null), source_file and source_line; of rows with
        the same key the first without a fault is accepted. `quarantined` has source_file, source_line,
        column, reason and message of the first fault, and `faults`, the list of all. With `outcomes` (as in
        `read_raw`) key and target are all that is read.

        Raises:
            WarehouseError: the contract's SQL does not run, or memory or disk do not suffice.
        """
        table = Table.of(contract, outcomes)
        try:
            return self._stage(table, raw, rejects, accepted, quarantined)
        except _EscapedError:
            return self._stage(table, raw, rejects, accepted, quarantined, "common_subexpressions")

    def _stage(
        self, table: Table, raw: Path, rejects: Path, accepted: Path, quarantined: Path, without: str = ""
    ) -> StageSummary:
        with self._connection(without) as (connection, _):
            refusals = find_refusals(connection, table, raw)
            _copy_in_order(connection, accepted_rows_sql(table, refusals), accepted)
            _copy(connection, quarantined_rows_sql(rejects), quarantined)
            return _summary(connection, table, _files(connection, raw), refusals, accepted, quarantined)

    @contextmanager
    def _connection(self, without: str = "") -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
        if self._temp_directory:
            self._temp_directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._temp_directory, prefix="warehouse-") as scratch:
            config = {
                "threads": self._threads,
                "memory_limit": self._memory_limit,
                "temp_directory": scratch,
                "preserve_insertion_order": True,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
            connection = duckdb.connect(config=config)
            try:
                connection.execute("SET enable_progress_bar = false")
                connection.execute("SET enable_caching_operators = false")  # they lose the order of rows
                connection.execute(f"SET disabled_optimizers = '{without}'")
                yield connection, Path(scratch)
            except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException) as error:
                reason = str(error).splitlines()[0]
                raise WarehouseError(f"the SQL of the contract does not run: {reason}") from error
            except (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException):
                raise _EscapedError(_NO_VALUE) from None
            except duckdb.Error as error:  # its text may hold values of a row, so it goes no further
                raise WarehouseError(f"{type(error).__name__}: {_ADVICE}") from None
            finally:
                connection.close()


def _copy(connection: duckdb.DuckDBPyConnection, query: str, path: Path, *options: str) -> None:
    connection.execute(f"COPY ({query}) TO {quoted(str(path))} ({', '.join([_PARQUET, *options])})").fetchall()


def _copy_in_order(connection: duckdb.DuckDBPyConnection, query: str, path: Path, *options: str) -> None:
    """`_copy`, and again on one thread if DuckDB lost the order of row groups, as it does short of memory, rarely."""
    _copy(connection, query, path, *options)
    if not _in_order(path):
        connection.execute("SET threads = 1")
        _copy(connection, query, path, *options)


def _in_order(path: Path) -> bool:
    places = pl.read_parquet(path, columns=["source_file", "source_line"])
    file, line = places["source_file"], places["source_line"]
    later = (line > line.shift()) | (file != file.shift())
    runs = file.rle().struct.field("value").to_list()
    return runs == sorted(runs) and later.fill_null(True).all()


def _one_by_one(connection: duckdb.DuckDBPyConnection, relations: list[Relation], scratch: Path) -> str:
    """All relations one after the other: UNION ALL does not keep their order, a list of files does."""
    if len(relations) == 1:
        return relations[0].sql
    parts = [scratch / f"part-{i:06}.parquet" for i in range(len(relations))]
    for relation, part in zip(relations, parts, strict=True):
        _copy_in_order(connection, relation.sql, part, _RAW)
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
    found = _one(connection, f"SELECT count(*) FROM read_parquet({quoted(str(path))})")
    if found != rows:
        raise WarehouseError(f"{found} of {rows} records were read")


def _files(connection: duckdb.DuckDBPyConnection, raw: Path) -> list[RawFile]:
    value = _one(
        connection,
        f"SELECT decode(value) FROM parquet_kv_metadata({quoted(str(raw))}) WHERE decode(key) = '{_METADATA_KEY}'",
    )
    return [RawFile(**{**item, "missing": tuple(item["missing"])}) for item in json.loads(str(value))]


def _summary(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    files: list[RawFile],
    refusals: Refusals,
    accepted: Path,
    quarantined: Path,
) -> StageSummary:
    good, resolved, rate = connection.execute(
        f"SELECT count(*), count(target), avg(target) FROM read_parquet({quoted(str(accepted))})"
    ).fetchall()[0]
    reasons = connection.execute(
        f"SELECT reason, count(*) FROM read_parquet({quoted(str(quarantined))}) GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    rows_in = sum(file.rows + file.rejected for file in files)
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


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> object:
    return connection.execute(query).fetchall()[0][0]
