"""A process at work on batch jobs while there are any, kept by a thread of the service."""

import atexit
import logging
import math
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from bento.batch.jobs import OPEN, JobStore
from bento.http.problems import places

log = logging.getLogger("loan_platform.service")

LOOK_SECONDS = 0.5
CLEAR_SECONDS = 3_600.0


class BatchWorker:
    """Starts `bento.batch.runner` when a job is open and none runs, ends it with the service, and clears old jobs away.

    Args:
        portfolio: whose jobs they are.
        store: of the jobs.
        most_bytes: of an input.
        days: that a finished job is kept.
    """

    def __init__(self, portfolio: str, store: JobStore, most_bytes: int, days: int) -> None:
        self._portfolio, self._store, self._most_bytes, self._days = portfolio, store, most_bytes, days
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep_working, name="batches", daemon=True)

    def start(self) -> None:
        """Look for open jobs from now on."""
        self._thread.start()
        atexit.register(self._end)

    def _keep_working(self) -> None:
        cleared = -math.inf
        while True:
            try:
                if time.monotonic() - cleared > CLEAR_SECONDS:
                    self._store.clear(self._days)
                    cleared = time.monotonic()
                self._see_to_process()
            except Exception as error:  # such as a full table of processes: later jobs are worked on all the same
                log.error("batch jobs: %s at %s", type(error).__name__, places(error))
                time.sleep(10 * LOOK_SECONDS)
            time.sleep(LOOK_SECONDS)

    def _see_to_process(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self._process = None
        if any(job.status in OPEN for job in self._store.all()):
            arguments = map(str, (self._portfolio, self._store.folder, self._most_bytes, os.getpid()))
            command = [sys.executable, "-m", "bento.batch.runner", *arguments]
            root = Path(__file__).resolve().parents[2]
            paths = [str(root), os.environ.get("PYTHONPATH", "")]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
            self._process = subprocess.Popen(command, env=environment, cwd=root)

    def _end(self) -> None:
        if self._process is not None:
            self._process.terminate()
