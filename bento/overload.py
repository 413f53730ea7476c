"""How many requests may be under way in one worker: more are turned away at once, before their bodies are read."""

from types import TracebackType

from bento.problems import HttpError

RETRY_SECONDS = "1"


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

    def __enter__(self) -> None:
        """Let one in.

        Raises:
            HttpError: 503, there are too many.
        """
        if self.length >= self.most:
            self.turned_away += 1
            raise HttpError(
                503, "overloaded", "Too many requests are under way; ask again.", headers={"retry-after": RETRY_SECONDS}
            )
        self.length += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """One was answered."""
        self.length -= 1
