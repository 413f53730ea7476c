"""What a built Bento carries beside the code: the champion it was built for."""

import json
from pathlib import Path

from bento.champion import Named

CHAMPION = Path(__file__).resolve().parent.parent / "champion"


def built(folder: Path = CHAMPION) -> tuple[str, Named] | None:
    """Portfolio and champion of this Bento; None in a checkout.

    `champion.json` says portfolio, version and sha256, and the bundle is beside it.
    """
    try:
        said = json.loads((folder / "champion.json").read_bytes())
    except FileNotFoundError:
        return None
    return said["portfolio"], Named(said["version"], said["sha256"], folder / "bundle")
