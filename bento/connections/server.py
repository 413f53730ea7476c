"""How long an idle connection lives."""

import signal

import uvicorn


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
