"""How BentoML's supervisor looks after the workers."""

import os
import tempfile
from functools import partial
from pathlib import Path

import bentoml._internal.utils.circus as bentoml_circus
from bentoml._internal.configuration.containers import BentoMLContainer

LOOK_SECONDS = 1.0
MEMORY = Path("/dev/shm")  # of Linux, where files are in memory
OF_WORKERS = "PROMETHEUS_MULTIPROC_DIR"  # that the supervisor gives each


def watch_closely() -> None:
    """Let the supervisor look for dead workers each second.

    BentoML looks every ten and has no setting for it, and a service of one worker would be away as long.
    """
    made = bentoml_circus.create_standalone_arbiter
    bentoml_circus.create_standalone_arbiter = partial(made, check_delay=LOOK_SECONDS)


def metrics_in_memory() -> "tempfile.TemporaryDirectory[str] | None":
    """Let the workers keep the files of their metrics in memory, where there is such a place.

    They are mapped, and a page for which the disk has no room ends the process that touches it.

    Returns:
        The directory, which goes with this object; None in a worker, which was told its own.
    """
    if OF_WORKERS in os.environ or not os.access(MEMORY, os.W_OK):
        return None
    directory = tempfile.TemporaryDirectory(prefix="loan_service-", dir=MEMORY)
    BentoMLContainer.prometheus_multiproc_dir.set(directory.name)
    return directory
