"""Waiting in tests for a condition. No test sleeps for a fixed time, and none measures one."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

PATIENCE_SECONDS = 600.0  # when a test gives up: many times what a step takes on an idle machine
T = TypeVar("T")


def until(done: Callable[[], T | None], shown: Callable[[], Any] = str) -> T:
    """The value of `done`, once it is true.

    Args:
        done: called again and again.
        shown: called for the failure's message, if it never is.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    while not (found := done()):
        assert time.monotonic() < end, shown()
        time.sleep(0.02)
    return found
