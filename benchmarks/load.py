"""HTTP load clients: a closed loop, and an open loop at a fixed rate."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass
class Load:
    """Result of a load.

    Attributes:
        seconds: duration of each request.
        statuses: number of answers by status; 0 for a closed connection.
        wall: seconds of the whole load.
    """

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    wall: float = 0.0

    @property
    def rate(self) -> float:
        """Answers with status 200 per second."""
        return self.statuses[200] / self.wall

    def percentile(self, share: float) -> float:
        """Latency in ms within which this share of the requests was answered."""
        return sorted(self.seconds)[min(int(len(self.seconds) * share), len(self.seconds) - 1)] * 1e3

    def __str__(self) -> str:
        times = " ".join(f"p{share * 100:g} {self.percentile(share):.1f}" for share in (0.5, 0.95, 0.99, 0.999))
        return f"{self.rate:7.0f}/s  {times} ms  {dict(self.statuses)}"


def request(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """The bytes of a POST request."""
    head = {"host": "127.0.0.1", "content-type": "application/json", **headers, "content-length": str(len(body))}
    return "\r\n".join([f"POST {path} HTTP/1.1", *(f"{n}: {v}" for n, v in head.items()), "", ""]).encode() + body


class Connection(asyncio.Protocol):
    """One connection with at most one request in flight."""

    def __init__(self) -> None:
        self._buffer = b""
        self._wanted = 0
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._wanted and (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            found = LENGTH.search(self._buffer, 0, end)
            self._wanted = end + 4 + (int(found[1]) if found else 0)
        if self._wanted and len(self._buffer) >= self._wanted and self._answer is not None:
            answer, self._answer = self._answer, None
            status, self._buffer, self._wanted = int(self._buffer[9:12]), self._buffer[self._wanted :], 0
            if not answer.done():
                answer.set_result(status)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(0)

    @property
    def is_open(self) -> bool:
        """False once the server has closed the connection, as servers do with idle ones."""
        return not self._transport.is_closing()

    async def ask(self, request: bytes) -> int:
        """Status of the answer; 0 if the connection was closed instead."""
        if not self.is_open:
            return 0
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        self._transport.close()


async def connect(port: int) -> Connection:
    """A new connection to a port of this machine."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return connection


async def closed_loop(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Load:
    """Each connection sends the next request as soon as it has an answer."""
    load = Load()
    end = time.perf_counter() + seconds

    async def send(first: int) -> None:
        connection, i = await connect(port), first
        while (started := time.perf_counter()) < end:
            load.statuses[await connection.ask(requests[i % len(requests)])] += 1
            load.seconds.append(time.perf_counter() - started)
            i += connections
        connection.close()

    started = time.perf_counter()
    await asyncio.gather(*(send(i) for i in range(connections)))
    load.wall = time.perf_counter() - started
    return load


async def open_loop(
    port: int, requests: Sequence[bytes], rate: float, seconds: float, process: int | None = None
) -> tuple[Load, list[tuple[float, float]]]:
    """Send requests at a fixed rate, each timed from when it was due.

    Args:
        port: of the server.
        requests: sent in turn.
        rate: requests per second.
        seconds: duration.
        process: whose memory is measured every five seconds.

    Returns:
        The load, and pairs of seconds since the start and memory in MB.
    """
    load, memory = Load(), list[tuple[float, float]]()
    free: list[Connection] = []
    in_flight: set[asyncio.Task[None]] = set()
    started = time.perf_counter()

    async def send(i: int, due: float) -> None:
        while free and not free[-1].is_open:
            free.pop()
        connection = free.pop() if free else await connect(port)
        status = await connection.ask(requests[i % len(requests)])
        load.statuses[status] += 1
        load.seconds.append(time.perf_counter() - due)
        if status:
            free.append(connection)

    for i in range(round(rate * seconds)):
        due = started + i / rate
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        task = asyncio.create_task(send(i, due))
        in_flight.add(task)
        task.add_done_callback(in_flight.discard)
        if process is not None and i % round(rate * 5) == 0:
            memory.append((due - started, resident(process)))
    await asyncio.gather(*in_flight)
    load.wall = time.perf_counter() - started
    return load, memory


def resident(process: int) -> float:
    """Resident memory of a process in MB."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * 4096 / 1e6
