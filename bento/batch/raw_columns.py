"""Files in the lender's own columns: recognised by the header alone, and staged as the nightly scoring does.

Staging needs DuckDB, which the small image of the service does not have.
"""

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

import polars as pl

from loan_platform.adapters.csv_files.blocks import lines
from loan_platform.adapters.csv_files.header import likely_header
from loan_platform.core.applications.frame_reader import KEY, REJECTIONS, ROW, ReadRows
from loan_platform.core.applications.reader import ApplicationReader
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.parts.columns import plain_name
from loan_platform.core.book.policies import Source
from loan_platform.core.errors import ExplainedError, SourceError
from loan_platform.core.features.row_rules import ROW_RULE, broken_issues
from loan_platform.core.staging.quarantine_reasons import Reason
from loan_platform.core.staging.table import Table

MEMORY_LIMIT = "1GB"  # of DuckDB; the process has 4 GiB for everything
CODES: dict[Reason, str] = {
    "unparseable": "wrong_type",
    "unknown_category": "not_allowed",
    "out_of_range": "out_of_range",
    "missing_required": "required",
    "row_rule": ROW_RULE,
    "duplicate_key": "duplicate_key",
    "structural": "malformed_line",
}
LINKED = "This book joins several files, so a job takes the contract's columns only."
_EARLIER = r"^(.*: ).* line ([0-9]+)$"  # of a duplicate: the text, and the line of the row that counts
NO_DUCKDB = (
    "The file has the lender's own columns, and this installation lacks DuckDB, which reads them. "
    "Send the contract's columns, or install bento/extras.lock."
)


class RawColumnsError(ExplainedError, ValueError):
    """A file in the lender's own columns cannot be read here."""


class RawColumns:
    """The lender's own columns of a book.

    Args:
        contract: of the model; its SQL reads these columns.
        reader: has the columns of an application by the contract's names.
    """

    def __init__(self, contract: Contract, reader: ApplicationReader) -> None:
        self._contract, self._reader, self._table = contract, reader, Table.from_contract(contract)

    def names(self, path: Path, max_bytes: int) -> tuple[str, ...]:
        """The names in the header of a CSV file, found as in the nightly scoring; empty if there is none."""
        try:
            return likely_header("The file", lines(path, max_bytes), self._table).written
        except SourceError:
            return ()

    def fit(self, names: Iterable[str]) -> bool:
        """Whether a header is the lender's: it has a column that only the lender has, and lacks no required one.

        Args:
            names: of the columns, as the file has them. Case and spaces around them do not matter.
        """
        written = [plain_name(name) for name in names]
        read = self._table.canonical(written)
        has_own = any(
            raw in self._table.raw_columns and name not in self._reader.columns
            for name, raw in zip(written, read, strict=True)
        )
        return has_own and not self._contract.tables and not self._table.missing_required(frozenset(read))

    def lacking(self, names: Sequence[str], raw_names: Sequence[str]) -> str:
        """What a header lacks in the contract's columns, and what it lacks in the lender's.

        Args:
            names: as the contract's columns are read.
            raw_names: as the lender's columns are read.
        """
        contract = ", ".join(sorted(self._reader.required - set(names))) or "no required column"
        if self._contract.tables:
            return f"In the contract's columns it lacks {contract}. {LINKED}"
        missing = self._table.missing_required(frozenset(self._table.canonical(map(plain_name, raw_names))))
        raw = ", ".join(_source(column, read) for column, read in missing.items())
        raw = raw or "no required column: add ?columns=raw to read it so"
        return f"In the contract's columns it lacks {contract}. In the lender's columns it lacks {raw}."

    def stage(self, path: Path, folder: Path, max_bytes: int, max_rows: int) -> int:
        """Type the rows of a file into `folder`. Returns the number of accepted rows.

        Raises:
            SourceError: the file as a whole cannot be used.
            ExplainedError: this book or this installation cannot stage, or resources ran out.
        """
        if self._contract.tables:
            raise RawColumnsError(LINKED)
        if find_spec("duckdb") is None:
            raise RawColumnsError(NO_DUCKDB)
        from loan_platform.adapters.warehouse.session import DuckDbSession
        from loan_platform.adapters.warehouse.warehouse import Warehouse

        warehouse = Warehouse(DuckDbSession(memory_limit=MEMORY_LIMIT, temp_directory=folder))
        raw, rejects, accepted, quarantined = (
            folder / f"{name}.parquet" for name in ("raw", "rejects", "accepted", "quarantined")
        )
        source = Source(path=path.name, max_rows=max_rows, max_bytes=max_bytes)
        (file,) = warehouse.read_raw([path], self._table, source, raw, rejects).files
        staged = warehouse.stage(raw, self._table, accepted, quarantined, rejects=rejects)
        rejected = _rejections(pl.read_parquet(quarantined), file.rows_after, self._broken_rules())
        rejected.write_parquet(folder / "rejected.parquet")
        (folder / "header").write_text(str(file.rows_after))
        return staged.accepted

    def read(self, folder: Path, first: int, count: int) -> ReadRows:
        """Accepted rows of `folder`, and with the first of them all rejected rows.

        Args:
            folder: that `stage` filled.
            first: number of accepted rows before them.
            count: how many.
        """
        header = int((folder / "header").read_text())
        schema = self._reader.schema
        columns = dict.fromkeys(("source_line", self._contract.entity_key, *schema))
        rows = pl.scan_parquet(folder / "accepted.parquet").select(list(columns)).slice(first, count).collect()
        rejected = pl.DataFrame(schema=REJECTIONS) if first else pl.read_parquet(folder / "rejected.parquet")
        return ReadRows(
            (rows["source_line"] - header).alias(ROW),
            rows[self._contract.entity_key].cast(pl.String).alias(KEY),
            rows.select(pl.col(name).cast(dtype) for name, dtype in schema.items()),
            rejected,
        )

    def _broken_rules(self) -> pl.DataFrame:
        rows = [
            (rule.statement, issue.path, issue.detail)
            for rule in self._contract.critical_rules
            for issue in broken_issues([rule], self._reader.columns)
        ]
        return pl.DataFrame(rows, dict.fromkeys(("message", "broken field", "broken detail"), pl.String), orient="row")


def _source(column: str, read: frozenset[str]) -> str:
    return column if read == {column} else f"{column} (read from {' or '.join(sorted(read))})"


def _rejections(quarantined: pl.DataFrame, header: int, broken: pl.DataFrame) -> pl.DataFrame:
    """Quarantined rows as rejected rows of a job: a line for each field of each fault, with the number of the row.

    Args:
        quarantined: rows that `Warehouse.stage` wrote.
        header: last line of the header. Row 1 is the line below it.
        broken: field and detail of each column of each row rule, by its message.
    """
    faults = quarantined.select(pl.col("source_line") - header, "faults").explode("faults").unnest("faults")
    field, reason, message = pl.col("column").fill_null(""), pl.col("reason"), pl.col("message")
    earlier = message.str.extract(_EARLIER, 2).cast(pl.Int64) - header
    detail = (
        pl.when(reason == "duplicate_key")
        .then(pl.format("{}row {}", message.str.extract(_EARLIER, 1), earlier))
        .otherwise(message.str.strip_prefix(field + " "))
    )
    told = faults.join(broken, "message", "left", maintain_order="left_right")
    return told.select(
        pl.col("source_line").alias(ROW),
        pl.coalesce("broken field", field).alias("field"),
        reason.replace_strict(CODES, return_dtype=pl.String).alias("code"),
        pl.coalesce("broken detail", detail).alias("detail"),
    ).cast(REJECTIONS)  # pyright: ignore[reportArgumentType]
