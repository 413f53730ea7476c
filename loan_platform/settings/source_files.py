"""Environment variables that replace the source files of a book."""

import os
from collections.abc import Mapping


def source_override(portfolio: str, source: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """Path, glob or URI in `<PORTFOLIO>_<SOURCE>`, such as LENDING_CLUB_LOANS; None if it is not set."""
    return environ.get(override_variable(portfolio, source), "").strip() or None


def override_variable(portfolio: str, source: str) -> str:
    """Name of the variable that replaces the files of a source."""
    return f"{portfolio}_{source}".upper()
