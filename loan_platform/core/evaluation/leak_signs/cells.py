"""Cells of a column: its values, what is between them, and the missing ones, without their order."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BINS = 20
MIN_SHARE = 0.01  # of the loans that make a number a cell of its own
MIN_ROWS = 20
ABSENT, BETWEEN = "missing", "another value"


def value_cells(values: pl.Series) -> pl.Series:
    """The cell of each loan: a usual value, or one cell for all others, or `missing`.

    Args:
        values: numbers, dates or texts, shape [n].
    """
    texts = _texts(values)
    usual = usual_values(values)
    frame = pl.DataFrame({"text": texts})
    cell = pl.when(pl.col("text").is_null()).then(pl.lit(ABSENT))
    cell = cell.when(pl.col("text").is_in(list(usual))).then(pl.col("text")).otherwise(pl.lit(BETWEEN))
    return frame.select(cell.alias("cell")).to_series()


def fine_cells(values: pl.Series) -> pl.Series:
    """As `value_cells`, with the values between the usual ones of a number in 20 bins of equal size."""
    cells = value_cells(values)
    if values.dtype == pl.String:
        return cells
    numbers = as_numbers(values)
    between = (cells == BETWEEN).to_numpy()
    if between.sum() < 2 * MIN_ROWS:
        return cells
    edges = np.unique(np.quantile(numbers[between], np.linspace(0, 1, BINS + 1)[1:-1]))
    bins = pl.Series(np.searchsorted(edges, numbers, side="right")).cast(pl.String)
    return pl.select(pl.when(pl.Series(between)).then(pl.concat_str(pl.lit("bin "), bins)).otherwise(cells)).to_series()


def usual_values(values: pl.Series) -> frozenset[str]:
    """Values that 20 loans have, and of numbers 1 % of the loans, as text."""
    stated = _texts(values).drop_nulls()
    least = MIN_ROWS if values.dtype == pl.String else max(MIN_ROWS, MIN_SHARE * len(values))
    counts = stated.value_counts(name="rows").filter(pl.col("rows") >= least)
    return frozenset(counts[counts.columns[0]])


def as_numbers(values: pl.Series) -> Floats:
    """Numbers or days, NaN where missing."""
    plain = values.to_physical() if values.dtype == pl.Date else values
    return plain.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _texts(values: pl.Series) -> pl.Series:
    return values if values.dtype == pl.String else values.cast(pl.String)
