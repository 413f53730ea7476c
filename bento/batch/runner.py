"""The process that works on batch jobs, one after the other: python -m bento.batch.runner <portfolio> <folder> ...

One process at a time works for all workers of a portfolio. The others wait for its lock. After a kill, the next process
keeps the pieces that are finished.
"""

import contextlib
import json
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from loan_platform.settings.platform import cores
from loan_platform.settings.private_files import keep_files_private
from loan_platform.settings.quiet import quiet_environment

quiet_environment()
keep_files_private()

import polars as pl  # noqa: E402
from filelock import FileLock, Timeout  # noqa: E402

from bento.batch.input import PIECE_ROWS, ROW, Pieces, UnreadableFileError  # noqa: E402
from bento.batch.jobs import CANCELLED, MAX_STARTS, MODEL_WITHDRAWN, WITHDRAWN, Job, JobStore, Status  # noqa: E402
from bento.batch.raw_columns import RawColumns  # noqa: E402
from bento.batch.records import JobRecords  # noqa: E402
from bento.http.problems import places  # noqa: E402
from bento.model.champion import Serving  # noqa: E402
from loan_platform.adapters.audit.job_records import ROWS  # noqa: E402
from loan_platform.adapters.storage.atomic_files import (  # noqa: E402
    DiskFullError,
    atomic_write,
    discarded_on_error,
    explained_disk_full,
    fsync,
    partial_path,
)
from loan_platform.core.applications.frame_reader import KEY, REJECTIONS, FrameReader, ReadRows  # noqa: E402
from loan_platform.core.errors import ExplainedError  # noqa: E402
from loan_platform.core.scoring.answer import ANSWER_SCHEMA  # noqa: E402
from loan_platform.core.scoring.bundle import BundleError  # noqa: E402
from loan_platform.settings.audit import AuditSettings  # noqa: E402

log = logging.getLogger("loan_platform.service")

MEMORY_BYTES = 4 << 30  # of this process; a job of a million rows needs 0.8 GB
MEMORY_BYTES_PER_CORE = 64 << 20  # for the threads
IDLE_SECONDS, IDLE_POLL_SECONDS = 30.0, 0.1
ANSWERS = {ROW: pl.Int64(), KEY: pl.String(), **ANSWER_SCHEMA}

RecordRows = Callable[[ReadRows, pl.DataFrame], pl.DataFrame]


class CancelledError(Exception):
    """The job was cancelled."""


def main() -> None:
    """Work until no job has come for a while, or the service that started this process is gone.

    The arguments are the portfolio, the folder of the jobs, the limit of an input in bytes, and the id of the service's
    process.
    """
    portfolio, folder, max_bytes, parent = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    os.nice(10)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit())
    _limit_memory()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    store, records = JobStore(folder, max_bytes), JobRecords(portfolio, AuditSettings.for_portfolio(portfolio))
    lock = FileLock(folder / ".lock")
    while os.getppid() == parent and _open_job(store):  # until another process has done them all
        with contextlib.suppress(Timeout), lock.acquire(timeout=1):
            _work_while_jobs_come(store, records, max_bytes, parent)


def _work_while_jobs_come(store: JobStore, records: JobRecords, max_bytes: int, parent: int) -> None:
    """Work on open jobs, and wait a while for more: a small job takes less time than the start of a process.

    After a job that failed the process ends, and the next job gets a new one, unless only the file was to blame.
    """
    idle_since = time.monotonic()
    while os.getppid() == parent and time.monotonic() - idle_since < IDLE_SECONDS:
        if job := _open_job(store):
            if not work(store, records, job, max_bytes, parent):
                return
            idle_since = time.monotonic()
        else:
            time.sleep(IDLE_POLL_SECONDS)


def _open_job(store: JobStore) -> Job | None:
    return next(iter(store.open()), None)


def _limit_memory() -> None:
    """Limit the memory of this process, because a small file can unpack to any size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    existing = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    maximum = min([MEMORY_BYTES + MEMORY_BYTES_PER_CORE * cores(), *existing])
    resource.setrlimit(resource.RLIMIT_DATA, (maximum, hard))


def work(store: JobStore, records: JobRecords, job: Job, max_bytes: int, parent: int) -> bool:
    """Work on one job until it ends. The result is in its state.

    Returns:
        Whether this process is as good as a new one: the job did not fail, or its file cannot be read.
    """
    unreadable = False
    try:
        if job.stuck >= MAX_STARTS:
            raise ExplainedError(f"The job ended its process {job.stuck} times.")
        job = replace(job, status="RUNNING", starts=job.starts + 1, stuck=job.stuck + 1)
        store.save(job)
        job = _scored(store, records, job, max_bytes, parent)
    except SystemExit:  # the service shuts down, which is not the fault of the job
        current = store.get(job.id) or job  # pieces may have been finished
        store.save(replace(current, stuck=max(current.stuck - 1, 0)))
        raise
    except CancelledError:
        job = _ended(store, job, "CANCELLED")
    except DiskFullError:  # its message names folders
        job = _ended(store, job, "FAILED", "The disk of the service is full.")
    except MemoryError:
        job = _ended(store, job, "FAILED", "The job exceeds the memory limit.")
    except ExplainedError as error:
        unreadable = isinstance(error, UnreadableFileError)
        job = _ended(store, job, "FAILED", str(error))
    except Exception as error:  # unexpected: its message may contain values, so only its type is stored
        log.error("job %s: %s at %s", job.id, type(error).__name__, places(error))
        job = _ended(store, job, "FAILED", f"The service failed ({type(error).__name__}).")
    store.save(job)
    store.delete_inputs(job)
    log.info("job %s: %s, %s scored, %s rejected", job.id, job.status, job.scored, job.refused)
    return job.status != "FAILED" or unreadable


def _ended(store: JobStore, job: Job, status: Status, why: str | None = None) -> Job:
    """The finished job, with the rows that were processed."""
    return replace(store.get(job.id) or job, status=status, finished=time.time(), why=why)


def _scored(store: JobStore, records: JobRecords, job: Job, max_bytes: int, parent: int) -> Job:
    folder = store.path(job.id)
    _require_allowed(folder)
    try:
        serving = Serving.load(job.version, job.sha256, folder / "bundle", threads=cores())
    except BundleError as error:  # its message names folders
        log.error("job %s: %s", job.id, error)
        raise ExplainedError("The model of the job is damaged.") from None
    raw = RawColumns(serving.bundle.model.contract, serving.reader)
    pieces = Pieces(folder, job.media, FrameReader(serving.reader), max_bytes, raw, job.columns)
    parts = folder / "parts"
    parts.mkdir(exist_ok=True)
    with explained_disk_full(parts):
        count, total = pieces.split()
    job = replace(job, parts=count, total=total, done=0, scored=0, refused=0)
    for piece in range(count):
        summary = parts / f"{piece}.json"
        if not summary.exists():
            _require_allowed(folder)
            if os.getppid() != parent:
                raise SystemExit
            counts = _score(serving, pieces, piece, parts, partial(records.rows, job, serving))
            atomic_write(summary, json.dumps(counts))
            store.count_rows(**counts)
            job = replace(job, stuck=0)
        done: dict[str, int] = json.loads(summary.read_bytes())
        job = replace(job, done=piece + 1, scored=job.scored + done["scored"], refused=job.refused + done["refused"])
        store.save(job)
    _require_allowed(folder)
    for kind, schema in ("answers", ANSWERS), ("refused", REJECTIONS):
        _concatenate(parts, kind, count, schema, folder / f"{kind}.parquet")
    records.write(job, serving, partial(_concatenate, parts, "record", count, ROWS))
    return replace(job, status="SUCCEEDED", total=job.scored + job.refused, finished=time.time())


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


if __name__ == "__main__":
    main()
