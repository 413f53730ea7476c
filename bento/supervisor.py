"""How BentoML's supervisor looks after its workers."""

import atexit
import logging
import os
import signal
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from bento.bentoml_internals import set_metrics_directory, set_worker_check_seconds
from loan_platform.adapters.storage.atomic_files import partial_path, remove, remove_abandoned

log = logging.getLogger("loan_platform.service")

CHECK_SECONDS = 1.0
MEMORY = Path("/dev/shm")  # on Linux, a file system in memory
METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # the supervisor sets it for each worker


def check_workers_every_second() -> None:
    """Let the supervisor look for dead workers every second.

    BentoML looks every ten seconds. A service with one worker would be unavailable that long.
    """
    set_worker_check_seconds(CHECK_SECONDS)


def keep_metrics_in_memory() -> None:
    """Let the workers keep the files of their metrics in memory, if the system has such a file system.

    The files are memory-mapped. On a full disk, a write to such a page kills the process.
    """
    if METRICS_VARIABLE in os.environ or not os.access(MEMORY, os.W_OK):
        return  # the process is a worker, whose supervisor has set the directory
    remove_abandoned(MEMORY)  # of killed supervisors
    directory = partial_path(MEMORY / "loan_service")
    directory.mkdir(0o700)
    atexit.register(remove, directory)
    set_metrics_directory(str(directory))


def warn_once(messages: Iterable[str]) -> None:
    """Log messages in the supervisor only, so that they appear once however many workers start."""
    if METRICS_VARIABLE in os.environ:
        return
    for message in messages:
        log.warning(message)


def end_with_supervisor() -> None:
    """Shut this worker down when its supervisor is gone. Otherwise it would keep running and hold the port."""
    supervisor = os.getppid()

    def watch() -> None:
        while os.getppid() == supervisor:
            time.sleep(CHECK_SECONDS)
        log.error("the supervisor is gone: this worker shuts down")
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="supervisor", daemon=True).start()
