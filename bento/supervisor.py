"""How BentoML's supervisor looks after the workers."""

import atexit
import logging
import os
import signal
import threading
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import bentoml._internal.utils.circus as bentoml_circus
from bentoml._internal.configuration.containers import BentoMLContainer

from loan_platform.adapters.storage.atomic_files import partial_path, remove, remove_abandoned

log = logging.getLogger("loan_platform.service")

LOOK_SECONDS = 1.0
MEMORY = Path("/dev/shm")  # of Linux, where files are in memory
OF_WORKERS = "PROMETHEUS_MULTIPROC_DIR"  # that the supervisor gives each


def warn_once(messages: Iterable[str]) -> None:
    """Log messages in the supervisor only, so that they appear once however many workers start."""
    if OF_WORKERS in os.environ:
        return
    for message in messages:
        log.warning(message)


def watch_closely() -> None:
    """Let the supervisor look for dead workers each second.

    BentoML looks every ten and has no setting for it, and a service of one worker would be away as long.
    """
    made = bentoml_circus.create_standalone_arbiter
    bentoml_circus.create_standalone_arbiter = partial(made, check_delay=LOOK_SECONDS)


def metrics_in_memory() -> None:
    """Let the workers keep the files of their metrics in memory, where there is such a place.

    They are mapped, and a page for which the disk has no room ends the process that touches it.
    """
    if OF_WORKERS in os.environ or not os.access(MEMORY, os.W_OK):
        return  # a worker has been told where
    remove_abandoned(MEMORY)  # of supervisors that were killed
    directory = partial_path(MEMORY / "loan_service")
    directory.mkdir(0o700)
    atexit.register(remove, directory)
    BentoMLContainer.prometheus_multiproc_dir.set(str(directory))


def end_with_supervisor() -> None:
    """End this worker in order when its supervisor is gone: nobody else would, and its port could not be used again."""
    supervisor = os.getppid()

    def follow() -> None:
        while os.getppid() == supervisor:
            time.sleep(LOOK_SECONDS)
        log.error("the supervisor is gone, and so this worker ends")
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=follow, name="supervisor", daemon=True).start()
