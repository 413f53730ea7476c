"""The default rate of each category level, as the other half of the loans has it."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def other_half_rates(levels: pl.Series, target: Floats) -> Floats:
    """Rank levels without the outcomes of the loans that are ranked.

    Every other loan of each outcome, in frame order, is of one half. A loan gets the default rate that its level has in
    the other half, shrunk by one loan of the default rate of that half. An absent level has that rate itself.

    Args:
        levels: category of each loan, shape [n]; missing is a level.
        target: 1 default, 0 repaid, shape [n].

    Returns:
        Rates, shape [n].
    """
    frame = pl.DataFrame({"level": levels, "y": target})
    frame = frame.with_columns(half=pl.int_range(pl.len()).over("y") % 2)
    counts = frame.group_by("level", "half").agg(bad=pl.col("y").sum(), loans=pl.len())
    bases = frame.group_by("half").agg(base=pl.col("y").mean())
    joined = frame.with_columns(half=1 - pl.col("half")).join(
        counts, on=["level", "half"], how="left", nulls_equal=True, maintain_order="left"
    )
    joined = joined.join(bases, on="half", how="left", maintain_order="left")
    rate = (pl.col("bad").fill_null(0) + pl.col("base")) / (pl.col("loans").fill_null(0) + 1)
    return joined.select(rate.alias("rate"))["rate"].to_numpy()
