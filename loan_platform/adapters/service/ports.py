"""Find a free TCP port for a server."""

import secrets
import socket

PORTS = range(20_000, 32_000)  # systems hand out higher ones as ephemeral ports


def free_port() -> int:
    """A port on which no process of this machine listens.

    Raises:
        OSError: a hundred random ports are all in use.
    """
    for _ in range(100):
        port = secrets.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no port between {PORTS.start} and {PORTS.stop} is free")
