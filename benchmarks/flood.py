"""An HTTP client for overload: it sends at a fixed rate on a bounded number of connections, and probes readiness."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class FloodResult:
    """Result of a flood.

    Attributes:
        statuses: number of answers by status.
        seconds: latency of each answer with status 200.
        probes: latency of each probe of `/readyz`.
        without_retry: number of other answers without a Retry-After header.
        broken: number of connections that the server closed.
        wall: seconds of the whole flood.
    """

    statuses: Counter[int] = field(default_factory=Counter[int])
    seconds: list[float] = field(default_factory=list[float])
    probes: list[float] = field(default_factory=list[float])
    without_retry: int = 0
    broken: int = 0
    wall: float = 0.0


class _Connection(asyncio.Protocol):
    """One connection with at most one request in flight."""

    def __init__(self) -> None:
        self.data, self.answered, self.transport = b"", None, None
        self.answered: asyncio.Future[bytes] | None
        self.transport: asyncio.Transport | None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # pyright: ignore[reportAttributeAccessIssue]

    def data_received(self, data: bytes) -> None:
        self.data += data
        head, found, rest = self.data.partition(b"\r\n\r\n")
        if found and len(rest) >= int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            self.data, answered = b"", self.answered
            if answered is not None and not answered.done():
                answered.set_result(head)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.answered is not None and not self.answered.done():
            self.answered.set_exception(ConnectionError())

    async def ask(self, request: bytes) -> bytes:
        assert self.transport is not None
        self.answered = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self.answered


async def _flood(port: int, request: bytes, rate: float, seconds: float, connections: int) -> FloodResult:
    loop, found = asyncio.get_running_loop(), FloodResult()

    async def connect() -> _Connection:
        return (await loop.create_connection(_Connection, "127.0.0.1", port))[1]

    idle = [await connect() for _ in range(connections)]

    async def send(connection: _Connection) -> None:
        started = loop.time()
        try:
            head = await connection.ask(request)
        except ConnectionError:
            found.broken += 1
            return
        status = int(head[9:12])
        found.statuses[status] += 1
        if status == 200:
            found.seconds.append(loop.time() - started)
        elif b"retry-after: " not in head.lower():
            found.without_retry += 1
        idle.append(connection)

    async def probe() -> None:
        connection = await connect()
        while True:
            started = loop.time()
            head = await connection.ask(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert head[9:12] == b"200"
            found.probes.append(loop.time() - started)
            await asyncio.sleep(0.02)

    probing, tasks, started, sent = asyncio.create_task(probe()), set[asyncio.Task[None]](), loop.time(), 0
    while (now := loop.time() - started) < seconds:
        for _ in range(min(int(now * rate) - sent, len(idle))):
            task = asyncio.create_task(send(idle.pop()))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            sent += 1
        await asyncio.sleep(0.001)
    found.wall = loop.time() - started
    await asyncio.gather(*tasks)
    probing.cancel()
    return found


def flood(
    port: int,
    body: dict[str, Any],
    rate: float,
    seconds: float,
    headers: Sequence[str] = (),
    connections: int = 400,
    path: str = "/predict",
) -> FloodResult:
    """Send requests at a fixed rate while one of the connections is free.

    Args:
        port: of the service on this machine.
        body: of each request, sent as JSON.
        rate: requests per second.
        seconds: duration.
        headers: more header lines.
        connections: their number.
        path: of each request.
    """
    content = json.dumps(body).encode()
    length = f"Content-Length: {len(content)}"
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", length]
    request = "\r\n".join([*lines, *headers, "", ""]).encode() + content
    return asyncio.run(_flood(port, request, rate, seconds, connections))
