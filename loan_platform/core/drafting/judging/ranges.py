"""Ranges of valid values: wide enough for later files, narrow enough to find typing errors."""

from math import floor, log10

MARGIN = 5.0
STEPS = (1.0, 2.0, 5.0, 10.0)


def drafted_range(low: float, high: float, is_percent: bool = False, is_year: bool = False) -> tuple[float, float]:
    """Smallest and largest value to accept, from those observed.

    Zero where nothing is below it; otherwise five times the observed extent, rounded up to 1, 2 or 5.
    """
    if is_year:
        return 1900.0, 2100.0
    if is_percent and low >= 0 and high <= 100:
        return 0.0, 100.0
    minimum = 0.0 if low >= 0 else -rounded_up(MARGIN * -low)
    maximum = 0.0 if high <= 0 and low < 0 else rounded_up(MARGIN * max(high, 0.0))
    return minimum, max(maximum, 1.0)


def rounded_up(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    if value <= 0:
        return 0.0
    power = 10.0 ** floor(log10(value))
    return next(step * power for step in STEPS if step * power >= value * (1 - 1e-12))
