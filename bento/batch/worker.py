"""A thread of the service that runs a process while there are open batch jobs."""

import atexit
import logging
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bento.batch.jobs import OPEN, Job, JobStore
from bento.http.problems import places

log = logging.getLogger("loan_platform.service")

POLL_SECONDS = 0.5
CLEAN_UP_SECONDS = 3_600.0


class BatchWorker:
    """Starts `bento.batch.runner` when a job is open, ends it with the service, and deletes old jobs.

    Args:
        portfolio: whose jobs they are.
        store: of the jobs.
        max_bytes: of an input.
        days: after which a finished job is deleted.
        withdrawn: whether the model of a job was withdrawn, so that it may not go on.
    """

    def __init__(
        self, portfolio: str, store: JobStore, max_bytes: int, days: int, withdrawn: Callable[[Job], bool]
    ) -> None:
        self._withdrawn = withdrawn
        self._portfolio, self._store, self._max_bytes, self._days = portfolio, store, max_bytes, days
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._poll_always, name="batches", daemon=True)

    def start(self) -> None:
        """Poll for open jobs from now on."""
        self._thread.start()
        atexit.register(self._end)

    def _poll_always(self) -> None:
        cleared = -math.inf
        while True:
            try:
                if time.monotonic() - cleared > CLEAN_UP_SECONDS:
                    self._store.clear(self._days)
                    cleared = time.monotonic()
                self._store.withdraw(self._withdrawn)
                self._start_process()
            except Exception as error:  # such as a full process table: keep polling for later jobs
                log.error("batch jobs: %s at %s", type(error).__name__, places(error))
                time.sleep(10 * POLL_SECONDS)
            time.sleep(POLL_SECONDS)

    def _start_process(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self._process = None
        if any(job.status in OPEN for job in self._store.all()):
            arguments = map(str, (self._portfolio, self._store.folder, self._max_bytes, os.getpid()))
            command = [sys.executable, "-m", "bento.batch.runner", *arguments]
            root = Path(__file__).resolve().parents[2]
            paths = [str(root), os.environ.get("PYTHONPATH", "")]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
            self._process = subprocess.Popen(command, env=environment, cwd=root)

    def _end(self) -> None:
        if self._process is not None:
            self._process.terminate()
