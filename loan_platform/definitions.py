"""The code location of this package's loan books."""

import atexit
import gc
import warnings
from functools import cache
from pathlib import Path

import dagster as dg

from loan_platform.settings import quiet_environment

quiet_environment()
warnings.simplefilter("ignore", dg.BetaWarning)  # single-run backfills and code references: a screenful at each start
# At its end Python looks through every object for cycles, several times: 2.5 s of each run for nothing.
atexit.register(gc.freeze)


@dg.definitions
@cache
def defs() -> dg.Definitions:
    """All loan books in `defs/`; made once in a process, though `dagster job execute` asks for them five times."""
    from loan_platform.assets.loan_portfolio import location

    return location(Path(__file__).parent)
