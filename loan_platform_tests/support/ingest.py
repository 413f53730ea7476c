"""Raw files through the warehouse in one call, for tests."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from loan_platform.adapters.warehouse.session import DuckDbSession
from loan_platform.adapters.warehouse.stage_summary import StageSummary
from loan_platform.adapters.warehouse.warehouse import RawSummary, Warehouse
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.policies import Source
from loan_platform.core.staging.table import Table

BOOK: dict[str, Any] = {
    "description": "A small book with one column of each type.",
    "entity_key": "number",
    "event_date": "issued",
    "columns": [
        {"name": "number", "description": "Key.", "type": "text", "sql": '"id"', "required": True},
        {"name": "issued", "description": "Month of issue.", "type": "date", "required": True},
        {
            "name": "income",
            "description": "Yearly income.",
            "type": "number",
            "required": True,
            "minimum": 0,
            "maximum": 10_000_000,
        },
        {
            "name": "rate",
            "description": "Interest rate.",
            "type": "percent",
            "minimum": 0,
            "maximum": 100,
            "on_invalid": "null",
        },
        {"name": "term", "description": "Months.", "type": "integer", "minimum": 1, "maximum": 600},
        {
            "name": "home",
            "description": "Home.",
            "type": "text",
            "allowed": ["Own", "Rent", "Own: no mortgage"],
        },
        {"name": "joint", "description": "Whether two apply.", "type": "boolean"},
    ],
    "target": {
        "sql": "CASE lower(status) WHEN 'bad' THEN 1 WHEN 'good' THEN 0 END",
        "description": "Not repaid.",
    },
    "features": [{"name": "log_income", "sql": "ln(income + 1)", "description": "Income.", "reason": "Income is low."}],
}
HEADER = "id,issued,income,rate,term,home,joint,status,note"
GOOD = "{id},2015-03-01,50000,11.5,36,Own,n,good,x"


@dataclass(frozen=True)
class Ingested:
    """What the warehouse made of the files."""

    raw: pl.DataFrame
    accepted: pl.DataFrame
    quarantined: pl.DataFrame
    read: RawSummary
    staged: StageSummary
    folder: Path

    @property
    def reasons(self) -> list[tuple[int, str | None, str]]:
        """(line, column, reason) of each quarantined row, in source order."""
        return self.quarantined.select("source_line", "column", "reason").rows()


def book(**changes: Any) -> Contract:
    """The small contract, with some of its parts replaced."""
    return Contract.model_validate({**BOOK, **changes})


def ingest(
    files: list[Path],
    folder: Path,
    contract: Contract | None = None,
    source: Source | None = None,
    outcomes: bool = False,
    warehouse: Warehouse | None = None,
) -> Ingested:
    """Read and stage `files`; the four Parquet files are written to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    contract = contract or book()
    warehouse = warehouse or Warehouse(DuckDbSession(memory_limit="400MB", temp_directory=folder / "scratch"))
    table = Table.from_contract(contract, outcomes)
    raw, rejects = folder / "raw.parquet", folder / "rejects.parquet"
    accepted, quarantined = folder / "accepted.parquet", folder / "quarantined.parquet"
    read = warehouse.read_raw(files, table, source or Source(path="-"), raw, rejects)
    staged = warehouse.stage(raw, table, accepted, quarantined, rejects=rejects)
    assert staged.rows_in == staged.accepted + staged.quarantined == read.rows + read.rejected
    frames = [pl.read_parquet(path) for path in (raw, accepted, quarantined)]
    assert [len(frame) for frame in frames] == [read.rows, staged.accepted, staged.quarantined]
    return Ingested(frames[0], frames[1], frames[2], read, staged, folder)


def write(path: Path, rows: list[str], header: str = HEADER) -> Path:
    """A CSV file with the small book's header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8", newline="")
    return path
