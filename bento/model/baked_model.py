"""What a built Bento carries beside the code: the champion it was built for."""

import json
from importlib.util import find_spec
from pathlib import Path

from bento.model.champion import Named
from loan_platform.settings.environment import SettingsError

CHAMPION = Path(__file__).resolve().parents[2] / "champion"


def built(folder: Path = CHAMPION) -> tuple[str, Named] | None:
    """Portfolio and champion of this Bento; None in a checkout.

    `champion.json` says portfolio, version and sha256, and the bundle is beside it.
    """
    try:
        said = json.loads((folder / "champion.json").read_bytes())
    except FileNotFoundError:
        return None
    return said["portfolio"], Named(said["version"], said["sha256"], folder / "bundle")


def check_can_follow() -> None:
    """Nothing, where what reads a ledger is installed.

    Raises:
        SettingsError: a small image was told to follow a ledger; without this its worker would start again for ever.
    """
    if find_spec("sqlalchemy") is None:
        raise SettingsError(
            "LOAN_LEDGER_URL is set, and SQLAlchemy, which reads the ledger, is not installed. Leave it out, and the "
            "model inside answers; or build the image with --build-arg LOCK=extras."
        )
