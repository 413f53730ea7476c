"""The end of a worker: what it has taken is answered, and what asks again is sent elsewhere."""

import asyncio
import logging
import signal
from types import FrameType

import uvicorn
from starlette.types import Message, Send

log = logging.getLogger("loan_platform.service")

SECONDS = 1.0  # for load balancers to see that it is not ready, and for callers to be told that connections end
MOST_SECONDS = 8  # for what is being answered, such as a download that its caller does not read


class Drain:
    """Delays SIGTERM, while each answer closes its connection.

    Uvicorn ends connections at once on which no request is being answered, and with them what callers have just sent.

    Attributes:
        begun: whether the end was asked for.
    """

    def __init__(self) -> None:
        self.begun = False

    def install(self) -> None:
        """Stand before the server's own handler of SIGTERM; call on its event loop."""
        loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)
        server = getattr(before, "__self__", None)
        if isinstance(server, uvicorn.Server) and server.config.timeout_graceful_shutdown is None:
            server.config.timeout_graceful_shutdown = MOST_SECONDS

        def end(number: int, frame: FrameType | None) -> None:
            if callable(before):
                before(number, frame)

        def begin(number: int, frame: FrameType | None) -> None:
            if self.begun:
                end(number, frame)
                return
            self.begun = True
            log.info("the end was asked for: connections are closed as they are answered")
            loop.call_soon_threadsafe(loop.call_later, SECONDS, end, number, frame)

        signal.signal(signal.SIGTERM, begin)

    def closing(self, send: Send) -> Send:
        """What sends answers that end their connection."""

        async def closed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        return closed
