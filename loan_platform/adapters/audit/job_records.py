"""The records of batch jobs: a file of rows for each, for which a line of a chain vouches.

`<directory>/jobs/<job>.parquet` has a row for each answer; the line, written before the job's answers can be fetched,
has the file's SHA-256 and what all its rows have in common.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from loan_platform.adapters.storage.atomic_files import sha256
from loan_platform.core.audit.hash_chain import Chain, Fault

ROW, STORED = "row", "stored"
ROWS = {
    ROW: pl.Int64(),
    "probability": pl.Float64(),
    "score": pl.Float64(),
    "risk": pl.String(),
    "decision": pl.String(),
    "expected_loss": pl.Float64(),
    "reasons": pl.List(pl.Struct({"code": pl.String, "points": pl.Float64})),
    STORED: pl.String(),
}
COMMON = ("time", "key_id", "portfolio", "model_version", "model_sha256", "policy_version")
_OF_JOB = re.compile(r"([0-9a-f]{32})\.(\d{1,12})")

JobLine = dict[str, Any]


def job_file(directory: Path, job_id: str) -> Path:
    """Where the rows of a job are."""
    return directory / "jobs" / f"{job_id}.parquet"


def row_id(asked_as: str, row: int) -> str:
    """What the record of one row is called: by the job, or the request to /invocations, that it came with."""
    return f"{asked_as}.{row}"


def job_lines(chain: Chain) -> list[JobLine]:
    """What a chain says of jobs; nothing where it cannot be relied on."""
    spoilt = any(fault.spoils for fault in chain.faults)
    return [] if spoilt else [event for event in chain.events if "job" in event]


def job_faults(directory: Path, chain: Chain) -> Iterator[Fault]:
    """Files that are gone, or not what the chain vouches for."""
    retired = {event["retired_job"] for event in chain.events if "retired_job" in event}
    for job_id, line in {line["job"]: line for line in job_lines(chain)}.items():
        path = job_file(directory, job_id)
        if not path.exists():
            if job_id not in retired:
                yield Fault(chain.name, f"../jobs/{path.name}", 0, "is gone, and no line says why", False)
        elif sha256(path) != line["rows_sha256"]:
            yield Fault(chain.name, f"../jobs/{path.name}", 0, "was changed", False)


def job_rows(directory: Path, line: JobLine) -> pl.DataFrame | None:
    """The rows of a job; None where the file is not the one that the line vouches for."""
    path = job_file(directory, line["job"])
    return pl.read_parquet(path) if path.exists() and sha256(path) == line["rows_sha256"] else None


def find_row(directory: Path, chains: Iterable[Chain], asked: str) -> dict[str, Any] | None:
    """The record of a row of a job, as that of a single answer; None where there is none that stands."""
    found = _OF_JOB.fullmatch(asked)
    if found is None:
        return None
    lines = {line["job"]: line for chain in chains for line in job_lines(chain)}
    line = lines.get(found[1])
    rows = job_rows(directory, line) if line else None
    row = None if rows is None else next(rows.filter(pl.col(ROW) == int(found[2])).iter_rows(named=True), None)
    if line is None or row is None:
        return None
    return {name: line[name] for name in COMMON} | row_record(line, row)


def row_record(line: JobLine, row: dict[str, Any]) -> dict[str, Any]:
    """What the record of a single answer would have of a row, beside what all rows of the job have in common."""
    record = {name: value for name, value in row.items() if name not in (ROW, STORED)}
    record |= {
        "request_id": row_id(line["job"], row[ROW]),
        "explain": False,
        "reasons": [[reason["code"], reason["points"]] for reason in row["reasons"]],
    }
    if row[STORED] is None:
        return record
    return record | ({"plain": json.loads(row[STORED])} if line["inputs"] == "plain" else {"encrypted": row[STORED]})


def retired(directory: Path, before: float, told: Callable[[bytes], str | None]) -> None:
    """Delete files that are older, once a chain says so.

    Args:
        directory: of the records.
        before: seconds since the epoch.
        told: writes a line to a chain; the reason where that fails.
    """
    for path in sorted(job_file(directory, "").parent.glob("*.parquet")):
        if path.stat().st_mtime < before and told(json.dumps({"retired_job": path.stem}).encode()) is None:
            path.unlink()
