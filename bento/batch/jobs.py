"""Batch jobs as folders: the input, the model and the progress.

<job>/job.json              state, written atomically
<job>/input                 the request body
<job>/bundle/               the model in force when the job was created; it scores all rows
<job>/lines/<number>        valid rows of the input; <job>/lines.json when the input is split
<job>/lines/*.parquet       typed and rejected rows of an input in the lender's own columns
<job>/parts/<number>.*      answers, audit records and rejected rows of a piece; <number>.json when all exist
<job>/answers.parquet       all answers; refused.parquet has all rejected rows
open/<job>                  an empty file for each job that has not ended
rows.json                   numbers of scored and rejected rows of all jobs
"""

import contextlib
import json
import logging
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from loan_platform.adapters.storage.atomic_files import atomic_write, partial_path, remove, remove_abandoned

log = logging.getLogger("loan_platform.service")

Status = Literal["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]
OPEN = frozenset({"PENDING", "RUNNING"})
JOB_ID = re.compile(r"[0-9a-f]{32}")
MAX_STARTS = 3  # a job whose process ends this often at the same piece has failed
ROWS = "rows.json"
OPEN_JOBS = "open"
CANCELLED, WITHDRAWN = "cancelled", "withdrawn"  # files in the folder of an open job that is to end
MODEL_WITHDRAWN = "The model of the job was withdrawn. Send the file again once a version is promoted."


@dataclass(frozen=True)
class Job:
    """One batch job.

    Attributes:
        owner: id of the API key that created it. Empty in development.
        media: media type of the body.
        columns: `contract` or `raw`, if the client said which columns the file has.
        version, sha256: of the model.
        parts: number of pieces of the input. 0 until it is known.
        scored, refused: scored and rejected rows so far.
        starts: how often a process started to work on it.
        stuck: starts since the last finished piece.
        why: reason of a failure.
    """

    id: str
    owner: str
    media: str
    version: int
    sha256: str
    created: float
    status: Status = "PENDING"
    total: int | None = None
    parts: int = 0
    done: int = 0
    scored: int = 0
    refused: int = 0
    starts: int = 0
    stuck: int = 0
    finished: float | None = None
    why: str | None = None
    columns: str | None = None

    @property
    def progress(self) -> float:
        """Share of the pieces that are done, 0 to 1."""
        if self.status == "SUCCEEDED":
            return 1.0
        return self.done / self.parts if self.parts else 0.0


class JobStore:
    """The jobs of a portfolio in one folder.

    Args:
        folder: holds one folder for each job.
        max_bytes: of all jobs together. Above it, new jobs are rejected. The jobs of one key may use half of it.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder, self._max_bytes = folder, max_bytes
        self._open = folder / OPEN_JOBS

    def draft(self) -> Path:
        """A folder for a job that is being uploaded."""
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = partial_path(self.folder / "job")
        draft.mkdir()
        return draft

    def add(self, draft: Path, bundle: Path, **about: Any) -> Job:
        """Create a job from a draft that has its input."""
        job = Job(id=uuid.uuid4().hex, created=time.time(), **about)
        shutil.copytree(bundle, draft / "bundle")
        atomic_write(draft / "job.json", _json(job))
        draft.rename(self.folder / job.id)
        self._mark(job)
        return job

    def path(self, job_id: str) -> Path:
        """The folder of a job."""
        return self.folder / job_id

    def get(self, job_id: str) -> Job | None:
        """A job by its id. None if it does not exist."""
        if not JOB_ID.fullmatch(job_id):
            return None
        try:
            job = Job(**json.loads((self.path(job_id) / "job.json").read_bytes()))
        except FileNotFoundError:
            return None
        if job.id != job_id:
            log.error("the batch job in %s says that it is another one: it is not used", self.path(job_id))
            return None
        if job.status in OPEN and (self.path(job_id) / CANCELLED).exists():
            return replace(job, status="CANCELLED")
        if job.status in OPEN and (self.path(job_id) / WITHDRAWN).exists():
            return replace(job, status="FAILED", why=MODEL_WITHDRAWN)
        return job

    def save(self, job: Job) -> None:
        """Replace the state of a job. A job that was deleted meanwhile stays deleted."""
        if self.path(job.id).is_dir():
            atomic_write(self.path(job.id) / "job.json", _json(job))
            if job.status not in OPEN:
                self._unmark(job.id)

    def all(self) -> Iterator[Job]:
        """Every job, oldest first."""
        if self.folder.is_dir():
            found = (self.get(path.name) for path in list(self.folder.iterdir()))
            yield from sorted((job for job in found if job), key=lambda job: job.created)

    def open(self) -> list[Job]:
        """The open jobs, oldest first. Jobs that have ended cost nothing: this is asked twice a second."""
        marks = list(self._open.iterdir()) if self._open.is_dir() else []
        found = [job for mark in marks if (job := self.get(mark.name)) and job.status in OPEN]
        return sorted(found, key=lambda job: job.created)

    def cancel(self, job: Job) -> None:
        """Cancel an open job, which ends before its next piece. Delete a finished one."""
        if job.status in OPEN:
            (self.path(job.id) / CANCELLED).touch()
            self._unmark(job.id)
        else:
            self.delete(job)

    def withdraw(self, forbidden: Callable[[Job], bool]) -> None:
        """Fail the open jobs whose model may not answer any more. They end before their next piece."""
        for job in self.open():
            if forbidden(job):
                with contextlib.suppress(FileNotFoundError):  # it may be deleted at the same time
                    (self.path(job.id) / WITHDRAWN).touch()
                    self._unmark(job.id)

    def delete(self, job: Job) -> None:
        """Delete a job with all its files."""
        gone = partial_path(self.path(job.id))
        with contextlib.suppress(FileNotFoundError):  # another worker may delete it at the same time
            self.path(job.id).rename(gone)
        self._unmark(job.id)
        remove(gone)

    def delete_inputs(self, job: Job) -> None:
        """Delete the data of applicants once the job is finished."""
        for name in ("input", "lines", "parts", "bundle"):
            remove(self.path(job.id) / name)

    def is_full(self, owner: str) -> bool:
        """Whether all jobs, or those of this key, use more space than they may."""
        used = _used(self.folder)
        if used <= self._max_bytes / 2:
            return False
        own = sum(_used(self.path(job.id)) for job in self.all() if job.owner == owner)
        return used > self._max_bytes or own > self._max_bytes / 2

    def rows(self) -> tuple[int, int]:
        """The scored and the rejected rows of all jobs, deleted jobs included."""
        try:
            scored, refused = json.loads((self.folder / ROWS).read_bytes())
        except FileNotFoundError:
            return 0, 0
        return scored, refused

    def count_rows(self, scored: int, refused: int) -> None:
        """Count the rows of a piece. Only the process that works on jobs may call it."""
        total_scored, total_refused = self.rows()
        atomic_write(self.folder / ROWS, json.dumps([total_scored + scored, total_refused + refused]))

    def clear(self, days: float) -> None:
        """Delete jobs that ended this many days ago, and the remains of killed processes."""
        if self.folder.is_dir():
            remove_abandoned(self.folder)
            for path in self.folder.iterdir():  # a job that was deleted while one of its pieces was written
                if JOB_ID.fullmatch(path.name) and not (path / "job.json").exists():
                    remove(path)
        before = time.time() - days * 86_400
        for job in self.all():
            if job.status in OPEN:
                self._mark(job)  # of an earlier release, or its process was killed before
                continue
            self._unmark(job.id)
            if (job.finished or job.created) < before:  # a job may be ended before it starts
                self.delete(job)
            elif job.finished or not job.starts:  # its process may have been killed at the end
                self.delete_inputs(job)

    def _mark(self, job: Job) -> None:
        self._open.mkdir(exist_ok=True)
        (self._open / job.id).touch()

    def _unmark(self, job_id: str) -> None:
        (self._open / job_id).unlink(missing_ok=True)


def _used(folder: Path) -> int:
    """Bytes of all files below a folder."""
    # Path.rglob raises if a folder is deleted meanwhile.
    return sum(_size(Path(parent, name)) for parent, _, names in os.walk(folder) for name in names)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # files come and go while a job runs
        return 0


def _json(job: Job) -> str:
    return json.dumps(asdict(job)) + "\n"
