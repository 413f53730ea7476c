"""Request id, metrics, log line and span of each request: the outermost middleware."""

import asyncio
import contextlib
import random
import secrets
import time
from typing import Self

from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bento.http.overload import CODE as OVERLOADED
from bento.http.request_info import RequestInfo, set_request_info
from bento.http.routes import RouteTable
from bento.telemetry.http_metrics import HttpMetrics
from bento.telemetry.logs import RequestLog
from bento.telemetry.traces import Traces
from loan_platform.settings.telemetry import TelemetrySettings

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"  # label of unknown paths and methods
OVERLOADED_SHARE = 0.01  # of the rejected requests are logged: writing costs time that an overload lacks
CLOSE_SECONDS = 3.0  # for the last spans, if the collector does not answer


class Telemetry:
    """Where requests are counted, logged and traced.

    Args:
        metrics: counts requests.
        log: gets a line for a share of the requests. None: no lines.
        share: of the requests that are logged, 0 to 1.
        traces: gets spans. None: no tracing.
    """

    def __init__(self, metrics: HttpMetrics, log: RequestLog | None, share: float, traces: Traces | None) -> None:
        self.metrics, self._log, self._share, self._traces = metrics, log, share, traces

    @classmethod
    def from_settings(cls, settings: TelemetrySettings, portfolio: str, registry: CollectorRegistry) -> Self:
        """The telemetry of one worker.

        Args:
            settings: of the service.
            portfolio: its name.
            registry: gets the metrics.
        """
        metrics = HttpMetrics(registry)
        metrics.start()
        log = RequestLog() if settings.log_requests and settings.log_level in {"DEBUG", "INFO"} else None
        traces = Traces(settings.traces, portfolio) if settings.traces else None
        return cls(metrics, log, settings.log_requests, traces)

    def record(self, info: RequestInfo, scope: Scope, started_at: float, seconds: float) -> None:
        """Record one answered request.

        Args:
            info: about the request.
            scope: its ASGI scope.
            started_at: seconds since the epoch.
            seconds: until the response was sent.
        """
        status = info.status or 500
        route = info.path_routes.path if info.path_routes is not None else OTHER
        method = scope["method"] if scope["method"] in METHODS else OTHER
        self.metrics.requests.labels(route, method, str(status)).inc()
        share = self._share
        if info.problem == OVERLOADED:
            share *= OVERLOADED_SHARE
        else:
            self.metrics.seconds.labels(route).observe(seconds)
        is_logged = self._log is not None and (share >= 1 or random.random() < share)
        if not is_logged and (self._traces is None or share < self._share):
            return
        fields: dict[str, str | int] = {"method": method, "route": route, "status": status}
        optional = {name: getattr(info, name) for name in ("request_id", "key_id", "model_version", "problem")}
        fields |= {name: value for name, value in optional.items() if value is not None}
        if self._log is not None and is_logged:
            self._log.add(started_at + seconds, {**fields, "milliseconds": round(seconds * 1_000, 3)})
        if self._traces is not None:
            self._traces.add(fields, scope["headers"], started_at, seconds)

    async def close(self) -> None:
        """Write what waits. The server ends its process with a signal, which runs no exit handlers."""
        if self._log is not None:
            self._log.flush()
        if self._traces is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.to_thread(self._traces.close), CLOSE_SECONDS)


class TelemetryMiddleware:
    """Gives each request its `RequestInfo` and records the request after its response.

    Labels are route templates and method names from closed sets. Nothing else that clients send becomes a label.

    Args:
        app: the next application.
        routes: finds the route of a path.
        telemetry: records requests.
    """

    def __init__(self, app: ASGIApp, routes: RouteTable, telemetry: Telemetry) -> None:
        self._app, self._routes, self._telemetry = app, routes, telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        started, started_at = time.perf_counter(), time.time()
        info = RequestInfo(secrets.token_hex(8), self._routes.find(scope))
        set_request_info(scope, info)

        async def send_with_status(message: Message) -> None:
            if message["type"] == "http.response.start":
                info.status = message["status"]
            await send(message)

        in_progress = self._telemetry.metrics.in_progress
        in_progress.inc()
        try:
            await self._app(scope, receive, send_with_status)
        finally:
            in_progress.dec()
            self._telemetry.record(info, scope, started_at, time.perf_counter() - started)


def closing_on_shutdown(app: ASGIApp, telemetry: Telemetry) -> ASGIApp:
    """The application that gets the server's lifespan events, with the telemetry closed at shutdown."""

    async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_after_closing(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown"):
                await telemetry.close()
            await send(message)

        await app(scope, receive, send_after_closing)

    return lifespan
