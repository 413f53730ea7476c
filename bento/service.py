"""The BentoML service of one portfolio: its champion answers over HTTP.

Start it with `make serve`. LOAN_PORTFOLIO names the portfolio.
"""

import gc
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from loan_platform.settings.audit import AuditSettings
from loan_platform.settings.catalogue import renamed_variables
from loan_platform.settings.http import HttpSettings
from loan_platform.settings.quiet import quiet_environment
from loan_platform.settings.service import UNLIMITED, LimitSettings, ServiceSettings
from loan_platform.settings.supported_platform import require_supported_platform
from loan_platform.settings.telemetry import TelemetrySettings

require_supported_platform()
quiet_environment()

import bentoml  # noqa: E402  # reads the environment when it is imported
from prometheus_client import REGISTRY  # noqa: E402

from bento.app import Checks, Dispatcher, ServiceApp  # noqa: E402
from bento.batch.endpoints import BatchEndpoints  # noqa: E402
from bento.bentoml_internals import replace_logging_config  # noqa: E402
from bento.endpoints import Endpoints  # noqa: E402
from bento.http.drain import Drain  # noqa: E402
from bento.http.keep_alive import set_keep_alive  # noqa: E402
from bento.http.overload import InFlightLimit  # noqa: E402
from bento.http.rate_limit import Limiter, storage_for  # noqa: E402
from bento.model.baked_model import baked_model, check_ledger_can_be_read  # noqa: E402
from bento.model.champion import ChampionRef, Champions, Withdrawn  # noqa: E402
from bento.model.current import CurrentModel  # noqa: E402
from bento.model.records import Records  # noqa: E402
from bento.pages.endpoints import PageEndpoints  # noqa: E402
from bento.routes import ROUTES  # noqa: E402
from bento.scoring import ScoringEndpoints  # noqa: E402
from bento.status import StatusEndpoints  # noqa: E402
from bento.supervisor import (  # noqa: E402
    check_workers_every_second,
    end_with_supervisor,
    keep_metrics_in_memory,
    warn_once,
)
from bento.telemetry.drift import OnlineDrift  # noqa: E402
from bento.telemetry.logs import configure  # noqa: E402
from bento.telemetry.metrics import Metrics  # noqa: E402
from bento.telemetry.middleware import Telemetry  # noqa: E402
from loan_platform.adapters.audit.keys import AuditKey  # noqa: E402
from loan_platform.adapters.service.api_keys import KeyFile  # noqa: E402

if TYPE_CHECKING:
    from loan_platform.adapters.ledger.ledger import Ledger

BAKED = baked_model()
SETTINGS = ServiceSettings.for_bento(BAKED[0] if BAKED else None)
if SETTINGS.follows_ledger:
    check_ledger_can_be_read()
LIMITS, TELEMETRY = LimitSettings.from_environment(), TelemetrySettings.from_environment()
HTTP = HttpSettings.from_environment()
AUDIT = AuditSettings.for_portfolio(SETTINGS.portfolio)
if AUDIT.inputs == "encrypted":
    AuditKey.read(AUDIT.key)  # the service does not start without the key
replace_logging_config(configure(TELEMETRY.log_level))
warn_once(renamed_variables())
check_workers_every_second()
keep_metrics_in_memory()


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
IN_FLIGHT = InFlightLimit(LIMITS.max_in_flight)
DRAIN = Drain()
DISPATCHER = Dispatcher(ROUTES)
T = TypeVar("T")


class LoanBentoService(bentoml.Service[T]):
    """A BentoML service whose workers run `ServiceApp`."""

    def to_asgi(self, is_main: bool = True) -> ServiceApp:
        """The application of one worker."""
        telemetry = Telemetry.from_settings(TELEMETRY, SETTINGS.portfolio, REGISTRY)
        upload_bytes = LIMITS.batch_megabytes * 1_000_000
        checks = Checks(KEYS, _limiter(), IN_FLIGHT, upload_bytes, DRAIN, HTTP.cors_origins)
        return ServiceApp(DISPATCHER, super().to_asgi(is_main), telemetry, checks)


def _champion_of(ledger: "Ledger") -> ChampionRef | Withdrawn | None:
    """The champion in the promotion ledger."""
    champion = ledger.champion(SETTINGS.portfolio)
    if champion is None:
        told = ledger.withdrawal(SETTINGS.portfolio)
        return Withdrawn(told) if told else None
    bundle = SETTINGS.models / champion.model_sha256 / "bundle"
    return ChampionRef(champion.version, champion.model_sha256, bundle, ledger.challenger(SETTINGS.portfolio))


def _find_champion(baked: ChampionRef | None) -> Callable[[], ChampionRef | Withdrawn | None]:
    """What asks for the champion: a ledger, or the Bento's own model if no ledger is configured."""
    if baked is not None and not SETTINGS.follows_ledger:
        return lambda: baked
    from loan_platform.adapters.ledger.ledger import Ledger  # not at the top: the small image has no SQLAlchemy

    return partial(_champion_of, Ledger(SETTINGS.ledger_url))


@bentoml.service(
    name="loan_service",
    service_class=LoanBentoService,
    workers=LIMITS.workers,
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},  # BentoML's metrics have a series for each path that clients make up
)
class LoanService:
    """Scores applications with the champion of the portfolio."""

    def __init__(self) -> None:
        baked = BAKED[1] if BAKED else None
        champions = Champions(_find_champion(baked), SETTINGS.cache, SETTINGS.poll_seconds, baked)
        champions.start()
        endpoints = _start_endpoints(CurrentModel(SETTINGS.portfolio, champions))
        DISPATCHER.connect(endpoints)
        endpoints.batch.start()
        set_keep_alive(HTTP.keep_alive_seconds)
        DRAIN.install()
        end_with_supervisor()
        # Requests create no reference cycles. So the collector need not search the objects that exist now.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 10)


def _start_endpoints(model: CurrentModel) -> Endpoints:
    """The endpoints, with online drift and audit log started."""
    portfolio, champions = model.portfolio, model.champions
    window, sample = TELEMETRY.drift_window, TELEMETRY.drift_sample
    drift = OnlineDrift(portfolio, champions, SETTINGS.cache / "drift.db", window, sample, REGISTRY)
    drift.start()
    batch = BatchEndpoints(portfolio, SETTINGS.cache / "jobs", LIMITS.batch_megabytes, LIMITS.batch_days, champions)
    records = Records(portfolio, AUDIT, REGISTRY)
    records.start()
    metrics = Metrics(portfolio, champions, REGISTRY)
    metrics.count_jobs(batch.counts, batch.store.rows)
    return Endpoints(
        scoring=ScoringEndpoints(model, metrics, drift, records),
        status=StatusEndpoints(model, DRAIN, drift, records, metrics),
        pages=PageEndpoints(model, ROUTES),
        batch=batch,
    )
