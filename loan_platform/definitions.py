"""The code location of this package's loan books."""

import warnings
from pathlib import Path

import dagster as dg

from loan_platform.settings import quiet_environment

quiet_environment()
warnings.simplefilter("ignore", dg.BetaWarning)  # single-run backfills and code references: a screenful at each start


@dg.definitions
def defs() -> dg.Definitions:
    """All loan books in `defs/`."""
    from loan_platform.assets.loan_portfolio import location

    return location(Path(__file__).parent)
