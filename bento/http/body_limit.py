"""Middleware that checks media type, encoding and size of a request body, and reads it."""

import asyncio
import contextlib

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bento.http.content_encoding import Unpacked, is_packed, packed_limit
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
        _check_media(headers, route)
        packed = is_packed(headers)
        _check_length(headers, packed_limit(limit) if packed else limit, limit)
        body = _limited(receive, limit)
        if packed:
            body = _limited(Unpacked(_limited(receive, packed_limit(limit), limit)), limit)
        if route.streamed:
            return _until_shutdown(body, self._drain)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return _replay(await _read(body), receive)
        except TimeoutError:
            detail = f"The body did not arrive within {BODY_SECONDS:g} s."
            raise HttpError(408, "too_slow", detail, headers={"connection": "close"}) from None


def _check_media(headers: Headers, route: Route) -> None:
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in route.media:
        detail = f"Send {' or '.join(route.media)}, and set the header Content-Type."
        raise HttpError(415, "media_type", detail)


def _check_length(headers: Headers, maximum: int, limit: int) -> None:
    length = headers.get("content-length", "")
    if length.isdecimal() and (len(digits := length.lstrip("0")) > 15 or int(digits or 0) > maximum):
        raise _too_large(limit)


async def _read(receive: Receive) -> bytes:
    parts: list[bytes] = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HttpError(400, "cut_off", "The connection closed before the whole body arrived.")
        more = bool(message.get("more_body", False))
        parts.append(message.get("body", b""))
    return b"".join(parts)


def _limited(receive: Receive, maximum: int, limit: int | None = None) -> Receive:
    """The messages of a body, until it is larger than `maximum`. The client is told of `limit`."""
    size = 0

    async def limited() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > maximum:
            raise _too_large(maximum if limit is None else limit)
        return message

    return limited


def _until_shutdown(receive: Receive, drain: Drain) -> Receive:
    """The messages of a body as they arrive, until the worker shuts down."""

    async def message() -> Message:
        while True:
            if drain.begun:
                raise HttpError(503, "ending", "This worker is shutting down.", headers={"retry-after": "1"})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    return await receive()

    return message


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
