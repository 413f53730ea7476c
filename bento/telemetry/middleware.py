"""What is told of each request: metrics, a line in the log, a span; in front of everything else."""

import asyncio
import contextlib
import random
import time
from collections.abc import Collection, MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bento.http.overload import CODE
from bento.telemetry.http_metrics import HttpMetrics
from bento.telemetry.logs import RequestLog
from bento.telemetry.traces import Traces
from loan_platform.settings.telemetry import TelemetrySettings

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
TURNED_AWAY = 0.01  # of the requests that an overload turns away are told: it is no time to write more
CLOSE_SECONDS = 3.0  # for the last spans, where the collector does not answer


class Watch:
    """ASGI application around the guarded one.

    A route is told by its template and a method by its name, both from closed sets; what else callers send is not.

    Args:
        app: the guarded application; it leaves `request_id`, `key_id`, `model_version` and `problem` in the state.
        routes: templates of the known paths.
        metrics: counts requests.
        log: gets a line of a share of the requests; None: of none.
        share: of the requests, 0 to 1.
        traces: gets spans; None: no tracing.
    """

    def __init__(
        self,
        app: ASGIApp,
        routes: Collection[str],
        metrics: HttpMetrics,
        log: RequestLog | None,
        share: float,
        traces: Traces | None,
    ) -> None:
        self._app, self._routes, self._metrics = app, frozenset(routes), metrics
        self._log, self._share, self._traces = log, share, traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and tell of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, self._ending(send))
            return
        started, at, status = time.perf_counter(), time.time(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._metrics.in_progress.inc()
        try:
            await self._app(scope, receive, watched)
        finally:
            self._metrics.in_progress.dec()
            self._tell(scope, status, at, time.perf_counter() - started)

    def _ending(self, send: Send) -> Send:
        """Write what waits when the service ends: the server ends its process with a signal, which runs no exit."""

        async def ended(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown"):
                if self._log is not None:
                    self._log.flush()
                if self._traces is not None:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(asyncio.to_thread(self._traces.close), CLOSE_SECONDS)
            await send(message)

        return ended

    def _tell(self, scope: Scope, status: int, at: float, seconds: float) -> None:
        state: MutableMapping[str, Any] = scope.get("state", {})
        path, method = scope["path"], scope["method"]
        route = state.get("route") or (path if path in self._routes else OTHER)
        method = method if method in METHODS else OTHER
        self._metrics.requests.labels(route, method, str(status)).inc()
        share = self._share
        if state.get("problem") == CODE:
            share *= TURNED_AWAY
        else:
            self._metrics.seconds.labels(route).observe(seconds)
        is_told = self._log is not None and (share >= 1 or random.random() < share)
        if not is_told and (self._traces is None or share < self._share):
            return
        fields = {"method": method, "route": route, "status": status}
        fields |= {name: state[name] for name in ("request_id", "key_id", "model_version", "problem") if name in state}
        if self._log is not None and is_told:
            self._log.add(at + seconds, {**fields, "milliseconds": round(seconds * 1_000, 3)})
        if self._traces is not None:
            self._traces.add(fields, scope["headers"], at, seconds)


def watched(app: ASGIApp, routes: Collection[str], settings: TelemetrySettings, portfolio: str) -> Watch:
    """The application of one worker with all that is told of it, as the settings say."""
    metrics = HttpMetrics()
    metrics.start()
    log = RequestLog() if settings.log_requests and settings.log_level in {"DEBUG", "INFO"} else None
    traces = Traces(settings.traces, portfolio) if settings.traces else None
    return Watch(app, routes, metrics, log, settings.log_requests, traces)
