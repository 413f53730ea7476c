"""A process that asks a limiter, in a module of its own: each process imports the module of what it runs."""

import multiprocessing
from pathlib import Path

from bento.http import shared_windows
from bento.http.problems import HttpError
from bento.http.rate_limit import Limiter
from bento.http.shared_windows import SharedWindows
from loan_platform_tests.support.waiting import PATIENCE_SECONDS


def passed(limiter: Limiter, key: str, rate: str | None = None) -> bool:
    """Whether a request of the key passes."""
    try:
        limiter.check(key, rate)
    except HttpError:
        return False
    return True


def ask(path: Path, times: int, found: "multiprocessing.Queue[int]") -> None:
    """Ask so often for one key that 500 times an hour may pass, and tell how often it passed."""
    shared_windows.BUSY_SECONDS = PATIENCE_SECONDS  # none is let through because another has the file
    limiter = Limiter("500/hour", SharedWindows(path))
    found.put(sum(passed(limiter, "a") for _ in range(times)))
