"""A thread of the service that runs a process while there are open batch jobs."""

import atexit
import logging
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from bento.batch.jobs import Job, JobStore
from bento.http.problems import places
from loan_platform.settings.service import LimitSettings

log = logging.getLogger("loan_platform.service")

POLL_SECONDS = 0.5
CLEAN_UP_SECONDS = 3_600.0


class BatchWorker:
    """Starts `bento.batch.runner` when a job is open, ends it with the service, and deletes old jobs.

    Args:
        portfolio: whose jobs they are.
        store: of the jobs.
        limits: of an input, and the days after which a finished job is deleted.
        withdrawn: whether the model of a job was withdrawn, so that it may not go on.
        environment: of the process.

    Attributes:
        counts: the numbers of pending and of running jobs, half a second ago at most.
    """

    def __init__(
        self,
        portfolio: str,
        store: JobStore,
        limits: LimitSettings,
        withdrawn: Callable[[Job], bool],
        environment: Mapping[str, str],
    ) -> None:
        self._withdrawn, self.counts = withdrawn, (0, 0)
        self._portfolio, self._store, self._limits = portfolio, store, limits
        self._environment, self._stopped = environment, threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._poll_always, name="batches", daemon=True)

    def start(self) -> None:
        """Poll for open jobs from now on."""
        self._thread.start()
        atexit.register(self._end)

    def stop(self) -> None:
        """End the process, and poll no more."""
        self._stopped.set()
        self._thread.join()
        self._end()
        if self._process is not None:
            self._process.wait()
        atexit.unregister(self._end)

    def _poll_always(self) -> None:
        cleared = -math.inf
        while not self._stopped.is_set():
            try:
                if time.monotonic() - cleared > CLEAN_UP_SECONDS:
                    self._store.clear(self._limits.batch_days)
                    cleared = time.monotonic()
                self._store.withdraw(self._withdrawn)
                states = [job.status for job in self._store.open()]
                self.counts = (states.count("PENDING"), states.count("RUNNING"))
                self._start_process(bool(states))
            except Exception as error:  # such as a full process table: keep polling for later jobs
                log.error("batch jobs: %s at %s", type(error).__name__, places(error))
                self._stopped.wait(10 * POLL_SECONDS)
            self._stopped.wait(POLL_SECONDS)

    def _start_process(self, needed: bool) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self._process = None
        if needed:
            limits = self._limits.batch_bytes, self._limits.batch_rows
            arguments = self._portfolio, self._store.folder, *limits, os.getpid()
            command = [sys.executable, "-m", "bento.batch.runner", *map(str, arguments)]
            root = Path(__file__).resolve().parents[2]
            paths = [str(root), self._environment.get("PYTHONPATH", "")]
            environment = {**self._environment, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
            self._process = subprocess.Popen(command, env=environment, cwd=root)

    def _end(self) -> None:
        if self._process is not None:
            self._process.terminate()
