"""How many requests may be under way in one worker: more are turned away at once, before their bodies are read."""

import json
import secrets
from types import TracebackType

from starlette.types import Scope, Send

CODE = "overloaded"
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


class Line:
    """The requests that were let in and have no answer yet.

    Args:
        most: of them.

    Attributes:
        length: how many there are now.
        turned_away: how many were not let in since the start.
    """

    def __init__(self, most: int) -> None:
        self.most, self.length, self.turned_away = most, 0, 0

    @property
    def is_full(self) -> bool:
        """Whether the next one is turned away."""
        return self.length >= self.most

    async def turn_away(self, scope: Scope, send: Send) -> None:
        """Answer 503. The answer was made before: turning away must cost little, or that is all that gets done."""
        self.turned_away += 1
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
