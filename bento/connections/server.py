"""The server of a worker: how long an idle connection lives, and which protocol it speaks."""

import signal
from functools import partial

import uvicorn

from bento.connections.open_connections import OpenConnections
from bento.connections.protocol import GuardedProtocol


def running_server() -> uvicorn.Server | None:
    """The server of this worker, which has installed its handler of SIGTERM. None if there is none."""
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return server if isinstance(server, uvicorn.Server) else None


def set_keep_alive(seconds: int) -> None:
    """Let the server close connections that are idle for this long. Call it before `Drain.install`.

    BentoML passes its own 5 s to the server. A load balancer reuses connections for longer, and a request on a
    connection that is being closed fails.
    """
    if (server := running_server()) is not None:
        server.config.timeout_keep_alive = seconds


def guard_connections(connections: OpenConnections, config: uvicorn.Config | None = None) -> None:
    """Let a server that does not listen yet speak `GuardedProtocol`.

    Args:
        connections: of this worker.
        config: of the server. Without one, the server of this worker.
    """
    if config is None:
        server = running_server()
        config = server.config if server is not None else None
    if config is not None:
        if not config.loaded:
            config.load()
        config.http_protocol_class = partial(GuardedProtocol, connections)  # pyright: ignore[reportAttributeAccessIssue]
