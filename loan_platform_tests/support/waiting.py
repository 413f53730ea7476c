"""Waiting in tests for what must come."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

PATIENCE_SECONDS = 60.0  # no measurement: a busy machine may take many times what is usual
T = TypeVar("T")


def until(done: Callable[[], T | None], shown: Callable[[], Any] = str) -> T:
    """What `done` gives, once that is true.

    Args:
        done: asked again and again.
        shown: what the failure tells, where it never is.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    while not (found := done()):
        assert time.monotonic() < end, shown()
        time.sleep(0.02)
    return found
