"""Where the champion is."""

from pathlib import Path
from typing import Any, NamedTuple


class ChampionRef(NamedTuple):
    """Version and hash of the champion in the registry, and the folder of its bundle."""

    version: int
    sha256: str
    bundle: Path
    challenger: dict[str, Any] | None = None  # the last version that was rejected since it became champion
    withdrawn_versions: frozenset[int] = frozenset()  # earlier ones, which may not answer any more


class Withdrawn(NamedTuple):
    """There is no champion, because the last one was withdrawn: its version, and a sentence with the reason."""

    version: int
    reason: str
