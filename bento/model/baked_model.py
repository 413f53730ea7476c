"""The champion that a built Bento contains beside the code."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from bento.model.champion_ref import ChampionRef
from loan_platform.adapters.ledger.signing import LedgerKey
from loan_platform.settings.environment import SettingsError

CHAMPION_FOLDER = Path(__file__).resolve().parents[2] / "champion"


class BakedModel(NamedTuple):
    """Portfolio, champion and signature of `champion.json`."""

    portfolio: str
    ref: ChampionRef
    signature: str | None

    def require_signed(self, key: LedgerKey) -> None:
        """Refuse a champion that the key did not sign when the Bento was built.

        Raises:
            SettingsError: the signature is missing, or is of another champion.
        """
        if not key.signed_champion(self.portfolio, self.ref.version, self.ref.sha256, self.signature):
            raise SettingsError(
                "The champion in this Bento is not signed with LOAN_LEDGER_KEY. Build the Bento again with that key, "
                "or unset the variable."
            )


def baked_model(folder: Path = CHAMPION_FOLDER) -> BakedModel | None:
    """What this Bento contains. None in a checkout.

    `champion.json` holds portfolio, version, SHA-256 and, of a lender with a ledger key, a signature. The bundle is
    beside it.
    """
    try:
        champion = json.loads((folder / "champion.json").read_bytes())
    except FileNotFoundError:
        return None
    ref = ChampionRef(champion["version"], champion["sha256"], folder / "bundle")
    return BakedModel(champion["portfolio"], ref, champion.get("signature"))


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
