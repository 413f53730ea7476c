"""Work on one batch job in slices, between which other jobs are worked on."""

import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import polars as pl

from bento.batch.input import ROW, InputLimits, Pieces, UnreadableFileError
from bento.batch.jobs import CANCELLED, MAX_STARTS, MODEL_WITHDRAWN, WITHDRAWN, Job, JobStore, Status
from bento.batch.piece_files import PIECE_ROWS
from bento.batch.raw_columns import RawColumns
from bento.batch.records import JobRecords
from bento.http.problems import places
from bento.model.champion import Serving
from loan_platform.adapters.audit.job_records import ROWS
from loan_platform.adapters.storage.atomic_files import (
    DiskFullError,
    atomic_write,
    discarded_on_error,
    explained_disk_full,
    fsync,
    partial_path,
)
from loan_platform.core.applications.frame_reader import KEY, REJECTIONS, FrameReader, ReadRows
from loan_platform.core.errors import ExplainedError
from loan_platform.core.scoring.answer import ANSWER_SCHEMA
from loan_platform.core.scoring.bundle import BundleError
from loan_platform.settings.platform import cores

log = logging.getLogger("loan_platform.service")

ANSWERS = {ROW: pl.Int64(), KEY: pl.String(), **ANSWER_SCHEMA}

RecordRows = Callable[[ReadRows, pl.DataFrame], pl.DataFrame]


class CancelledError(Exception):
    """The job was cancelled."""


class Outcome(Enum):
    """What a slice of work has come to."""

    OPEN = "the job goes on"
    ENDED = "the job has ended"
    FAILED = "the job has failed, and left this process worse than a new one"


class JobRun:
    """The work on one job. Its state on disk is right after each slice.

    Args:
        store: of the job.
        records: of its answers.
        job: an open one.
        limits: of its input.
        parent: id of the process of the service. Once it is gone, the work ends.
    """

    def __init__(self, store: JobStore, records: JobRecords, job: Job, limits: InputLimits, parent: int) -> None:
        self._store, self._records, self._limits, self._parent = store, records, limits, parent
        self._job = replace(job, status="RUNNING", starts=job.starts + 1)
        self._steps = self._scored()

    def slice(self, seconds: float) -> Outcome:
        """Work until the job ends, or for about `seconds`: at least one step, such as a piece of the input.

        Raises:
            SystemExit: the service shuts down.
        """
        unreadable, store = False, self._store
        deadline = time.monotonic() + seconds
        stuck = self._job.stuck
        try:
            if stuck >= MAX_STARTS:
                raise ExplainedError(f"The job ended its process {stuck} times.")
            self._job = replace(self._job, stuck=stuck + 1)  # stands if the process is killed in this slice
            store.save(self._job)
            for _ in self._steps:
                if time.monotonic() >= deadline:
                    self._job = replace(self._job, stuck=min(stuck, self._job.stuck))
                    store.save(self._job)
                    return Outcome.OPEN
        except SystemExit:  # not the fault of the job
            current = store.get(self._job.id) or self._job  # pieces may have been finished
            store.save(replace(current, stuck=max(current.stuck - 1, 0)))
            raise
        except CancelledError:
            self._end("CANCELLED")
        except DiskFullError:  # its message names folders
            self._end("FAILED", "The disk of the service is full.")
        except MemoryError:
            self._end("FAILED", "The job exceeds the memory limit.")
        except ExplainedError as error:
            unreadable = isinstance(error, UnreadableFileError)
            self._end("FAILED", str(error))
        except Exception as error:  # unexpected: its message may contain values, so only its type is stored
            log.error("job %s: %s at %s", self._job.id, type(error).__name__, places(error))
            self._end("FAILED", f"The service failed ({type(error).__name__}).")
        job = self._job
        store.save(job)
        store.delete_inputs(job)
        log.info("job %s: %s, %s scored, %s rejected", job.id, job.status, job.scored, job.refused)
        return Outcome.FAILED if job.status == "FAILED" and not unreadable else Outcome.ENDED

    def _end(self, status: Status, why: str | None = None) -> None:
        """End the job, with the rows that were processed."""
        current = self._store.get(self._job.id) or self._job
        self._job = replace(current, status=status, finished=time.time(), why=why)

    def _scored(self) -> Iterator[None]:
        """Score the job, with a pause after each step."""
        store, folder = self._store, self._store.path(self._job.id)
        _require_allowed(folder)
        serving = _serving(self._job, folder / "bundle")
        raw = RawColumns(serving.bundle.model.contract, serving.reader)
        reader = FrameReader(serving.reader)
        pieces = Pieces(folder, self._job.media, reader, self._limits, raw, self._job.columns)
        parts = folder / "parts"
        parts.mkdir(exist_ok=True)
        with explained_disk_full(parts):
            for _ in pieces.split():
                yield
                _require_allowed(folder)
        self._job = replace(self._job, parts=pieces.count, total=pieces.rows, done=0, scored=0, refused=0)
        for piece in range(pieces.count):
            summary = parts / f"{piece}.json"
            is_new = not summary.exists()
            if is_new:
                _require_allowed(folder)
                if os.getppid() != self._parent:
                    raise SystemExit
                counts = _score(serving, pieces, piece, parts, partial(self._records.rows, self._job, serving))
                atomic_write(summary, json.dumps(counts))
                store.count_rows(**counts)
                self._job = replace(self._job, stuck=0)
            done: dict[str, int] = json.loads(summary.read_bytes())
            scored, refused = self._job.scored + done["scored"], self._job.refused + done["refused"]
            self._job = replace(self._job, done=piece + 1, scored=scored, refused=refused)
            store.save(self._job)
            if is_new:
                yield
        _require_allowed(folder)
        for kind, schema in ("answers", ANSWERS), ("refused", REJECTIONS):
            _concatenate(parts, kind, pieces.count, schema, folder / f"{kind}.parquet")
        self._records.write(self._job, serving, partial(_concatenate, parts, "record", pieces.count, ROWS))
        total = self._job.scored + self._job.refused
        self._job = replace(self._job, status="SUCCEEDED", total=total, finished=time.time())


_loaded: WeakValueDictionary[tuple[int, str], Serving] = WeakValueDictionary()  # jobs of one model share it


def _serving(job: Job, bundle: Path) -> Serving:
    key = job.version, job.sha256
    if (known := _loaded.get(key)) is not None:
        return known
    try:
        loaded = _loaded[key] = Serving.load(*key, bundle, threads=cores())
    except BundleError as error:  # its message names folders
        log.error("job %s: %s", job.id, error)
        raise ExplainedError("The model of the job is damaged.") from None
    return loaded


def _require_allowed(folder: Path) -> None:
    """Check that nobody has ended the job.

    Raises:
        CancelledError: its owner cancelled it.
        ExplainedError: its model was withdrawn.
    """
    if (folder / CANCELLED).exists():
        raise CancelledError
    if (folder / WITHDRAWN).exists():
        raise ExplainedError(MODEL_WITHDRAWN)


def _score(serving: Serving, pieces: Pieces, piece: int, parts: Path, record: RecordRows) -> dict[str, int]:
    read = pieces.read(piece)
    answers = serving.predictor.predict_frame(read.frame).insert_column(0, read.rows).insert_column(1, read.keys)
    _write(answers.select(*ANSWERS), parts / f"{piece}.answers.parquet")
    _write(record(read, answers), parts / f"{piece}.record.parquet")
    _write(read.rejected, parts / f"{piece}.refused.parquet")
    return {"scored": answers.height, "refused": read.rejected[ROW].n_unique()}


def _write(frame: pl.DataFrame, path: Path) -> None:
    partial = partial_path(path)
    with explained_disk_full(path), discarded_on_error(partial):
        frame.write_parquet(partial)
        fsync(partial)
        partial.replace(path)


def _concatenate(parts: Path, kind: str, count: int, schema: Mapping[str, Any], path: Path) -> None:
    files = [parts / f"{piece}.{kind}.parquet" for piece in range(count)]
    partial = partial_path(path)
    frame = pl.scan_parquet(files) if files else pl.LazyFrame(schema=schema)
    with explained_disk_full(path), discarded_on_error(partial):
        frame.sink_parquet(partial, row_group_size=PIECE_ROWS)
        fsync(partial)
        partial.replace(path)
