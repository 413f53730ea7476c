"""How many requests may be under way in one worker: more are turned away before their bodies are read."""

import asyncio
import json
import secrets
from types import TracebackType

from starlette.types import Scope, Send

CODE = "overloaded"
PACE = 1_000  # requests a second that are turned away: each takes 60 us, which are then missing for answers
HELD_SECONDS = 1.0  # that one may wait for its turn: what Retry-After asks for anyway
_ID = "0" * 16
_PROBLEM = {
    "type": "about:blank",
    "title": "Service Unavailable",
    "status": 503,
    "code": CODE,
    "detail": "Too many requests are under way; ask again.",
    "request_id": _ID,
}
_HEAD, _TAIL = json.dumps(_PROBLEM).encode().split(_ID.encode())
_HEADERS = [
    (b"content-type", b"application/problem+json"),
    (b"retry-after", b"1"),
    (b"content-length", str(len(_HEAD) + len(_ID) + len(_TAIL)).encode()),
]


class Pace:
    """When each of many may leave: one after the other, unless it would wait for too long.

    Args:
        rate: a second.
        longest: seconds that one waits at most.
    """

    def __init__(self, rate: float, longest: float) -> None:
        self._gap, self._longest, self._next = 1 / rate, longest, 0.0

    def wait(self, now: float) -> float:
        """Seconds that one who comes now waits."""
        turn = min(max(self._next, now), now + self._longest)
        self._next = turn + self._gap
        return turn - now


class Line:
    """The requests that were let in and have no answer yet.

    Those that are turned away leave at a steady pace. A caller whose connection waits cannot ask again meanwhile, so
    what a flood costs is bounded, however fast its callers are.

    Args:
        most: of them.

    Attributes:
        length: how many there are now.
        turned_away: how many were not let in since the start.
    """

    def __init__(self, most: int) -> None:
        self.most, self.length, self.turned_away = most, 0, 0
        self._pace = Pace(PACE, HELD_SECONDS)

    @property
    def is_full(self) -> bool:
        """Whether the next one is turned away."""
        return self.length >= self.most

    async def turn_away(self, scope: Scope, send: Send) -> None:
        """Answer 503, in turn. The answer was made before: what turning away costs is taken from the answers."""
        self.turned_away += 1
        if (seconds := self._pace.wait(asyncio.get_running_loop().time())) > 0:
            await asyncio.sleep(seconds)
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {}).update(request_id=request_id, problem=CODE)
        told = request_id.encode()
        headers = [*_HEADERS, (b"x-request-id", told)]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": _HEAD + told + _TAIL})

    def __enter__(self) -> None:
        """Let one in."""
        self.length += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """One was answered."""
        self.length -= 1
