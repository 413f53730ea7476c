"""Tune Python's garbage collector, which runs too often in processes with half a million objects."""

import atexit
import gc


def tune_gc() -> None:
    """Collect every 10,000 new objects instead of 700, and not at exit.

    A run of 26 s on a small book saves 1 s during imports and 0.3 s at exit. `gc.freeze` at exit would save 2.5 s, but
    then DuckDB prints every object that is still alive.
    """
    gc.set_threshold(10_000)
    atexit.register(gc.disable)
