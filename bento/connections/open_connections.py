"""Which connections of a worker are open, and which one makes room for a new one."""

import asyncio
import logging
import resource
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

log = logging.getLogger("loan_platform.service")

OWN_FILES = 512  # descriptors that a worker keeps for its model, databases, batch jobs and log
TELL_SECONDS = 5.0  # a flood of closed connections is one line of the log in this time


class Connection(Protocol):
    """An open connection."""

    address: str

    def evict(self) -> None:
        """Close it at once, without an answer."""


Connections = dict[Connection, None]  # in order of arrival


@dataclass(slots=True)
class _Address:
    """The connections of one address. Those without a request in progress are `silent` or `idle`."""

    open: int = 0
    silent: Connections = field(default_factory=dict[Connection, None])
    idle: Connections = field(default_factory=dict[Connection, None])


class OpenConnections:
    """Counts the connections of one worker, in all and by address.

    A new connection is always accepted while another one can make room: first the oldest that has never sent a whole
    request, then the one that is idle for the longest time. So held connections keep no probe and no caller out.

    Args:
        maximum: connections in all. `raise_descriptors` says how many are possible.
        of_address: connections of one address.
        count: counts a connection that was closed for a reason.

    Attributes:
        number: connections that are open now.
    """

    def __init__(self, maximum: int, of_address: int, count: Callable[[str], None] = lambda _: None) -> None:
        self._maximum, self._of_address, self._count = maximum, of_address, count
        self.number = 0
        self._addresses: dict[str, _Address] = {}
        self._silent: Connections = {}
        self._idle: Connections = {}
        self._untold: Counter[str] = Counter()

    def admit(self, connection: Connection) -> bool:
        """Take in a new connection, or say no because all others have a request in progress."""
        address = self._addresses.get(connection.address)
        if address is not None and address.open >= self._of_address and not self._evict(address.silent, address.idle):
            return False
        if self.number >= self._maximum and not self._evict(self._silent, self._idle):
            return False
        address = self._addresses.setdefault(connection.address, _Address())
        address.open += 1
        self.number += 1
        address.silent[connection] = self._silent[connection] = None
        return True

    def started(self, connection: Connection) -> None:
        """A request has arrived on the connection."""
        address = self._addresses[connection.address]
        for among in (self._silent, self._idle, address.silent, address.idle):
            among.pop(connection, None)

    def waits(self, connection: Connection) -> None:
        """All requests of the connection are answered."""
        self._addresses[connection.address].idle[connection] = self._idle[connection] = None

    def closed(self, connection: Connection) -> None:
        """The connection, which was admitted, is closed."""
        self.started(connection)
        self.number -= 1
        address = self._addresses[connection.address]
        address.open -= 1
        if not address.open:
            del self._addresses[connection.address]

    def tell(self, reason: str) -> None:
        """Count a connection that was closed for a reason, and log the sums soon. Call it on the event loop."""
        self._count(reason)
        if not self._untold:
            asyncio.get_running_loop().call_later(TELL_SECONDS, self._log)
        self._untold[reason] += 1

    def _log(self) -> None:
        sums = ", ".join(f"{reason} {number}" for reason, number in sorted(self._untold.items()))
        self._untold.clear()
        log.warning("connections closed in %g s: %s; %d are open", TELL_SECONDS, sums, self.number)

    def _evict(self, *lists: Connections) -> bool:
        for among in lists:
            if among:
                next(iter(among)).evict()
                return True
        return False


def raise_descriptors(wanted: int) -> int:
    """Let this process open enough files for its connections. Returns the number of connections that are possible.

    Args:
        wanted: connections.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    needed = wanted + OWN_FILES
    if soft < needed:
        raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        soft = raised
    possible = soft - min(OWN_FILES, soft // 2)
    if possible < wanted:
        log.warning(
            "LOAN_MAX_CONNECTIONS is %d, and a worker may open %d files: it takes %d connections. Raise `ulimit -n`",
            wanted,
            soft,
            possible,
        )
    return min(wanted, possible)
