"""An attack on the connections of a service: held heads, heads that never end, and pipelined garbage."""

import asyncio
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import Process

from load import Load, closed_loop

HALF_HEAD = b"GET /livez HTTP/1.1\r\nx: "
HELD_SECONDS = 10  # after which the service closes a held connection
GARBAGE = b"GET /livez HTTP/1.1\r\n\r\n" * 5_000 + b"\x00\xff" * 5_000


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def _hold(port: int, connections: int) -> None:
    held = deque[socket.socket](maxlen=connections)
    while True:
        for number in range(connections):
            with suppress(OSError):
                held.append(_connect(port))
                held[-1].sendall(HALF_HEAD if number % 3 else b"")
            time.sleep(HELD_SECONDS / connections)


def _send_endless(port: int, megabytes: int) -> None:
    while True:
        with suppress(OSError), _connect(port) as client:
            client.sendall(HALF_HEAD)
            for _ in range(megabytes):
                client.sendall(b"a" * 1_000_000)


def _send_garbage(port: int) -> None:
    while True:
        with suppress(OSError), _connect(port) as client:
            client.sendall(GARBAGE)
            while client.recv(100_000):
                pass
        time.sleep(0.05)


@contextmanager
def attacked(port: int, connections: int, megabytes: int) -> Iterator[None]:
    """The service while other processes attack it. As many are opened in ten seconds as are held.

    Args:
        port: of the service on this machine.
        connections: that are held.
        megabytes: of each head that never ends.
    """
    attacks = ((_hold, (port, connections)), (_send_endless, (port, megabytes)), (_send_garbage, (port,)))
    processes = [Process(target=target, args=arguments, daemon=True) for target, arguments in attacks]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
            process.join()


async def probed(port: int, requests: Sequence[bytes], seconds: float) -> tuple[Load, Load]:
    """Probes of `/readyz`, each on a new connection, and answers on eight connections at the same time."""
    probes = Load()

    async def probe() -> None:
        while True:
            started = time.perf_counter()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /readyz HTTP/1.1\r\nconnection: close\r\n\r\n")
            probes.statuses[int((await reader.read())[9:12] or 0)] += 1
            probes.seconds.append(time.perf_counter() - started)
            writer.close()
            await asyncio.sleep(0.02)

    probing = asyncio.create_task(probe())
    load = await closed_loop(port, requests, 8, seconds)
    probing.cancel()
    return probes, load
