"""Read a source that has no contract yet: every column as text, and SQL on its raw rows."""

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import duckdb
import polars as pl

from loan_platform.adapters.csv_files.blocks import is_parquet, likely_encoding
from loan_platform.adapters.sources.labels import source_labels
from loan_platform.adapters.storage.duckdb_files import OFFLINE, limit_files
from loan_platform.adapters.warehouse.stage_summary import StageSummary
from loan_platform.adapters.warehouse.warehouse import RawSummary, Warehouse
from loan_platform.core.book.column_types import BLANKS
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.parts.columns import Column
from loan_platform.core.book.parts.contract_parts import MISSING_MARKERS
from loan_platform.core.book.policies import Source
from loan_platform.core.book.sql import quote_identifier, quote_literal
from loan_platform.core.drafting.judging.errors import DraftError
from loan_platform.core.drafting.judging.target import TargetChoice
from loan_platform.core.drafting.reading.survey import SAMPLE_ROWS
from loan_platform.core.evaluation.row_sample import sampled_rows
from loan_platform.core.staging.keys import canonical_keys
from loan_platform.core.staging.table import Table
from loan_platform.core.staging.typed_rows import target_value_sql

ENCODINGS: tuple[str, ...] = get_args(Source.model_fields["encoding"].annotation)


@dataclass(frozen=True)
class TargetCounts:
    """Number of rows by outcome.

    Attributes:
        defaults: target 1.
        repaid: target 0.
        unknown: target null.
        failed: the SQL fails, or gives neither 0, 1 nor null.
    """

    defaults: int
    repaid: int
    unknown: int
    failed: int


@dataclass(frozen=True)
class RawSource:
    """The raw rows of a source in one Parquet file.

    Attributes:
        labels: the spelling of each column in the file, by lower-case name.
        read: number of rows and structural rejects, and the files.
        raw: Parquet file of the rows as text.
        rejects: Parquet file of structural rejects.
    """

    labels: dict[str, str]
    read: RawSummary
    raw: Path
    rejects: Path

    def texts(self) -> pl.DataFrame:
        """Every column as text, with at most about 200,000 rows."""
        columns = [raw for raw in self.labels if raw not in ("source_file", "source_line")]
        rows = pl.Series(sampled_rows(self.read.rows, SAMPLE_ROWS))
        chosen = pl.row_index("__row").cast(pl.Int64).is_in(rows.implode())
        frame = pl.scan_parquet(self.raw).select(columns).filter(chosen).collect()
        absent = [pl.lit(None, pl.String).alias(raw) for raw in self.labels if raw not in columns]
        return frame.with_columns(absent).select(self.labels.keys())

    def broken(self) -> dict[str, int]:
        """Number of broken lines by what is wrong with them."""
        if not self.read.rejected:
            return {}
        found = pl.scan_parquet(self.rejects).group_by("message").len().sort("message").collect()
        return {str(message): int(rows) for message, rows in found.iter_rows()}

    def distinct(self, raw: str) -> tuple[int, int]:
        """Number of values of a column that are missing or no key, and number of distinct keys."""
        values = pl.scan_parquet(self.raw).select(
            canonical_keys(pl.col(raw).str.strip_chars(BLANKS).replace("", None)).alias(raw)
        )
        missing, distinct = (
            values.select(missing=pl.col(raw).null_count(), distinct=pl.col(raw).drop_nulls().n_unique())
            .collect()
            .row(0)
        )
        return int(missing), int(distinct)


def with_likely_encoding(files: list[Path], source: Source, stated: str | None = None) -> Source:
    """The source with the encoding of its CSV files; UTF-8 where they differ.

    Args:
        files: of the source.
        source: without encoding.
        stated: the encoding that the user states.

    Raises:
        SourceError: a file cannot be read.
        DraftError: the platform reads no such encoding.
    """
    if stated is not None:
        if stated.lower() not in ENCODINGS:
            raise DraftError(f"ENCODING {stated!r} is none of {', '.join(ENCODINGS)}: save the file as CSV in UTF-8.")
        return source.model_copy(update={"encoding": stated.lower()})
    found = {likely_encoding(path, source.max_bytes) for path in files if not is_parquet(path)}
    return source.model_copy(update={"encoding": found.pop()}) if len(found) == 1 else source


def read_source(warehouse: Warehouse, files: list[Path], source: Source, folder: Path) -> RawSource:
    """Read every column of the files as text into `folder`, with the warehouse's reader.

    Raises:
        SourceError: a file as a whole cannot be used.
    """
    labels = source_labels(files, source.max_bytes, source.encoding)
    raw, rejects = folder / "raw.parquet", folder / "rejects.parquet"
    read = warehouse.read_raw(files, _all_columns(labels), source, raw, rejects)
    return RawSource(labels, read, raw, rejects)


def stage_source(
    warehouse: Warehouse, source: RawSource, contract: Contract, folder: Path
) -> tuple[pl.DataFrame, StageSummary]:
    """Stage the raw rows by a contract.

    Returns:
        The accepted rows, and the counts of the staging.
    """
    accepted, quarantined = folder / "accepted.parquet", folder / "quarantined.parquet"
    staged = warehouse.stage(source.raw, Table.from_contract(contract), accepted, quarantined, rejects=source.rejects)
    return pl.read_parquet(accepted), staged


def count_target(source: RawSource, target: TargetChoice) -> TargetCounts:
    """Evaluate the target on every raw row.

    Raises:
        DraftError: the SQL does not run.
    """
    value = target_value_sql("own.x")
    bad, good = f"coalesce({value} = 1, false)", f"coalesce({value} = 0, false)"
    unknown = "own IS NOT NULL AND own.x IS NULL"
    query = (
        f"SELECT count(*) FILTER ({bad}), count(*) FILTER ({good}), count(*) FILTER ({unknown}), count(*) "
        f"FROM (SELECT TRY({{'x': ({target.sql})}}) AS own FROM read_parquet({quote_literal(str(source.raw))}))"
    )
    try:
        with duckdb.connect(config=OFFLINE) as connection:
            limit_files(connection, [source.raw])
            defaults, repaid, open_, rows = connection.execute(query).fetchall()[0]
    except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException) as error:
        reason = str(error).splitlines()[0]
        raise DraftError(
            f"The SQL of TARGET does not run: {reason}. Raw values are text: compare with '...'."
        ) from error
    except duckdb.Error as error:  # its text may hold values of a row
        raise DraftError("The SQL of TARGET fails on a row. Raw values are text: compare with '...'.") from error
    return TargetCounts(defaults, repaid, open_, rows - defaults - repaid - open_)


def _all_columns(labels: dict[str, str]) -> Table:
    columns = tuple(
        Column(name=f"c{i}", description="-", type="text", sql=quote_identifier(raw)) for i, raw in enumerate(labels)
    )
    return Table(columns, key=(), event_date=None, target=None, target_required=False, missing=MISSING_MARKERS)
