"""The champion that a built Bento contains beside the code."""

import json
from importlib.util import find_spec
from pathlib import Path

from bento.model.champion_ref import ChampionRef
from loan_platform.settings.environment import SettingsError

CHAMPION_FOLDER = Path(__file__).resolve().parents[2] / "champion"


def baked_model(folder: Path = CHAMPION_FOLDER) -> tuple[str, ChampionRef] | None:
    """Portfolio and champion of this Bento. None in a checkout.

    `champion.json` holds portfolio, version and SHA-256. The bundle is beside it.
    """
    try:
        champion = json.loads((folder / "champion.json").read_bytes())
    except FileNotFoundError:
        return None
    return champion["portfolio"], ChampionRef(champion["version"], champion["sha256"], folder / "bundle")


def check_ledger_can_be_read() -> None:
    """Check that the package that reads a ledger is installed.

    Raises:
        SettingsError: it is not, as in the small image. Without this check the worker would restart forever.
    """
    if find_spec("sqlalchemy") is None:
        raise SettingsError(
            "LOAN_LEDGER_URL is set, but SQLAlchemy, which reads the ledger, is not installed. Unset the variable to "
            "serve the model in the image, or build the image with --build-arg LOCK=extras."
        )
