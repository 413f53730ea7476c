"""Where the champion is."""

from pathlib import Path
from typing import Any, NamedTuple


class ChampionRef(NamedTuple):
    """Version and hash of the champion in the registry, and the folder of its bundle."""

    version: int
    sha256: str
    bundle: Path
    challenger: dict[str, Any] | None = None  # the last version that was rejected since it became champion
