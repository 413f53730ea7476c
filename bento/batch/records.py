"""Records of what a batch job answered: they are on the disk before its answers can be fetched."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from bento.batch.jobs import Job
from bento.model.champion import Serving
from bento.model.records import json_bytes, key_of, stated
from loan_platform.adapters.audit.job_records import ROW, ROWS, STORED, job_file, retire_job_files, row_id
from loan_platform.adapters.audit.writer import DAY, AuditLog, AuditOptions
from loan_platform.adapters.storage.atomic_files import DiskFullError, make_directory, sha256
from loan_platform.core.applications.frame_reader import ReadRows
from loan_platform.core.errors import ExplainedError
from loan_platform.core.scoring.answer import RECORDED_OF_REASON
from loan_platform.settings.audit import AuditSettings

log = logging.getLogger("loan_platform.service")


class JobRecords:
    """Keeps records of jobs.

    Args:
        portfolio: whose service this is.
        settings: how inputs are kept, and what is done where nothing can be written.
    """

    def __init__(self, portfolio: str, settings: AuditSettings) -> None:
        self._portfolio, self._settings, self._key = portfolio, settings, key_of(settings)

    def rows(self, job: Job, serving: Serving, read: ReadRows, answers: pl.DataFrame) -> pl.DataFrame:
        """What is recorded of some rows.

        Args:
            job: whose they are.
            serving: what answered.
            read: the rows as they were read.
            answers: to each of them.
        """
        points = pl.col("reasons").list.eval(pl.struct(pl.element().struct.field(*RECORDED_OF_REASON)))
        stored = pl.Series(STORED, list(self._stored(job, serving, read)), pl.String)
        return answers.with_columns(points, read.rows.alias(ROW), stored).select(
            pl.col(name).cast(kind) for name, kind in ROWS.items()
        )

    def _stored(self, job: Job, serving: Serving, read: ReadRows) -> Iterator[str | None]:
        kept, key = self._settings.inputs, self._key
        if kept == "omitted" or (kept == "encrypted" and key is None):
            yield from [None] * read.frame.height
            return
        contract = serving.bundle.model.contract
        dates = read.frame[contract.event_date] if contract.event_date in read.frame.columns else None
        rows = zip(read.rows, read.keys, read.frame.iter_rows(named=True), strict=True)
        for i, (row, entity, inputs) in enumerate(rows):
            text = stated(inputs, entity, None if dates is None or dates[i] is None else dates[i].isoformat())
            yield key.encrypt(text, row_id(job.id, row)) if kept == "encrypted" and key else text.decode()

    def keep(self, job: Job, serving: Serving, write: Callable[[Path], None]) -> None:
        """Put the rows in their place, and a line that vouches for them into a chain.

        Args:
            job: all of whose rows are answered.
            serving: what answered.
            write: writes the rows to a path.

        Raises:
            ExplainedError: they cannot be recorded, and by the settings the answers must not be given.
        """
        path = job_file(self._settings.directory, job.id)
        try:
            make_directory(path.parent)
            path.parent.chmod(0o700)
            write(path)
            problem = self._said(self._line(job, serving, sha256(path)))
        except DiskFullError:
            problem = "the service's disk is full"
        except OSError as error:
            problem = f"the records cannot be written: {error.strerror}"
        if problem is None:
            return
        if self._settings.fail == "closed":
            raise ExplainedError(f"No answer is given: {problem}.")
        log.error("job %s: %s answers without a record: %s", job.id, job.scored, problem)
        self._said({"time": time.time(), "lost": job.scored, "of_job": job.id})

    def _line(self, job: Job, serving: Serving, rows_sha256: str) -> dict[str, Any]:
        """What vouches for the rows."""
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

    def _said(self, line: dict[str, Any]) -> str | None:
        """Write a line; the reason where that fails."""
        directory, days = self._settings.directory, self._settings.keep_days
        chain = AuditLog(AuditOptions(directory, keep_days=days), self._key)
        chain.start()
        try:
            problem = _written(chain, json_bytes(line))
            if days is not None and problem is None:
                retire_job_files(directory, time.time() - days * DAY, lambda body: _written(chain, body))
        finally:
            chain.stop()
        return problem


def _written(chain: AuditLog, body: bytes) -> str | None:
    said: list[str | None] = []
    done = threading.Event()

    def tell(problem: str | None) -> None:
        said.append(problem)
        done.set()

    chain.put([body], tell)
    done.wait()
    return said[0]
