"""Middleware that checks media type, encoding and size of a request body, and reads it."""

import asyncio
import contextlib

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bento.http.content_encoding import is_packed, unpacked
from bento.http.drain import Drain
from bento.http.problems import HttpError
from bento.http.request_info import request_info
from bento.http.routes import Route

BODY_SECONDS = 3.0  # for a body that is read at once
POLL_SECONDS = 0.5  # a stalled upload checks this often whether the worker is shutting down


class BodyMiddleware:
    """Passes on requests whose body the route accepts.

    Args:
        app: the next application.
        drain: tells whether the worker is shutting down.
        upload_bytes: limit of the body of routes without a limit of their own.
    """

    def __init__(self, app: ASGIApp, drain: Drain, upload_bytes: int) -> None:
        self._app, self._drain, self._upload_bytes = app, drain, upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on the request with its body, or with a body that is read within the limit as it arrives.

        Raises:
            HttpError: 400 `cut_off` or `malformed_gzip`, 408 `too_slow`, 413 `too_large`, 415 `media_type` or
                `content_encoding`.
        """
        route = request_info(scope).route
        if route is None or not route.media:
            receive = _replay(b"", receive)
        else:
            receive = await self._body(scope, receive, route)
        await self._app(scope, receive, send)

    async def _body(self, scope: Scope, receive: Receive, route: Route) -> Receive:
        limit = self._upload_bytes if route.max_body_bytes is None else route.max_body_bytes
        headers = Request(scope).headers
        _check_headers(headers, route, limit)
        if is_packed(headers):
            receive = unpacked(receive)  # the limits below count unpacked bytes
        if route.streamed:
            return _limited(receive, limit, self._drain)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return _replay(await _read(receive, limit), receive)
        except TimeoutError:
            detail = f"The body did not arrive within {BODY_SECONDS:g} s."
            raise HttpError(408, "too_slow", detail, headers={"connection": "close"}) from None


def _check_headers(headers: Headers, route: Route, limit: int) -> None:
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in route.media:
        detail = f"Send {' or '.join(route.media)}, and set the header Content-Type."
        raise HttpError(415, "media_type", detail)
    length = headers.get("content-length", "")
    if length.isdecimal() and (len(digits := length.lstrip("0")) > 15 or int(digits or 0) > limit):
        raise _too_large(limit)


async def _read(receive: Receive, limit: int) -> bytes:
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HttpError(400, "cut_off", "The connection closed before the whole body arrived.")
        part: bytes = message.get("body", b"")
        size, more = size + len(part), bool(message.get("more_body", False))
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
    return b"".join(parts)


def _limited(receive: Receive, limit: int, drain: Drain) -> Receive:
    """The messages of a body as they arrive, until it is too large or the worker shuts down."""
    size = 0

    async def limited() -> Message:
        nonlocal size
        part = None
        while part is None:
            if drain.begun:
                raise HttpError(503, "ending", "This worker is shutting down.", headers={"retry-after": "1"})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    part = await receive()
        size += len(part.get("body", b""))
        if size > limit:
            raise _too_large(limit)
        return part

    return limited


def _too_large(limit: int) -> HttpError:
    detail = f"The limit of the body is {limit:,} bytes."
    return HttpError(413, "too_large", detail, headers={"connection": "close"})


def _replay(body: bytes, receive: Receive) -> Receive:
    """A body that was read already as the next message; later messages come from the server."""
    waiting = [body]

    async def replayed() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replayed
