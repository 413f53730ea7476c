"""Cells of a column: its values, what is between them, and the missing ones, without their order."""

from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BINS = 20
MIN_SHARE = 0.01  # of the loans that make a number a cell of its own
MIN_ROWS = 20
ABSENT, BETWEEN = "missing", "another value"


class Cells:
    """Cells of a column, each kind computed once.

    Args:
        values: numbers, dates, booleans or texts, shape [n].
    """

    def __init__(self, values: pl.Series) -> None:
        self.values = values

    @cached_property
    def usual(self) -> frozenset[str]:
        """Values that 20 loans have, and of numbers 1 % of the loans, as text."""
        stated = self._texts.drop_nulls()
        least = MIN_ROWS if self.values.dtype == pl.String else max(MIN_ROWS, MIN_SHARE * len(self.values))
        counts = stated.value_counts(name="rows").filter(pl.col("rows") >= least)
        return frozenset(counts[counts.columns[0]])

    @cached_property
    def plain(self) -> pl.Series:
        """The cell of each loan: a usual value, or one cell for all others, or `missing`."""
        frame = pl.DataFrame({"text": self._texts})
        cell = pl.when(pl.col("text").is_null()).then(pl.lit(ABSENT))
        cell = cell.when(pl.col("text").is_in(list(self.usual))).then(pl.col("text")).otherwise(pl.lit(BETWEEN))
        return frame.select(cell.alias("cell")).to_series()

    @cached_property
    def fine(self) -> pl.Series:
        """As `plain`, with the values between the usual ones of a number in 20 bins of equal size."""
        if self.values.dtype == pl.String:
            return self.plain
        between = (self.plain == BETWEEN).to_numpy()
        if between.sum() < 2 * MIN_ROWS:
            return self.plain
        edges = np.unique(np.quantile(self.numbers[between], np.linspace(0, 1, BINS + 1)[1:-1]))
        bins = pl.Series(np.searchsorted(edges, self.numbers, side="right")).cast(pl.String)
        fine = pl.when(pl.Series(between)).then(pl.concat_str(pl.lit("bin "), bins)).otherwise(self.plain)
        return pl.select(fine).to_series()

    @cached_property
    def numbers(self) -> Floats:
        """See `as_numbers`."""
        return as_numbers(self.values)

    @cached_property
    def _texts(self) -> pl.Series:
        return self.values if self.values.dtype == pl.String else self.values.cast(pl.String)


def as_numbers(values: pl.Series) -> Floats:
    """Numbers or days, NaN where missing."""
    plain = values.to_physical() if values.dtype == pl.Date else values
    return plain.cast(pl.Float64).fill_null(float("nan")).to_numpy()
