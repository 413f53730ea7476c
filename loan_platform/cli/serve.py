"""`loan-platform serve`: the HTTP service of a book, in the place of this process."""

import os
import sys
from typing import NoReturn

from loan_platform.adapters.platform.home import ensure_home
from loan_platform.settings.checkout import code_root
from loan_platform.settings.platform import PlatformSettings

SERVICE = "bento.service:LoanService"


def run_serve(settings: PlatformSettings, book: str, host: str, port: int) -> NoReturn:
    """Make the platform home if it is missing, then become BentoML's server.

    Args:
        settings: of the platform.
        book: that the service answers for.
        host: address to listen on.
        port: to listen on.

    Raises:
        HomeError: the home cannot be set up.
    """
    ensure_home(settings)
    command = [sys.executable, "-m", "bentoml", "serve", SERVICE, "--working-dir", str(code_root())]
    sys.stdout.flush()
    os.execve(sys.executable, [*command, "--host", host, "--port", str(port)], _environment(settings, book))  # noqa: S606


def _environment(settings: PlatformSettings, book: str) -> dict[str, str]:
    """The environment of the server: this one's, with the book and the folders that it needs."""
    own = {
        "LOAN_PORTFOLIO": book,
        "LOAN_PLATFORM_HOME": str(settings.home),
        "BENTOML_HOME": str(settings.bentos),
    }
    return {**os.environ, **own}
