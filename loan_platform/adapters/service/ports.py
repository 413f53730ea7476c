"""A free port for a server that is about to start."""

import secrets
import socket

PORTS = range(20_000, 32_000)  # systems give those above to whoever asks for any, at any moment


def free_port() -> int:
    """A port on which nobody of this machine listens.

    Raises:
        OSError: none of a hundred is free.
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
