"""How BentoML's supervisor looks after its workers."""

import atexit
import logging
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from bento.bentoml_internals import set_metrics_directory, set_supervisor
from loan_platform.adapters.storage.atomic_files import partial_path, remove, remove_abandoned

log = logging.getLogger("loan_platform.service")

CHECK_SECONDS = 1.0
MEMORY = Path("/dev/shm")  # on Linux, a file system in memory  # noqa: S108
METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # the supervisor sets it for each worker


def set_up_supervisor() -> None:
    """Let the supervisor look for dead workers every second, take commands of its own user only, and keep metrics.

    BentoML looks every ten seconds. A service with one worker would be unavailable that long.
    The files of the metrics are memory-mapped. On a full disk, a write to such a page kills the process, so they are
    in memory where the system has such a file system.
    """
    if METRICS_VARIABLE in os.environ:
        return  # the process is a worker, whose supervisor has set the directory
    folder = _own_folder()
    atexit.register(remove, folder)
    set_supervisor(CHECK_SECONDS, folder)
    if folder.parent == MEMORY:
        (folder / "metrics").mkdir()
        set_metrics_directory(str(folder / "metrics"))


def _own_folder() -> Path:
    """A new folder that only this user can read. Its name is short, as the path of a socket has about 100 bytes."""
    if not os.access(MEMORY, os.W_OK):
        return Path(tempfile.mkdtemp(prefix="loan_"))
    remove_abandoned(MEMORY)  # of killed supervisors
    folder = partial_path(MEMORY / "loan")
    folder.mkdir(0o700)
    return folder


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
