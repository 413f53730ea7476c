"""The limit of in-flight requests of one worker. Above it, requests are rejected before their bodies are read."""

import asyncio
import json

from starlette.types import ASGIApp, Receive, Scope, Send

from bento.connections.raw_answers import problem
from bento.http.key_shares import KeyShares
from bento.http.request_info import RequestInfo, request_info
from bento.http.routes import InFlight

CODE = "overloaded"
REJECTIONS_PER_SECOND = 1_000  # each rejection costs about 60 µs of CPU, which scoring then lacks
MAX_DELAY_SECONDS = 1.0  # of a rejection; Retry-After asks for this pause anyway
_ID = "0" * 16
_PROBLEM = problem(503, CODE, "Too many in-flight requests. Retry later.", _ID)
_HEAD, _TAIL = json.dumps(_PROBLEM).encode().split(_ID.encode())
_HEADERS = [
    (b"content-type", b"application/problem+json"),
    (b"retry-after", b"1"),
    (b"content-length", str(len(_HEAD) + len(_ID) + len(_TAIL)).encode()),
]


class Pace:
    """Spreads events evenly over time, with a bound on the delay of each.

    Args:
        rate: events per second.
        max_delay: seconds.
    """

    def __init__(self, rate: float, max_delay: float) -> None:
        self._gap, self._max_delay, self._next = 1 / rate, max_delay, 0.0

    def delay(self, now: float) -> float:
        """Seconds by which to delay an event that arrives now."""
        turn = min(max(self._next, now), now + self._max_delay)
        self._next = turn + self._gap
        return turn - now


class InFlightLimit:
    """Counts the in-flight requests of one worker. One API key may have three quarters of them.

    Args:
        maximum: of in-flight requests.

    Attributes:
        count: in-flight requests now.
        rejected: requests rejected since the start.
    """

    def __init__(self, maximum: int) -> None:
        self.maximum, self.count, self.rejected = maximum, 0, 0
        self.shares = KeyShares(maximum, max(maximum - maximum // 4, 1))
        self._pace = Pace(REJECTIONS_PER_SECOND, MAX_DELAY_SECONDS)

    async def reject(self, info: RequestInfo, send: Send) -> None:
        """Answer 503 at a steady pace, from a body that is prepared once.

        A client cannot send its next request while it waits for the rejection. This bounds the cost of a flood.
        """
        self.rejected += 1
        if (seconds := self._pace.delay(asyncio.get_running_loop().time())) > 0:
            await asyncio.sleep(seconds)
        info.problem = CODE
        request_id = info.request_id.encode()
        headers = [*_HEADERS, (b"x-request-id", request_id)]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": _HEAD + request_id + _TAIL})


class _Limited:
    """A middleware with the limit of in-flight requests.

    Args:
        app: the next application.
        limit: of the worker.
    """

    def __init__(self, app: ASGIApp, limit: InFlightLimit) -> None:
        self._app, self._limit = app, limit


class OverloadMiddleware(_Limited):
    """Rejects requests while the limit of in-flight requests is reached."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or reject it with 503 `overloaded`."""
        limit, info = self._limit, request_info(scope)
        routes = info.path_routes
        if routes is not None and routes.rejected_when_full and limit.count >= limit.maximum:
            await limit.reject(info, send)
            return
        await self._app(scope, receive, send)


class InFlightCountMiddleware(_Limited):
    """Counts the in-flight requests. It stands behind the checks of the caller: who has no key holds no place."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counted until its response is sent or has failed."""
        limit, routes = self._limit, request_info(scope).path_routes
        route = routes.by_method.get(scope["method"]) if routes is not None else None
        if route is None or route.in_flight is not InFlight.COUNTED:
            await self._app(scope, receive, send)
            return
        key = request_info(scope).key_id
        if key is None:  # in development: all requests are of one client
            await self._counted(scope, receive, send)
        elif limit.shares.has_place(key):
            with limit.shares.place(key):
                await self._counted(scope, receive, send)
        else:
            await limit.reject(request_info(scope), send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._limit.count += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._limit.count -= 1
