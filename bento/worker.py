"""One worker of the service: its model, its endpoints and its application."""

import gc
import os
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY, CollectorRegistry
from starlette.types import ASGIApp

from bento.app import Checks, Dispatcher, ServiceApp
from bento.batch.endpoints import BatchEndpoints
from bento.connections.open_connections import OpenConnections, raise_descriptors
from bento.connections.server import guard_connections, set_keep_alive
from bento.endpoints import Endpoints
from bento.http.drain import Drain
from bento.http.key_shares import FairTurns
from bento.http.overload import InFlightLimit
from bento.http.rate_limit import Limiter, storage_for
from bento.model.champion import Champions
from bento.model.champion_ref import ChampionRef, Withdrawn
from bento.model.copies import ModelCopies
from bento.model.current import CurrentModel
from bento.model.records import Records
from bento.pages.endpoints import PageEndpoints
from bento.routes import routes_of
from bento.scoring import ScoringEndpoints
from bento.status import StatusEndpoints
from bento.supervisor import end_with_supervisor
from bento.telemetry.connection_metrics import connection_counter
from bento.telemetry.drift import OnlineDrift
from bento.telemetry.metrics import Metrics
from bento.telemetry.middleware import Telemetry
from bento.worker_setup import WorkerSetup
from loan_platform.settings.service import UNLIMITED, ServiceSettings

if TYPE_CHECKING:
    from loan_platform.adapters.ledger.ledger import Ledger


class Worker:
    """What BentoML's service object and its application share.

    Args:
        setup: settings and keys.
        registry: gets the metrics.
        environment: of the process that works on batch jobs.
    """

    def __init__(
        self,
        setup: WorkerSetup,
        registry: CollectorRegistry = REGISTRY,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._setup, self._registry = setup, registry
        self._drain = Drain()
        self._dispatcher = Dispatcher(routes_of(setup.telemetry.metrics == "key"))
        service, baked = setup.service, setup.baked
        self._records = Records(service.portfolio, setup.audit, registry)
        copies = ModelCopies(service.cache, service.portfolio, setup.ledger_key)
        self._champions = Champions(_find_champion(service, baked), copies, service.poll_seconds, baked)
        self._model = CurrentModel(service.portfolio, self._champions)
        limits, jobs = setup.limits, service.cache / "jobs"
        self._turns = FairTurns(1)
        self._batch = BatchEndpoints(self._model, jobs, limits, self._turns, environment)

    def app(self, bentoml_app: ASGIApp) -> ServiceApp:
        """The application of this worker, around BentoML's own."""
        setup, limits = self._setup, self._setup.limits
        limiter = None
        if limits.rate != UNLIMITED or setup.keys is not None:
            limiter = Limiter(limits.rate, storage_for(limits.workers, setup.service.cache / "limits.db"))
        in_flight, upload_bytes = InFlightLimit(limits.max_in_flight), limits.batch_bytes
        checks = Checks(setup.keys, limiter, in_flight, upload_bytes, self._drain, setup.http.cors_origins)
        telemetry = Telemetry.from_settings(setup.telemetry, setup.service.portfolio, self._registry)
        return ServiceApp(self._dispatcher, bentoml_app, telemetry, checks)

    def start(self) -> None:
        """Answer, in a process that does nothing else. BentoML calls it in the worker's event loop."""
        self.connect()
        set_keep_alive(self._setup.http.keep_alive_seconds)
        guard_connections(self.connections())
        self._drain.install()
        end_with_supervisor()
        # Requests create no reference cycles. So the collector need not search the objects that exist now.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 10)

    def connections(self) -> OpenConnections:
        """The connections of a server, none yet. This process may open enough files for them afterwards."""
        http = self._setup.http
        possible = raise_descriptors(http.max_connections)
        return OpenConnections(possible, http.max_connections_per_address, connection_counter(self._registry))

    def connect(self) -> None:
        """Load the champion, connect the endpoints and work on batch jobs."""
        self._champions.start()
        self._dispatcher.connect(self._start_endpoints())
        self._batch.start()

    def stop(self) -> None:
        """End what `connect` has started, in a process that goes on."""
        self._batch.stop()
        self._champions.stop()
        self._records.stop()

    def _start_endpoints(self) -> Endpoints:
        """The endpoints, with online drift and audit log started."""
        model, batch = self._model, self._batch
        portfolio, champions = model.portfolio, model.champions
        window, sample = self._setup.telemetry.drift_window, self._setup.telemetry.drift_sample
        drift_file = self._setup.service.cache / "drift.db"
        drift = OnlineDrift(portfolio, champions, drift_file, window, sample, self._registry)
        drift.start()
        self._records.start()
        metrics = Metrics(portfolio, champions, self._registry)
        metrics.count_jobs(batch.counts, batch.store.rows)
        return Endpoints(
            scoring=ScoringEndpoints(model, metrics, drift, self._records, self._turns),
            status=StatusEndpoints(model, self._drain, drift, self._records, metrics),
            pages=PageEndpoints(model, self._dispatcher.routes),
            batch=batch,
        )


@cache
def worker(setup: WorkerSetup) -> Worker:
    """The worker of this process."""
    return Worker(setup)


def _champion_of(settings: ServiceSettings, ledger: "Ledger") -> ChampionRef | Withdrawn | None:
    """The champion in the promotion ledger."""
    champion = ledger.champion(settings.portfolio)
    if champion is None:
        withdrawal = ledger.withdrawal(settings.portfolio)
        return Withdrawn(withdrawal.version, withdrawal.told) if withdrawal else None
    bundle = settings.models / champion.model_sha256 / "bundle"
    challenger, withdrawn = ledger.challenger(settings.portfolio), ledger.withdrawn_versions(settings.portfolio)
    return ChampionRef(champion.version, champion.model_sha256, bundle, challenger, withdrawn)


def _find_champion(
    settings: ServiceSettings, baked: ChampionRef | None
) -> Callable[[], ChampionRef | Withdrawn | None]:
    """What asks for the champion: a ledger, or the Bento's own model if no ledger is configured."""
    if baked is not None and not settings.follows_ledger:
        return lambda: baked
    from loan_platform.adapters.ledger.ledger import Ledger  # not at the top: the small image has no SQLAlchemy

    return partial(_champion_of, settings, Ledger.from_settings(settings))
