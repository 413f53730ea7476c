"""The code location: every book in `defs/`, the platform they share, one process for each run by default."""

from pathlib import Path

import dagster as dg

from loan_platform.settings import quiet_environment

quiet_environment()


@dg.definitions
def defs() -> dg.Definitions:
    """All loan books of this package."""
    from loan_platform.assets.platform import Platform

    books = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
    shared = dg.Definitions(resources={"platform": Platform()}, executor=dg.in_process_executor)
    return dg.Definitions.merge(books, shared)
