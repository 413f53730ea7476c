"""Calendar months as whole numbers: 0 is January of year 0, so ages are differences."""

import re

import numpy as np
import polars as pl

from loan_platform.sample_data.lending_club.columns import Floats, Ints

NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
FIRST_LABEL = 1930 * 12
LAST_LABEL = 2060 * 12
LABELS = pl.Series("month", [f"{NAMES[m % 12]}-{m // 12}" for m in range(FIRST_LABEL, LAST_LABEL)])

LOANS_PER_YEAR = {2012: 53, 2013: 135, 2014: 236, 2015: 421, 2016: 434, 2017: 444, 2018: 495}
"""Thousands of loans issued, public LendingClub statistics; flat before and after."""
SEASON = (1.02, 0.86, 1.04, 1.02, 1.0, 0.97, 1.14, 1.03, 0.92, 1.08, 0.98, 0.94)
"""Share of a month in its year times 12, after the public samples of 2012-2018."""


def month_number(text: str) -> int:
    """Read "YYYY-MM" as a month number; ValueError for anything else."""
    found = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", text)
    if found is None or not FIRST_LABEL <= int(found[1]) * 12 < LAST_LABEL:
        raise ValueError(f"month {text!r} is not of the form YYYY-MM within 1930..2059")
    return int(found[1]) * 12 + int(found[2]) - 1


def month_labels(months: Floats | Ints) -> pl.Series:
    """Write month numbers as "Mon-YYYY"; a NaN becomes null."""
    numbers = pl.Series("month", months, nan_to_null=True).cast(pl.Int64) - FIRST_LABEL
    return LABELS.gather(numbers)


def years_since_2012(months: Ints) -> Floats:
    """Time of issue in years, 0.0 at January 2012."""
    return (months - 2012 * 12) / 12.0


def loans_by_month(rows: int, start: int, end: int) -> Ints:
    """Split `rows` over the months start..end (inclusive) by growth and season; sums to `rows`."""
    if end < start:
        raise ValueError("the last month is before the first")
    months = np.arange(start, end + 1)
    middles = np.array([12 * year + 6 for year in LOANS_PER_YEAR], dtype=np.float64)
    volume = np.interp(months, middles, np.array(list(LOANS_PER_YEAR.values()), dtype=np.float64))
    weight = volume * np.array(SEASON)[months % 12]
    ends = np.floor(rows * np.cumsum(weight) / weight.sum() + 0.5).astype(np.int64)
    ends[-1] = rows
    return np.diff(ends, prepend=0)
