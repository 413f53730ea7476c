"""What every request passes first: known path and method, media type, size, time to arrive, key."""

import asyncio
import contextlib
import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bento.http.drain import Drain
from bento.http.overload import Line
from bento.http.problems import HttpError, defect
from bento.http.rate_limit import Limiter
from loan_platform.adapters.service.api_keys import KeyFile

BODY_SECONDS = 3.0
LOOK_SECONDS = 0.5  # how often an upload that stands still looks whether the worker ends
_NO_LINE = contextlib.nullcontext()


@dataclass(frozen=True)
class Route:
    """What a path takes.

    Attributes:
        method: the only one.
        scope: that a key must have; None: open to all.
        media: types of the body; none: it has no body.
        most_bytes: of the body.
        also: another method than the first.
        streamed: body or answer may be long: what comes is passed on, within its size, and it stands in no line.
    """

    method: str
    scope: str | None = None
    media: tuple[str, ...] = ()
    most_bytes: int = 65_536
    also: str = ""
    streamed: bool = False


class Guard:
    """ASGI application in front of the others.

    Args:
        app: BentoML's own application, which answers the `open_paths`: probes and metrics.
        ours: what answers the `routes`.
        routes: by path.
        open_paths: of the rest.
        keys: who may ask; None in development, where callers must be on this machine.
        drain: tells whether the worker is at its end.
        limiter: how often each may ask; None: as often as they like.
        line: how many requests may be under way; None: any number.
    """

    def __init__(
        self,
        app: ASGIApp,
        ours: ASGIApp,
        routes: Mapping[str, Route],
        open_paths: frozenset[str],
        keys: KeyFile | None,
        drain: Drain,
        limiter: Limiter | None = None,
        line: Line | None = None,
    ) -> None:
        self._limiter, self._line = limiter, line
        self._rest, self._ours, self._routes, self._open, self._keys = app, ours, routes, open_paths, keys
        self._drain = drain
        named = ((path, *path.rpartition("/")[::2]) for path in routes if path.endswith("}"))
        self._templates = {start: (path, last.strip("{}")) for path, start, last in named}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer with a problem."""
        if scope["type"] != "http":
            await self._rest(scope, receive, send)
            return
        if self._drain.begun:
            send = self._drain.closing(send)
        if self._line and self._line.is_full and (known := self._routes.get(scope["path"])) and known.scope:
            await self._line.turn_away(scope, send)
            return
        is_open = scope["path"] in self._open and scope["method"] == "GET"
        if is_open and (self._keys is not None or _is_local(scope)):
            await self._rest(scope, receive, send)
            return
        request_id = scope.setdefault("state", {})["request_id"] = secrets.token_hex(8)
        passed = False
        try:
            route = self._route(scope)
            self._check_caller(scope, route)
            counted = self._line and route.scope and not route.streamed  # uploads take minutes, and cost little
            with self._line if self._line and counted else _NO_LINE:
                taken = await self._taken(scope, receive, route)
                passed = True
                await self._ours(scope, taken, send)
        except Exception as error:
            if passed:  # what it was passed to answers for itself
                raise
            answer = error.response(request_id) if isinstance(error, HttpError) else defect(error, request_id)
            await answer(scope, receive, send)

    def _route(self, scope: Scope) -> Route:
        route = self._routes.get(scope["path"]) or self._of_template(scope)
        if route is None and scope["path"] in self._open:
            route = Route("GET")  # and as that it was not asked
        if route is None:
            raise HttpError(404, "unknown_path", "There is nothing at this path; /docs.json lists what there is.")
        if scope["method"] not in (route.method, route.also):
            taken = f"{route.method} and {route.also}" if route.also else f"{route.method} alone"
            allowed = {"allow": ", ".join(filter(None, (route.method, route.also)))}
            raise HttpError(405, "method_not_allowed", f"This path takes {taken}.", headers=allowed)
        return route

    def _of_template(self, scope: Scope) -> Route | None:
        """The route whose last part is a name in braces; what is at its place comes into the path's parameters."""
        start, _, last = scope["path"].rpartition("/")
        found = self._templates.get(start)
        if found is None or not last:
            return None
        template, name = found
        scope["path_params"] = {name: last}
        scope["state"]["route"] = template
        return self._routes[template]

    def _check_caller(self, scope: Scope, route: Route) -> None:
        if self._keys is None:
            if not _is_local(scope):
                detail = "LOAN_ENV is development: without keys the service answers this machine alone."
                raise HttpError(403, "not_local", detail)
            if self._limiter and route.scope:
                self._limiter.check("development", None)
            return
        if route.scope is None:
            return
        sent = [value for name, value in scope["headers"] if name == b"x-api-key"]
        key = self._keys.find(sent[0].decode("latin-1")) if len(sent) == 1 else None
        if key is None:
            detail = "Send a valid key in the header X-API-Key." if sent else "Send your key in the header X-API-Key."
            raise HttpError(401, "no_valid_key", detail, headers={"www-authenticate": "X-API-Key"})
        if route.scope not in key.scopes:
            raise HttpError(403, "not_in_scope", f"This key lacks the scope {route.scope}.")
        scope["state"]["key_id"] = key.id
        if self._limiter:
            self._limiter.check(key.id, key.rate)

    async def _taken(self, scope: Scope, receive: Receive, route: Route) -> Receive:
        """The body, read or as it comes."""
        if not route.media:
            return _once(b"", receive)
        headers = Request(scope).headers
        media = headers.get("content-type", "").partition(";")[0].strip().lower()
        if media not in route.media:
            raise HttpError(415, "media_type", f"Send {' or '.join(route.media)}, and say so in Content-Type.")
        length = headers.get("content-length", "")
        if length.isdecimal() and (len(digits := length.lstrip("0")) > 15 or int(digits or 0) > route.most_bytes):
            raise _too_large(route)
        if route.streamed:
            return _within(route, receive, self._drain)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return _once(await _read(receive, route), receive)
        except TimeoutError:
            detail = f"The body did not arrive within {BODY_SECONDS:g} s."
            raise HttpError(408, "too_slow", detail, headers={"connection": "close"}) from None


async def _read(receive: Receive, route: Route) -> bytes:
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HttpError(400, "cut_off", "The connection ended before the body did.")
        part: bytes = message.get("body", b"")
        size, more = size + len(part), bool(message.get("more_body", False))
        if size > route.most_bytes:
            raise _too_large(route)
        parts.append(part)
    return b"".join(parts)


def _within(route: Route, receive: Receive, drain: Drain) -> Receive:
    """The body as it comes, until it is too large, or the worker ends: an upload may take minutes."""
    size = 0

    async def message() -> Message:
        nonlocal size
        part = None
        while part is None:
            if drain.begun:
                raise HttpError(503, "ending", "This worker ends.", headers={"retry-after": "1"})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    part = await receive()
        size += len(part.get("body", b""))
        if size > route.most_bytes:
            raise _too_large(route)
        return part

    return message


def _too_large(route: Route) -> HttpError:
    detail = f"The body may have at most {route.most_bytes:,} bytes."
    return HttpError(413, "too_large", detail, headers={"connection": "close"})


def _once(body: bytes, receive: Receive) -> Receive:
    """The body that was read already, as the next message; what comes after it is the server's."""
    waiting = [body]

    async def message() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return message


def _is_local(scope: Scope) -> bool:
    client = scope.get("client")
    try:
        return client is not None and ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return client is not None and client[0] == ""  # a Unix socket has no address
