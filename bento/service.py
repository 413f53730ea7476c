"""The BentoML service of one portfolio: its champion answers over HTTP.

Start it with `make serve`. LOAN_PORTFOLIO names the portfolio. The supervisor imports this module to check settings
and keys; only the workers import what answers requests, `bento/worker.py`.
"""

import os
from typing import TypeVar

from starlette.types import ASGIApp

from loan_platform.settings.catalogue import renamed_variables
from loan_platform.settings.private_files import keep_files_private
from loan_platform.settings.quiet import quiet_environment
from loan_platform.settings.supported_platform import require_supported_platform

require_supported_platform()
quiet_environment()
keep_files_private()

import bentoml  # noqa: E402  # reads the environment when it is imported

from bento.bentoml_internals import replace_logging_config  # noqa: E402
from bento.supervisor import set_up_supervisor, warn_once  # noqa: E402
from bento.telemetry.logs import configure  # noqa: E402
from bento.worker_setup import checked_setup  # noqa: E402

SETUP = checked_setup(os.environ)
replace_logging_config(configure(SETUP.telemetry.log_level))
warn_once(renamed_variables())
set_up_supervisor()

T = TypeVar("T")


class LoanBentoService(bentoml.Service[T]):
    """A BentoML service whose workers run `ServiceApp`."""

    def to_asgi(self, is_main: bool = True) -> ASGIApp:
        """The application of one worker."""
        from bento.worker import worker

        return worker(SETUP).app(super().to_asgi(is_main))


@bentoml.service(
    name="loan_service",
    service_class=LoanBentoService,
    workers=SETUP.limits.workers,
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},  # BentoML's metrics have a series for each path that clients make up
)
class LoanService:
    """Scores applications with the champion of the portfolio."""

    def __init__(self) -> None:
        from bento.worker import worker

        worker(SETUP).start()
