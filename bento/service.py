"""The BentoML service of one portfolio: its champion answers over HTTP.

`make serve` starts it; LOAN_PORTFOLIO names the portfolio.
"""

import gc
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from loan_platform.settings.audit import AuditSettings
from loan_platform.settings.catalogue import renamed_variables
from loan_platform.settings.quiet import quiet_environment
from loan_platform.settings.service import UNLIMITED, LimitSettings, ServiceSettings
from loan_platform.settings.supported_platform import require_supported_platform
from loan_platform.settings.telemetry import TelemetrySettings

require_supported_platform()
quiet_environment()

import bentoml  # noqa: E402  # reads the environment when it is imported
from starlette.types import Receive, Scope, Send  # noqa: E402

from bento.app import ROUTES, LoanApp  # noqa: E402
from bento.batch.routes import Batches, batch_routes  # noqa: E402
from bento.http.drain import Drain  # noqa: E402
from bento.http.guard import Guard  # noqa: E402
from bento.http.overload import Line  # noqa: E402
from bento.http.rate_limit import Limiter, storage_for  # noqa: E402
from bento.model.baked_model import built, check_can_follow  # noqa: E402
from bento.model.champion import Champions, Named  # noqa: E402
from bento.model.records import Records  # noqa: E402
from bento.supervisor import end_with_supervisor, metrics_in_memory, warn_once, watch_closely  # noqa: E402
from bento.telemetry.drift import OnlineDrift  # noqa: E402
from bento.telemetry.logs import configure  # noqa: E402
from bento.telemetry.middleware import Watch, watched  # noqa: E402
from loan_platform.adapters.audit.keys import AuditKey  # noqa: E402
from loan_platform.adapters.service.api_keys import KeyFile  # noqa: E402

BUILT = built()
if TYPE_CHECKING:
    from loan_platform.adapters.ledger.ledger import Ledger

SETTINGS = ServiceSettings.for_bento(BUILT[0] if BUILT else None)
if SETTINGS.follows_ledger:
    check_can_follow()
LIMITS, TELEMETRY = LimitSettings.from_environment(), TelemetrySettings.from_environment()
AUDIT = AuditSettings.for_portfolio(SETTINGS.portfolio)
if AUDIT.inputs == "encrypted":
    AuditKey.read(AUDIT.key)  # without it the service does not start
configure(TELEMETRY.log_level)
warn_once(renamed_variables())
watch_closely()
metrics_in_memory()
PATHS = ROUTES | batch_routes(LIMITS.batch_megabytes)
OF_BENTOML = frozenset({"/livez", "/healthz", "/schema.json"})  # the last is what its client asks first


class Front:
    """Our application, made by the service object of the worker; the guard before it is made first."""

    app: LoanApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        await self.app(scope, receive, send)


def _in(ledger: "Ledger") -> Named | None:
    """The champion of the promotion ledger."""
    champion = ledger.champion(SETTINGS.portfolio)
    if champion is None:
        return None
    bundle = SETTINGS.models / champion.model_sha256 / "bundle"
    return Named(champion.version, champion.model_sha256, bundle, ledger.challenger(SETTINGS.portfolio))


def _given(champion: Named) -> Named:
    return champion


def _keys() -> KeyFile | None:
    if SETTINGS.development:
        return None
    keys = KeyFile(SETTINGS.api_keys)
    keys.check_not_empty()
    return keys


def _limiter() -> Limiter | None:
    if LIMITS.rate == UNLIMITED and KEYS is None:
        return None
    return Limiter(LIMITS.rate, storage_for(LIMITS.workers, SETTINGS.cache / "limits.db"))


KEYS = _keys()
LINE = Line(LIMITS.max_in_flight)
DRAIN = Drain()
FRONT = Front()
T = TypeVar("T")


class GuardedService(bentoml.Service[T]):
    """A service of BentoML whose guard stands before everything, BentoML's own middlewares too.

    They trace and time each request, which costs as much as scoring it, and keep its objects for as long as it might
    have taken.
    """

    def to_asgi(self, is_main: bool = True) -> Watch:
        """The application of one worker."""
        guard = Guard(super().to_asgi(is_main), FRONT, PATHS, OF_BENTOML, KEYS, DRAIN, _limiter(), LINE)
        return watched(guard, {*PATHS, *OF_BENTOML}, TELEMETRY, SETTINGS.portfolio)


@bentoml.service(
    name="loan_service",
    service_class=GuardedService,
    workers=LIMITS.workers,
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},  # BentoML's keep a series for each path that anybody makes up
)
class LoanService:
    """Answers applications with the portfolio's champion."""

    def __init__(self) -> None:
        settings = SETTINGS
        at_hand = BUILT[1] if BUILT else None
        if at_hand is None or settings.follows_ledger:
            from loan_platform.adapters.ledger.ledger import (
                Ledger,  # a Bento that follows none is served without SQLAlchemy
            )

            find = partial(_in, Ledger(settings.ledger_url))
        else:
            find = partial(_given, at_hand)
        champions = Champions(find, settings.cache, settings.poll_seconds, at_hand)
        champions.start()
        kept = settings.cache / "drift.db"
        drift = OnlineDrift(settings.portfolio, champions, kept, TELEMETRY.drift_window, TELEMETRY.drift_sample)
        drift.start()
        jobs = settings.cache / "jobs"
        batches = Batches(settings.portfolio, jobs, LIMITS.batch_megabytes, LIMITS.batch_days, champions)
        records = Records(settings.portfolio, AUDIT)
        records.start()
        FRONT.app = LoanApp(settings.portfolio, champions, DRAIN, drift, records, batches)
        batches.start()
        DRAIN.install()
        end_with_supervisor()
        # Requests leave no cycles: what lives now is not looked through for them again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 10)
