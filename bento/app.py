"""The ASGI application of one worker: the middlewares in order, then the endpoint of the route."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from bento.cors import CorsMiddleware
from bento.endpoints import Endpoints
from bento.http.authentication import AuthenticationMiddleware
from bento.http.body_limit import BodyMiddleware
from bento.http.drain import Drain, DrainMiddleware
from bento.http.overload import InFlightCountMiddleware, InFlightLimit, OverloadMiddleware
from bento.http.problems import ProblemMiddleware
from bento.http.rate_limit import Limiter, RateLimitMiddleware
from bento.http.request_info import request_info
from bento.http.route_check import RouteCheckMiddleware
from bento.http.routes import Handler, Route, RouteTable
from bento.telemetry.middleware import Telemetry, TelemetryMiddleware, closing_on_shutdown
from loan_platform.adapters.service.api_keys import KeyFile


@dataclass(frozen=True)
class Checks:
    """What requests are checked with before they reach an endpoint.

    Attributes:
        keys: the valid API keys. None in development: no key is needed, and clients must be on this machine.
        limiter: limits the rate of requests per key. None: no limit.
        in_flight: limits the in-flight requests.
        upload_bytes: limit of uploads.
        drain: tells whether the worker is shutting down.
        cors_origins: origins whose pages may call the service; empty: no other page may.
    """

    keys: KeyFile | None
    limiter: Limiter | None
    in_flight: InFlightLimit
    upload_bytes: int
    drain: Drain
    cors_origins: tuple[str, ...] = ()


def middlewares(routes: RouteTable, telemetry: Telemetry, checks: Checks) -> list[Middleware]:
    """The middlewares. The first one sees a request first."""
    return [
        Middleware(TelemetryMiddleware, routes, telemetry),
        Middleware(DrainMiddleware, checks.drain),
        *([_cors(routes, checks.cors_origins)] if checks.cors_origins else []),
        Middleware(OverloadMiddleware, checks.in_flight),
        Middleware(ProblemMiddleware),
        Middleware(RouteCheckMiddleware),
        Middleware(AuthenticationMiddleware, checks.keys),
        *([Middleware(RateLimitMiddleware, checks.limiter)] if checks.limiter else []),
        Middleware(InFlightCountMiddleware, checks.in_flight),
        Middleware(BodyMiddleware, checks.drain, checks.upload_bytes),
    ]


def _cors(routes: RouteTable, origins: tuple[str, ...]) -> Middleware:
    """Stands outside of all that rejects requests: a page can read a response only if it has the headers of CORS."""
    return Middleware(CorsMiddleware, origins, sorted({method for r in routes for method in (r.method, "HEAD")}))


class Dispatcher:
    """Calls the endpoint of the matched route.

    The endpoint objects exist once BentoML has created the service object of the worker. The server sends no request
    before.

    Args:
        routes: of the service.
    """

    def __init__(self, routes: RouteTable) -> None:
        self.routes = routes
        self._handlers: dict[Route | None, Handler] = {}

    def connect(self, endpoints: Endpoints) -> None:
        """Set the endpoint objects of the worker."""
        self._handlers = {route: route.endpoint(endpoints) for route in self.routes if route.endpoint is not None}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request. A file is not read for HEAD."""
        info = request_info(scope)
        response = await self._handlers[info.route](Request(scope, receive))
        if info.is_head:
            scope = {**scope, "method": "HEAD"}
            if isinstance(response, StreamingResponse):
                response.body_iterator = _nothing()
        await response(scope, receive, send)


async def _nothing() -> AsyncIterator[bytes]:
    for part in ():
        yield part


class ServiceApp:
    """The application of one worker.

    Its middlewares stand before BentoML's own, which trace and time each request. That costs as much as scoring it, and
    keeps its objects alive until the request could have timed out.

    Args:
        dispatcher: answers the routes that have an endpoint.
        bentoml_app: BentoML's application. It answers the other routes, and starts and stops the service object.
        telemetry: records requests.
        checks: of requests.
    """

    def __init__(self, dispatcher: Dispatcher, bentoml_app: ASGIApp, telemetry: Telemetry, checks: Checks) -> None:
        self._lifespan = closing_on_shutdown(bentoml_app, telemetry)

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            route = request_info(scope).route
            app = bentoml_app if route is None or route.endpoint is None else dispatcher
            await app(scope, receive, send)

        self._http: ASGIApp = answer
        for middleware in reversed(middlewares(dispatcher.routes, telemetry, checks)):
            self._http = middleware.cls(self._http, *middleware.args, **middleware.kwargs)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: requests, and start and stop of the worker."""
        await (self._http if scope["type"] == "http" else self._lifespan)(scope, receive, send)
