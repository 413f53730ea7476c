"""The BentoML service of one portfolio: its champion answers over HTTP.

Start it with `make serve`. LOAN_PORTFOLIO names the portfolio. The supervisor imports this module to check settings
and keys; only the workers import what answers requests, `bento/worker.py`.
"""

from typing import TypeVar

from starlette.types import ASGIApp

from loan_platform.settings.audit import AuditSettings
from loan_platform.settings.catalogue import renamed_variables
from loan_platform.settings.http import HttpSettings
from loan_platform.settings.quiet import quiet_environment
from loan_platform.settings.service import LimitSettings, ServiceSettings
from loan_platform.settings.supported_platform import require_supported_platform
from loan_platform.settings.telemetry import TelemetrySettings

require_supported_platform()
quiet_environment()

import bentoml  # noqa: E402  # reads the environment when it is imported

from bento.bentoml_internals import replace_logging_config  # noqa: E402
from bento.model.baked_model import baked_model, check_ledger_can_be_read  # noqa: E402
from bento.supervisor import check_workers_every_second, keep_metrics_in_memory, warn_once  # noqa: E402
from bento.telemetry.logs import configure  # noqa: E402
from bento.worker_setup import WorkerSetup  # noqa: E402
from loan_platform.adapters.audit.keys import AuditKey  # noqa: E402
from loan_platform.adapters.service.api_keys import KeyFile  # noqa: E402


def _checked_setup() -> WorkerSetup:
    """What the workers start with. It is checked here: a worker that cannot start would be started again for ever."""
    baked = baked_model()
    service = ServiceSettings.for_bento(baked[0] if baked else None)
    if service.follows_ledger:
        check_ledger_can_be_read()
    limits, telemetry = LimitSettings.from_environment(), TelemetrySettings.from_environment()
    audit = AuditSettings.for_portfolio(service.portfolio)
    if audit.inputs == "encrypted":
        AuditKey.read(audit.key)
    keys = None if service.development else KeyFile(service.api_keys)
    if keys is not None:
        keys.check_not_empty()
    return WorkerSetup(
        service, limits, telemetry, HttpSettings.from_environment(), audit, keys, baked[1] if baked else None
    )


SETUP = _checked_setup()
replace_logging_config(configure(SETUP.telemetry.log_level))
warn_once(renamed_variables())
check_workers_every_second()
keep_metrics_in_memory()

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
