"""The process that works on batch jobs, some time on each: python -m bento.batch.runner <portfolio> <folder> ...

One process at a time works for all workers of a portfolio. The others wait for its lock. After a kill, the next process
keeps the pieces that are finished.
"""

import contextlib
import logging
import os
import resource
import signal
import sys
import time
from pathlib import Path

from loan_platform.settings.platform import cores
from loan_platform.settings.private_files import keep_files_private
from loan_platform.settings.quiet import quiet_environment

quiet_environment()
keep_files_private()

from filelock import FileLock, Timeout  # noqa: E402

from bento.batch.fair_queue import FairQueue  # noqa: E402
from bento.batch.input import InputLimits  # noqa: E402
from bento.batch.job_run import JobRun, Outcome  # noqa: E402
from bento.batch.jobs import JobStore  # noqa: E402
from bento.batch.records import JobRecords  # noqa: E402
from loan_platform.settings.audit import AuditSettings  # noqa: E402

MEMORY_BYTES = 4 << 30  # of this process; a job of a million rows needs 0.8 GB
MEMORY_BYTES_PER_CORE = 64 << 20  # for the threads
IDLE_SECONDS, IDLE_POLL_SECONDS = 30.0, 0.1
SLICE_SECONDS = 1.0  # of one key's work, while others wait


def main() -> None:
    """Work until no job has come for a while, or the service that started this process is gone.

    The arguments are the portfolio, the folder of the jobs, the limits of an input in bytes and rows, and the id of the
    service's process.
    """
    portfolio, folder = sys.argv[1], Path(sys.argv[2])
    limits, parent = InputLimits(int(sys.argv[3]), int(sys.argv[4])), int(sys.argv[5])
    os.nice(10)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit())
    _limit_memory()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    store, records = JobStore(folder, limits.max_bytes), JobRecords(portfolio, AuditSettings.for_portfolio(portfolio))
    lock = FileLock(folder / ".lock")
    while os.getppid() == parent and store.open():  # until another process has done them all
        with contextlib.suppress(Timeout), lock.acquire(timeout=1):
            _work_while_jobs_come(store, records, limits, parent)


def _work_while_jobs_come(store: JobStore, records: JobRecords, limits: InputLimits, parent: int) -> None:
    """Work on open jobs, and wait a while for more: a small job takes less time than the start of a process.

    After a job that failed the process ends, and the next job gets a new one, unless only the file was to blame.
    """
    idle_since = time.monotonic()
    jobs = JobSlices(store, records, limits, parent)
    while os.getppid() == parent and time.monotonic() - idle_since < IDLE_SECONDS:
        outcome = jobs.work(SLICE_SECONDS)
        if outcome is Outcome.FAILED:
            return
        if outcome is None:
            time.sleep(IDLE_POLL_SECONDS)
        else:
            idle_since = time.monotonic()


class JobSlices:
    """Works on the open jobs of all keys, a slice of time on each.

    Args:
        store: of the jobs.
        records: of their answers.
        limits: of their inputs.
        parent: id of the process of the service.
    """

    def __init__(self, store: JobStore, records: JobRecords, limits: InputLimits, parent: int) -> None:
        self._store, self._records, self._limits, self._parent = store, records, limits, parent
        self._queue = FairQueue()
        self._runs: dict[str, JobRun] = {}

    def work(self, seconds: float) -> Outcome | None:
        """Work for a slice of time on one job. Returns None if none is open."""
        jobs = self._store.open()
        for ended in self._runs.keys() - {job.id for job in jobs}:  # cancelled or withdrawn since its last slice
            self._runs.pop(ended).slice(0)
        if not jobs:
            return None
        job = self._queue.next(jobs)
        if job.id not in self._runs:
            self._runs[job.id] = JobRun(self._store, self._records, job, self._limits, self._parent)
        started = time.monotonic()
        outcome = self._runs[job.id].slice(seconds)
        self._queue.worked(job, time.monotonic() - started)
        if outcome is not Outcome.OPEN:
            del self._runs[job.id]
        return outcome


def _limit_memory() -> None:
    """Limit the memory of this process, because a small file can unpack to any size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    existing = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    maximum = min([MEMORY_BYTES + MEMORY_BYTES_PER_CORE * cores(), *existing])
    resource.setrlimit(resource.RLIMIT_DATA, (maximum, hard))


if __name__ == "__main__":
    main()
