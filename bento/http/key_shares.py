"""Places that API keys share, so that one key cannot take what the others need."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager


class KeyShares:
    """A number of places, of which one key may hold only a part.

    Args:
        places: of all keys together.
        per_key: of one key.
    """

    def __init__(self, places: int, per_key: int) -> None:
        self._places, self._per_key = places, per_key
        self._held = Counter[str]()

    def has_place(self, key: str) -> bool:
        """Whether this key may take one more place."""
        return self._held.total() < self._places and self._held[key] < self._per_key

    @contextmanager
    def place(self, key: str) -> Iterator[None]:
        """Hold a place of this key, whether or not there is one."""
        self._held[key] += 1
        try:
            yield
        finally:
            self._held[key] -= 1
            if not self._held[key]:
                del self._held[key]


class FairTurns:
    """Lets few requests work at the same time. The keys whose requests wait get their turns in rotation.

    Args:
        places: requests that work at the same time.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}  # the key that is next comes first

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[None]:
        """Wait for a turn of this key, and hold it."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(key)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, key: str) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was this request's turn already
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            key = next(iter(self._waiting))
            queue = self._waiting.pop(key)
            turn = queue.popleft()
            if queue:
                self._waiting[key] = queue  # behind the other keys
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
