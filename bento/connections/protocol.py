"""HTTP/1.1 from the first byte: limits and deadlines of what is not yet a request."""

import asyncio
from asyncio.events import TimerHandle
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from bento.connections.open_connections import OpenConnections
from bento.connections.raw_answers import raw_problem

HEAD_BYTES = 16_384  # of request line and headers, of the extensions of a chunk, and of trailers
HEAD_SECONDS = 10.0  # from the first byte, or from the connection, to a complete head
REST_SECONDS = 10.0  # for the rest of a body that was answered before it was complete
UNREAD_SECONDS = 30.0  # until a client must have read some of a response that waits for it
PIPELINED = 16  # requests of a connection that wait for the response before them

Refusal = tuple[int, str, str]
MALFORMED: Refusal = (400, "malformed_request", "This is not HTTP/1.1.")
TOO_LARGE: Refusal = (431, "head_too_large", f"Request line and headers may have {HEAD_BYTES:,} bytes together.")
TOO_SLOW: Refusal = (408, "head_too_slow", f"Request line and headers must arrive within {HEAD_SECONDS:g} s.")
PIPELINE: Refusal = (400, "too_many_pipelined", f"Wait for responses: only {PIPELINED} requests may wait for them.")
FULL: Refusal = (503, "too_many_connections", "All connections have a request in progress. Retry later.")


class _RefusedError(Exception):
    """Ends the parsing inside a callback of the parser."""


class GuardedProtocol(HttpToolsProtocol):
    """A connection whose client cannot hold memory, time or descriptors without sending whole requests.

    The parser keeps an incomplete header in memory and copies it for each piece that arrives, without a limit. So the
    bytes that arrive without any progress of the request are counted, in slices of their limit.

    Args:
        connections: of this worker.
        config: of the server.
        server_state: of the server.
        app_state: of the application.
        _loop: event loop.
    """

    def __init__(
        self,
        connections: OpenConnections,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.ws_protocol_class = None  # WebSockets are not spoken
        self._open = connections
        self.address = ""
        self._admitted = False
        self._silent_bytes = 0  # since the request made progress
        self._progress = False
        self._in_body = False
        self._head_begun = False
        self._refusal: Refusal | None = None
        self._deadline: TimerHandle | None = None  # of the head, or of the rest of a body
        self._unread: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Accept the connection, or refuse it because all others are busy."""
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        self._admitted = self._open.admit(self)
        if self._admitted:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._head_is_late)
        else:
            self._refuse(FULL)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._forget()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived, and refuse what is no request or does not become one."""
        self._unset_keepalive_if_required()
        for start in range(0, len(data), HEAD_BYTES):
            if self.parser is None or self.transport.is_closing():
                return
            piece = data if len(data) <= HEAD_BYTES else data[start : start + HEAD_BYTES]
            self._progress = False
            try:
                self.parser.feed_data(piece)
            except httptools.HttpParserUpgrade:
                break  # the request is answered as HTTP/1.1, and what follows is of the other protocol
            except httptools.HttpParserError:
                self._refuse(self._refusal or MALFORMED)
                return
            self._silent_bytes = 0 if self._progress else self._silent_bytes + len(piece)
            if self._silent_bytes > HEAD_BYTES:
                self._refuse(TOO_LARGE)
                return
        if self._deadline is None and not self._in_body and (self._head_begun or self._silent_bytes):
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def on_message_begin(self) -> None:
        """The parser has seen the first byte of a request."""
        self._head_begun = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header. Fields after the body are dropped: the checks of the headers have run."""
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the request, if its head is small enough.

        Raises:
            _RefusedError: it is not, or too many requests wait.
        """
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > HEAD_BYTES:
            self._stop(TOO_LARGE)
        if sum(name == b"host" for name, _ in self.headers) > 1:
            self._stop(MALFORMED)  # RFC 9112, 3.2: a proxy may believe the other one
        if len(self.pipeline) >= PIPELINED:
            self._stop(PIPELINE)
        self._progress, self._head_begun, self._in_body = True, False, True
        self._cancel_deadline()
        self._unset_keepalive_if_required()
        if self._admitted:
            self._open.started(self)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Pass on a part of the body."""
        self._progress = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete. If it was answered before, the connection is idle from now on."""
        self._progress, self._in_body = True, False
        self._cancel_deadline()
        super().on_message_complete()
        if self._is_answered() and self.timeout_keep_alive_task is None and not self.transport.is_closing():
            self._wait()

    def on_response_complete(self) -> None:
        """Wait for the rest of the body, or for the next request."""
        super().on_response_complete()
        if self.transport.is_closing() or not self._admitted or not self._is_answered():
            return
        self._open.waits(self)
        if self._in_body and self._deadline is None:
            self._deadline = self.loop.call_later(REST_SECONDS, self._rest_is_late)

    def pause_writing(self) -> None:
        """The client does not read as fast as the response is written."""
        super().pause_writing()
        self._unread = self.loop.call_later(UNREAD_SECONDS, self._is_unread)

    def resume_writing(self) -> None:
        """The client has read most of what waited."""
        super().resume_writing()
        self._cancel_unread()

    def evict(self) -> None:
        """Close the connection at once, to make room for another one."""
        self._end("evicted")

    def _is_answered(self) -> bool:
        return self.cycle is not None and self.cycle.response_complete

    def _wait(self) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _stop(self, refusal: Refusal) -> None:
        self._refusal = refusal
        raise _RefusedError

    def _refuse(self, refusal: Refusal) -> None:
        """Answer and close. The request whose body is malformed gets this answer, unless another one has begun."""
        status, code, detail = refusal
        self._open.tell(code)
        if self.cycle is None or self.cycle.response_complete or self._waits_for_its_body():
            self.transport.write(raw_problem(status, code, detail))
        self._cancel_deadline()
        self.transport.close()

    def _waits_for_its_body(self) -> bool:
        """Whether the request in progress is the last that arrived, has no answer yet, and gets none from now on."""
        if not self._in_body or self.pipeline or self.cycle.response_started:
            return False
        self.cycle.disconnected = True  # what the application sends is dropped
        self.cycle.message_event.set()
        return True

    def _head_is_late(self) -> None:
        self._deadline = None
        if self.cycle is not None and not self.cycle.response_complete:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._head_is_late)
        elif self._head_begun or self._silent_bytes:
            self._refuse(TOO_SLOW)
        else:
            self._end("silent")

    def _rest_is_late(self) -> None:
        self._deadline = None
        self._end("body_too_slow")

    def _is_unread(self) -> None:
        self._unread = None
        self._end("response_not_read")

    def _end(self, reason: str) -> None:
        self._open.tell(reason)
        self._forget()
        self.transport.abort()

    def _forget(self) -> None:
        self._cancel_deadline()
        self._cancel_unread()
        if self._admitted:
            self._admitted = False
            self._open.closed(self)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cancel_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
