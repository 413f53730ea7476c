"""The code location of this package's loan books."""

import warnings
from functools import cache
from pathlib import Path

import dagster as dg

from loan_platform.adapters.platform.gc_tuning import tune_gc
from loan_platform.settings.platform import TrackingSettings
from loan_platform.settings.private_files import keep_files_private
from loan_platform.settings.quiet import quiet_environment
from loan_platform.settings.supported_platform import require_supported_platform

require_supported_platform()
quiet_environment()
keep_files_private()
warnings.simplefilter("ignore", dg.BetaWarning)  # single-run backfills and code references: a screenful at each start
tune_gc()


@dg.definitions
def defs() -> dg.Definitions:
    """All loan books in `defs/`, with resources configured from the environment."""
    return _location(TrackingSettings.from_environment())  # pyright: ignore[reportArgumentType]  # frozen: hashable


@cache  # `dagster job execute` asks for the definitions five times
def _location(settings: TrackingSettings) -> dg.Definitions:
    from loan_platform.assets.loan_portfolio import location

    return location(Path(__file__).parent, settings)
