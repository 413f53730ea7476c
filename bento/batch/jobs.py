"""Batch jobs as folders: what was asked, by which model it is answered, how far it is.

<job>/job.json              state, written whole or not at all
<job>/input                 the body as it came
<job>/bundle/               the model that was in force when it came: it answers all rows
<job>/lines/<number>        rows of the input, sorted out; <job>/lines.json when all are
<job>/parts/<number>.*      answers, their records and refusals of a piece; <number>.json when both are there
<job>/answers.parquet       all of them, as is refused.parquet
rows.json                   how many rows of all jobs were scored and refused
"""

import contextlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from loan_platform.adapters.storage.atomic_files import atomic_write, partial_path, remove, remove_abandoned

Status = Literal["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]
OPEN = frozenset({"PENDING", "RUNNING"})
JOB_ID = re.compile(r"[0-9a-f]{32}")
MOST_STARTS = 3  # a job that ended its process as often at the same piece is to blame
ROWS = "rows.json"


@dataclass(frozen=True)
class Job:
    """One batch job.

    Attributes:
        owner: id of the key that made it; empty in development.
        media: type of the body.
        version, sha256: of the model.
        parts: pieces of its input; 0 until they are known.
        scored, refused: rows so far; together they are the accepted ones at the end.
        starts: how often a process began to work on it.
        stuck: how often in a row it did so and finished no piece.
        why: it failed.
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

    @property
    def progress(self) -> float:
        """Share that is done."""
        if self.status == "SUCCEEDED":
            return 1.0
        return self.done / self.parts if self.parts else 0.0


class JobStore:
    """The jobs of a portfolio in one folder.

    Args:
        folder: holds a folder for each.
        most_bytes: of all jobs together, beyond which no new one is taken.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self.folder, self._most_bytes = folder, most_bytes

    def draft(self) -> Path:
        """A folder for a job in the making."""
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = partial_path(self.folder / "job")
        draft.mkdir()
        return draft

    def add(self, draft: Path, bundle: Path, **about: Any) -> Job:
        """Make a job of a draft that has its input."""
        job = Job(id=uuid.uuid4().hex, created=time.time(), **about)
        shutil.copytree(bundle, draft / "bundle")
        atomic_write(draft / "job.json", _json(job))
        draft.rename(self.folder / job.id)
        return job

    def path(self, job_id: str) -> Path:
        """The folder of a job."""
        return self.folder / job_id

    def get(self, job_id: str) -> Job | None:
        """A job by its id; None where there is none."""
        if not JOB_ID.fullmatch(job_id):
            return None
        try:
            job = Job(**json.loads((self.path(job_id) / "job.json").read_bytes()))
        except FileNotFoundError:
            return None
        if job.status in OPEN and (self.path(job_id) / "cancelled").exists():
            return replace(job, status="CANCELLED")
        return job

    def save(self, job: Job) -> None:
        """Replace a job's state; one that was deleted meanwhile stays so."""
        if self.path(job.id).is_dir():
            atomic_write(self.path(job.id) / "job.json", _json(job))

    def all(self) -> Iterator[Job]:
        """Every job, oldest first."""
        if self.folder.is_dir():
            found = (self.get(path.name) for path in list(self.folder.iterdir()))
            yield from sorted((job for job in found if job), key=lambda job: job.created)

    def cancel(self, job: Job) -> None:
        """End an open job within a piece; delete a finished one."""
        if job.status in OPEN:
            (self.path(job.id) / "cancelled").touch()
        else:
            self.delete(job)

    def delete(self, job: Job) -> None:
        """Delete a job with all its files."""
        gone = partial_path(self.path(job.id))
        with contextlib.suppress(FileNotFoundError):  # another worker may delete it too
            self.path(job.id).rename(gone)
        remove(gone)

    def forget(self, job: Job) -> None:
        """Delete what applicants stated: it is answered, or never will be."""
        for name in ("input", "lines", "parts", "bundle"):
            remove(self.path(job.id) / name)

    def is_full(self) -> bool:
        """Whether the jobs have as many bytes as they may."""
        if not self.folder.is_dir():
            return False
        # Path.rglob raises where a folder goes meanwhile.
        found = (Path(folder, name) for folder, _, names in os.walk(self.folder) for name in names)
        return sum(map(_size, found)) > self._most_bytes

    def rows(self) -> tuple[int, int]:
        """How many rows of all jobs, deleted ones too, were scored and refused."""
        try:
            scored, refused = json.loads((self.folder / ROWS).read_bytes())
        except FileNotFoundError:
            return 0, 0
        return scored, refused

    def count_rows(self, scored: int, refused: int) -> None:
        """Count rows of a piece; for the one process that works on jobs."""
        before = self.rows()
        atomic_write(self.folder / ROWS, json.dumps([before[0] + scored, before[1] + refused]))

    def clear(self, days: float) -> None:
        """Delete what ended so many days ago, and what a killed process left in the making."""
        if self.folder.is_dir():
            remove_abandoned(self.folder)
            for path in self.folder.iterdir():  # a job that was deleted while a piece of it was written
                if JOB_ID.fullmatch(path.name) and not (path / "job.json").exists():
                    remove(path)
        before = time.time() - days * 86_400
        for job in self.all():
            if job.status in OPEN:
                continue
            if (job.finished or job.created) < before:  # it may have ended before it began
                self.delete(job)
            elif job.finished or not job.starts:  # or while its process was killed
                self.forget(job)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # files come and go while a job is worked on
        return 0


def _json(job: Job) -> str:
    return json.dumps(asdict(job)) + "\n"
