"""The only imports of BentoML's private modules.

BentoML has no setting for these three things. Private names may change with any release, so `SUPPORTED` states the
releases that were checked, and a test names what is missing after an upgrade.
"""

from functools import partial
from typing import Any

import bentoml._internal.log as bentoml_log
import bentoml._internal.utils.circus as bentoml_circus
from bentoml._internal.configuration.containers import BentoMLContainer

SUPPORTED = ">=1.4.39,<1.5"  # of bentoml; the same as in pyproject.toml


def replace_logging_config(config: dict[str, Any]) -> None:
    """Replace the logging configuration that BentoML's supervisor and workers apply."""
    bentoml_log.SERVER_LOGGING_CONFIG.clear()
    bentoml_log.SERVER_LOGGING_CONFIG.update(config)


def set_worker_check_seconds(seconds: float) -> None:
    """Set how often the supervisor looks for dead workers."""
    create = bentoml_circus.create_standalone_arbiter
    bentoml_circus.create_standalone_arbiter = partial(create, check_delay=seconds)


def set_metrics_directory(path: str) -> None:
    """Set the directory in which the workers keep their Prometheus metrics."""
    BentoMLContainer.prometheus_multiproc_dir.set(path)
