"""The application of one worker in the process of the test, without BentoML and without a server."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from bento.app import Checks, Dispatcher, ServiceApp
from bento.batch.endpoints import BatchEndpoints
from bento.endpoints import Endpoints
from bento.http.drain import Drain
from bento.http.key_shares import FairTurns
from bento.http.overload import InFlightLimit
from bento.http.rate_limit import Limiter
from bento.model.champion import Champions
from bento.model.champion_ref import ChampionRef, Withdrawn
from bento.model.copies import ModelCopies
from bento.model.current import CurrentModel
from bento.model.records import Records
from bento.pages.endpoints import PageEndpoints
from bento.routes import ROUTES
from bento.scoring import ScoringEndpoints
from bento.status import StatusEndpoints
from bento.telemetry.drift import OnlineDrift
from bento.telemetry.http_metrics import HttpMetrics
from bento.telemetry.metrics import Metrics
from bento.telemetry.middleware import Telemetry
from loan_platform.adapters.service.api_keys import KeyFile
from loan_platform.core.scoring.scoring_model import ScoringModel
from loan_platform.settings.audit import AuditSettings
from loan_platform.settings.service import LimitSettings
from loan_platform_tests.support.bundles import make_bundle

BOOK = "tiny_loans"


async def no_bentoml(*_: Any) -> None:
    raise AssertionError("this request must not reach BentoML")


@contextmanager
def worker_app(
    folder: Path,
    keys: KeyFile | None = None,
    limiter: Limiter | None = None,
    drain: Drain | None = None,
    bundle: Callable[[Path], tuple[ScoringModel, str]] = make_bundle,
    withdrawn: Callable[[], Withdrawn | None] = lambda: None,
    **environment: str,
) -> Iterator[ServiceApp]:
    """The application of a worker with a champion, metrics in a registry of its own, and no request log.

    Args:
        folder: of its files.
        keys: that it asks for.
        limiter: of requests.
        drain: ends it.
        bundle: makes the model.
        withdrawn: says whether the champion is withdrawn. The application asks when it starts.
        environment: of the audit.
    """
    _, sha256 = bundle(folder / "lake" / "bundle")
    champion = ChampionRef(1, sha256, folder / "lake" / "bundle")
    champions = Champions(lambda: withdrawn() or champion, ModelCopies(folder / "cache", "book"), 60)
    champions.start()
    model, registry, drain = CurrentModel(BOOK, champions), CollectorRegistry(), drain or Drain()
    audit = AuditSettings.for_portfolio(BOOK, {"LOAN_PLATFORM_HOME": str(folder), **environment})
    records = Records(BOOK, audit, registry)
    records.start()
    drift = OnlineDrift(BOOK, champions, folder / "drift.db", 0, 1, registry)
    metrics = Metrics(BOOK, champions, registry)
    dispatcher, turns = Dispatcher(ROUTES), FairTurns(1)
    dispatcher.connect(
        Endpoints(
            scoring=ScoringEndpoints(model, metrics, drift, records, turns),
            status=StatusEndpoints(model, drain, drift, records, metrics),
            pages=PageEndpoints(model, ROUTES),
            batch=BatchEndpoints(model, folder / "jobs", LimitSettings(batch_megabytes=1), turns),
        )
    )
    telemetry = Telemetry(HttpMetrics(registry), None, 0.0, None)
    checks = Checks(keys, limiter, InFlightLimit(64), 1_000_000, drain)
    yield ServiceApp(dispatcher, no_bentoml, telemetry, checks)
    champions.stop()
    records.stop()
