"""The only imports of BentoML's private modules.

BentoML has no setting for these three things. Private names may change with any release, so `SUPPORTED` states the
releases that were checked, and a test names what is missing after an upgrade.
"""

from functools import partial
from pathlib import Path
from typing import Any

import bentoml._internal.log as bentoml_log
import bentoml._internal.utils.circus as bentoml_circus
from bentoml._internal.configuration.containers import BentoMLContainer

SUPPORTED = ">=1.4.39,<1.5"  # of bentoml; the same as in pyproject.toml


def replace_logging_config(config: dict[str, Any]) -> None:
    """Replace the logging configuration that BentoML's supervisor and workers apply."""
    bentoml_log.SERVER_LOGGING_CONFIG.clear()
    bentoml_log.SERVER_LOGGING_CONFIG.update(config)


def set_supervisor(check_seconds: float, sockets: Path) -> None:
    """Set how often the supervisor looks for dead workers, and where it takes commands.

    Args:
        check_seconds: between two looks.
        sockets: folder of its control sockets. BentoML's own are TCP ports without a password: whoever can open a
            connection on this machine could let the supervisor run a command.
    """
    bentoml_circus.create_standalone_arbiter = partial(_create_arbiter, check_delay=check_seconds, folder=sockets)


def _create_arbiter(watchers: list[Any], *, folder: Path, threaded: bool = False, **options: Any) -> Any:
    arbiter = bentoml_circus.ThreadedArbiter if threaded else bentoml_circus.Arbiter
    control, events = f"ipc://{folder / 'control'}", f"ipc://{folder / 'events'}"
    return arbiter(watchers, endpoint=control, pubsub_endpoint=events, **options)


def set_metrics_directory(path: str) -> None:
    """Set the directory in which the workers keep their Prometheus metrics."""
    BentoMLContainer.prometheus_multiproc_dir.set(path)
