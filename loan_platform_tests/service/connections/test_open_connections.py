"""Which connection makes room for a new one, and how many a process can open."""

import asyncio
import json
import logging
import subprocess
import sys
from dataclasses import dataclass, field

import pytest

from bento.connections import open_connections
from bento.connections.open_connections import OWN_FILES, OpenConnections


@dataclass(eq=False)
class Fake:
    """A connection that records its end."""

    connections: OpenConnections
    address: str = "a"
    ended: list[str] = field(default_factory=list[str])
    name: str = ""

    def evict(self) -> None:
        self.ended.append(self.name)
        self.connections.closed(self)


def admitted(connections: OpenConnections, ended: list[str], *names: str, address: str = "a") -> list[Fake]:
    """New connections, each of which must be admitted."""
    made = [Fake(connections, address, ended, name) for name in names]
    assert all(connections.admit(connection) for connection in made)
    return made


def test_the_oldest_silent_connection_makes_room_first() -> None:
    connections, ended = OpenConnections(3, 3), list[str]()
    idle, _, _ = admitted(connections, ended, "idle", "silent", "younger")
    connections.started(idle)
    connections.waits(idle)
    admitted(connections, ended, "new", "newer", "newest")
    assert ended == ["silent", "younger", "new"]
    assert connections.number == 3


def test_an_idle_connection_makes_room_when_none_is_silent() -> None:
    connections, ended = OpenConnections(2, 2), list[str]()
    for connection in admitted(connections, ended, "first", "second"):
        connections.started(connection)
    first, second = (Fake(connections), Fake(connections))
    assert not connections.admit(first)  # both have a request in progress
    assert not connections.admit(second)
    assert not ended
    assert connections.number == 2


def test_an_address_makes_room_among_its_own() -> None:
    connections, ended = OpenConnections(10, 2), list[str]()
    admitted(connections, ended, "other", address="b")
    admitted(connections, ended, "first", "second", "third")
    assert ended == ["first"]
    assert connections.number == 3


def test_closed_connections_leave_nothing() -> None:
    connections = OpenConnections(10, 2)
    made = [*admitted(connections, [], "one", "two"), *admitted(connections, [], "three", address="b")]
    for connection in made:
        connections.closed(connection)
    assert connections.number == 0
    assert not connections._addresses and not connections._silent and not connections._idle  # noqa: PT018  # pyright: ignore[reportPrivateUsage]


def test_a_flood_of_closed_connections_is_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(open_connections, "TELL_SECONDS", 0.01)
    counted: list[str] = []
    connections = OpenConnections(10, 10, counted.append)

    async def flood() -> None:
        for reason in ["silent"] * 500 + ["evicted"]:
            connections.tell(reason)
        while not caplog.messages:
            await asyncio.sleep(0.01)

    with caplog.at_level(logging.WARNING):
        asyncio.run(flood())
    assert caplog.messages == ["connections closed in 0.01 s: evicted 1, silent 500; 0 are open"]
    assert len(counted) == 501


LIMITED = """
import json, logging, resource, sys
from bento.connections.open_connections import raise_descriptors
soft, hard, wanted = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
logging.basicConfig(level="WARNING", stream=sys.stderr)
print(json.dumps([raise_descriptors(wanted), *resource.getrlimit(resource.RLIMIT_NOFILE)]))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "possible", "raised"),
    [(1_024, 4_096, 2_000, 2_000 + OWN_FILES), (1_024, 1_024, 512, 1_024), (300, 600, 300, 600)],
)
def test_a_worker_raises_its_descriptors(soft: int, hard: int, possible: int, raised: int) -> None:
    command = [sys.executable, "-c", LIMITED, str(soft), str(hard), "2000"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == [possible, raised, hard]
    assert ("LOAN_MAX_CONNECTIONS is 2000" in ran.stderr) == (possible < 2_000)
