"""Graceful shutdown of a worker: in-flight requests are answered, then their connections are closed."""

import asyncio
import logging
import signal
from types import FrameType

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bento.connections.server import running_server

log = logging.getLogger("loan_platform.service")

DELAY_SECONDS = 1.0  # load balancers see that the worker is not ready, and clients see that connections close
MAX_SHUTDOWN_SECONDS = 8  # for responses in progress, such as a download that its client does not read


class Drain:
    """Delays SIGTERM. Meanwhile each response closes its connection.

    Uvicorn closes idle connections at once, and with them the requests that clients have just sent.

    Attributes:
        begun: whether SIGTERM has arrived.
    """

    def __init__(self) -> None:
        self.begun = False

    def install(self) -> None:
        """Install a handler of SIGTERM in front of the server's own. Call it on the server's event loop."""
        loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)
        server = running_server()
        if server is not None and server.config.timeout_graceful_shutdown is None:
            server.config.timeout_graceful_shutdown = MAX_SHUTDOWN_SECONDS

        def end(number: int, frame: FrameType | None) -> None:
            if callable(before):
                before(number, frame)

        def begin(number: int, frame: FrameType | None) -> None:
            if self.begun:
                end(number, frame)
                return
            self.begun = True
            log.info("shutdown was requested: each connection is closed after its response")
            loop.call_soon_threadsafe(loop.call_later, DELAY_SECONDS, end, number, frame)

        signal.signal(signal.SIGTERM, begin)


class DrainMiddleware:
    """Adds `Connection: close` to each response while the worker shuts down.

    Args:
        app: the next application.
        drain: of the worker.
    """

    def __init__(self, app: ASGIApp, drain: Drain) -> None:
        self._app, self._drain = app, drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        await self._app(scope, receive, _closing(send) if self._drain.begun else send)


def _closing(send: Send) -> Send:
    async def send_and_close(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"connection", b"close")]
        await send(message)

    return send_and_close
