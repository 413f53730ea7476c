"""Audit records of batch jobs: a Parquet file of rows per job, and one line of a chain that holds its hash.

`<directory>/jobs/<job>.parquet` has one row per application. The line is written before the job's answers can be
fetched. It has the file's SHA-256 and the fields that all rows share.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from loan_platform.adapters.storage.atomic_files import sha256
from loan_platform.core.audit.hash_chain import Chain, ChainFault
from loan_platform.core.scoring.answer import RECORDED_SCHEMA, recorded_row

ROW, STORED = "row", "stored"
ROWS = {
    ROW: pl.Int64(),
    **{name: pl.String() if dtype == pl.Enum else dtype for name, dtype in RECORDED_SCHEMA.items()},
    STORED: pl.String(),
}
COMMON = ("time", "key_id", "portfolio", "model_version", "model_sha256", "policy_version")
_JOB_ROW_ID = re.compile(r"([0-9a-f]{32})\.(\d{1,12})")

JobLine = dict[str, Any]


def job_file(directory: Path, job_id: str) -> Path:
    """Path of a job's row file."""
    return directory / "jobs" / f"{job_id}.parquet"


def row_id(request_id: str, row: int) -> str:
    """Id of one row's audit record: `<job id>.<row>`, or `<request id>.<row>` of a request to /invocations."""
    return f"{request_id}.{row}"


def job_lines(chain: Chain) -> list[JobLine]:
    """The lines of a chain about batch jobs. Empty if the chain is invalid."""
    spoilt = any(fault.invalidates_chain for fault in chain.faults)
    return [] if spoilt else [event for event in chain.events if "job" in event]


def job_faults(directory: Path, chain: Chain) -> Iterator[ChainFault]:
    """Row files that are missing or have another hash than the chain records."""
    retired = {event["retired_job"] for event in chain.events if "retired_job" in event}
    for job_id, line in {line["job"]: line for line in job_lines(chain)}.items():
        path = job_file(directory, job_id)
        if not path.exists():
            if job_id not in retired:
                yield ChainFault(chain.name, f"../jobs/{path.name}", 0, "is missing, and no line says why", False)
        elif sha256(path) != line["rows_sha256"]:
            yield ChainFault(chain.name, f"../jobs/{path.name}", 0, "was changed", False)


def job_rows(directory: Path, line: JobLine) -> pl.DataFrame | None:
    """The rows of a job. None: the file is missing or has another hash than the line records."""
    path = job_file(directory, line["job"])
    return pl.read_parquet(path) if path.exists() and sha256(path) == line["rows_sha256"] else None


def find_row(directory: Path, chains: Iterable[Chain], record_id: str) -> dict[str, Any] | None:
    """The audit record of one row of a job, in the form of a single answer's record.

    Args:
        directory: of the audit records.
        chains: all chains of the directory.
        record_id: `<job id>.<row>`.

    Returns:
        None: there is no valid record of that id.
    """
    found = _JOB_ROW_ID.fullmatch(record_id)
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
    """The fields of one row's audit record that differ from row to row."""
    record = recorded_row(row) | {"request_id": row_id(line["job"], row[ROW]), "explain": False}
    if row[STORED] is None:
        return record
    return record | ({"plain": json.loads(row[STORED])} if line["inputs"] == "plain" else {"encrypted": row[STORED]})


def retire_job_files(directory: Path, before: float, append: Callable[[bytes], str | None]) -> None:
    """Delete old row files. Each deletion is recorded in a chain first.

    Args:
        directory: of the audit records.
        before: files older than this are deleted; seconds since the epoch.
        append: writes a line to a chain and returns None, or the reason why it failed.
    """
    for path in sorted(job_file(directory, "").parent.glob("*.parquet")):
        if path.stat().st_mtime < before and append(json.dumps({"retired_job": path.stem}).encode()) is None:
            path.unlink()
