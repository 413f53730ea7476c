"""Audit records of batch jobs. They are on disk before the answers can be fetched."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from bento.batch.jobs import Job
from bento.model.champion import Serving
from bento.model.records import application_json, json_bytes, key_of
from loan_platform.adapters.audit.job_records import ROW, ROWS, STORED, job_file, retire_job_files, row_id
from loan_platform.adapters.audit.writer import DAY, AuditLog, AuditOptions
from loan_platform.adapters.storage.atomic_files import DiskFullError, make_directory, sha256
from loan_platform.core.applications.frame_reader import ReadRows
from loan_platform.core.errors import ExplainedError
from loan_platform.core.scoring.answer import RECORDED_OF_REASON
from loan_platform.settings.audit import AuditSettings

log = logging.getLogger("loan_platform.service")


class JobRecords:
    """Writes audit records of jobs.

    Args:
        portfolio: of the service.
        settings: how inputs are stored, and what happens if records cannot be written.
    """

    def __init__(self, portfolio: str, settings: AuditSettings) -> None:
        self._portfolio, self._settings, self._key = portfolio, settings, key_of(settings)

    def rows(self, job: Job, serving: Serving, read: ReadRows, answers: pl.DataFrame) -> pl.DataFrame:
        """The audit records of some rows.

        Args:
            job: of the rows.
            serving: the model that scored them.
            read: the rows as they were read.
            answers: one for each row.
        """
        points = pl.col("reasons").list.eval(pl.struct(pl.element().struct.field(*RECORDED_OF_REASON)))
        stored = pl.Series(STORED, list(self._stored(job, serving, read)), pl.String)
        return answers.with_columns(points, read.rows.alias(ROW), stored).select(
            pl.col(name).cast(kind) for name, kind in ROWS.items()
        )

    def _stored(self, job: Job, serving: Serving, read: ReadRows) -> Iterator[str | None]:
        stored, key = self._settings.inputs, self._key
        if stored == "omitted" or (stored == "encrypted" and key is None):
            yield from [None] * read.frame.height
            return
        contract = serving.bundle.model.contract
        dates = read.frame[contract.event_date] if contract.event_date in read.frame.columns else None
        rows = zip(read.rows, read.keys, read.frame.iter_rows(named=True), strict=True)
        for i, (row, entity, inputs) in enumerate(rows):
            text = application_json(inputs, entity, None if dates is None or dates[i] is None else dates[i].isoformat())
            yield key.encrypt(text, row_id(job.id, row)) if stored == "encrypted" and key else text.decode()

    def write(self, job: Job, serving: Serving, write_rows: Callable[[Path], None]) -> None:
        """Write the records of all rows to a file, and a line with the hash of the file to the hash chain.

        Args:
            job: a job whose rows are all scored.
            serving: the model that scored them.
            write_rows: writes the rows to a path.

        Raises:
            ExplainedError: the records cannot be written, and the settings forbid to give the answers.
        """
        path = job_file(self._settings.directory, job.id)
        try:
            make_directory(path.parent)
            path.parent.chmod(0o700)
            write_rows(path)
            problem = self._append(self._line(job, serving, sha256(path)))
        except DiskFullError:
            problem = "the disk of the service is full"
        except OSError as error:
            problem = f"the records cannot be written: {error.strerror}"
        if problem is None:
            return
        if self._settings.fail == "closed":
            raise ExplainedError(f"The answers cannot be recorded: {problem}.")
        log.error("job %s: %s answers without an audit record: %s", job.id, job.scored, problem)
        self._append({"time": time.time(), "lost": job.scored, "of_job": job.id})

    def _line(self, job: Job, serving: Serving, rows_sha256: str) -> dict[str, Any]:
        """The line of the hash chain for the file of the rows."""
        return {
            "time": time.time(),
            "job": job.id,
            "key_id": job.owner or None,
            "portfolio": self._portfolio,
            "model_version": serving.version,
            "model_sha256": serving.sha256,
            "policy_version": serving.bundle.model.policy.version,
            "scored": job.scored,
            "refused": job.refused,
            "inputs": self._settings.inputs,
            "rows_sha256": rows_sha256,
        }

    def _append(self, line: dict[str, Any]) -> str | None:
        """Append a line to a hash chain. Returns the reason if that fails, else None."""
        directory, days = self._settings.directory, self._settings.keep_days
        chain = AuditLog(AuditOptions(directory, keep_days=days), self._key)
        chain.start()
        try:
            problem = _put(chain, json_bytes(line))
            if days is not None and problem is None:
                retire_job_files(directory, time.time() - days * DAY, lambda body: _put(chain, body))
        finally:
            chain.stop()
        return problem


def _put(chain: AuditLog, body: bytes) -> str | None:
    problems: list[str | None] = []
    done = threading.Event()

    def finish(problem: str | None) -> None:
        problems.append(problem)
        done.set()

    chain.put([body], finish)
    done.wait()
    return problems[0]
