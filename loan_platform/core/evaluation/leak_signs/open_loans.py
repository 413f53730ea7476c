"""Loans whose outcome is open, or that were never disbursed, as a control of the others.

What is known at application is spread over them as over all loans: some of them will default. Where they look like
repaid loans alone, the values of defaulted loans were written after the default.
"""

import numpy as np
import polars as pl

from loan_platform.core.evaluation.leak_signs.cells import Cells
from loan_platform.core.evaluation.leak_signs.column_signs import LeakSign
from loan_platform.core.evaluation.level_rates import other_half_rates
from loan_platform.core.evaluation.metrics import auc

MIN_LOANS = 100
MIN_IN_MONTH = 20
MIN_AUC = 0.7
MIN_EXPECTED = 0.03  # how far open loans should be from the repaid
MAX_DISTANCE = 0.02
STANDARD_ERRORS = 3.0


def open_loans_sign(values: pl.Series, target: pl.Series, vintage: pl.Series | None) -> LeakSign | None:
    """The sign of a column in which open loans look like repaid ones, and defaulted loans do not.

    Args:
        values: of all loans, shape [n].
        target: 1 default, 0 repaid, null open.
        vintage: month of each loan; only months with open and resolved loans are compared. None: all loans.
    """
    if target.null_count() < MIN_LOANS:  # cells take time
        return None
    frame = pl.DataFrame({"cell": Cells(values).fine, "y": target.cast(pl.Float64)})
    if vintage is not None:
        known, unknown = (found.over("month") for found in (pl.col("y").count(), pl.col("y").null_count()))
        frame = frame.with_columns(month=vintage).filter((known >= MIN_IN_MONTH) & (unknown >= MIN_IN_MONTH))
    resolved, still_open = frame.filter(pl.col("y").is_not_null()), frame.filter(pl.col("y").is_null())
    y = resolved["y"].to_numpy()
    if min(still_open.height, int(y.sum()), len(y) - int(y.sum())) < MIN_LOANS:
        return None
    score = other_half_rates(resolved["cell"], y)
    area, base = auc(y, score), float(y.mean())
    expected = base * (area - 0.5)
    if area < MIN_AUC or expected < MIN_EXPECTED:
        return None
    rates = resolved.group_by("cell").agg(rate=(pl.col("y").sum() + base) / (pl.len() + 1))
    found = still_open.join(rates, on="cell", how="left", maintain_order="left")["rate"].fill_null(base).to_numpy()
    repaid = score[y == 0]
    sides = np.r_[np.ones(len(found)), np.zeros(len(repaid))]
    distance = auc(sides, np.r_[found, repaid]) - 0.5
    error = ((1 / len(found) + 1 / len(repaid)) / 12) ** 0.5
    if expected - distance < STANDARD_ERRORS * error or distance > MAX_DISTANCE:
        return None
    return LeakSign(
        "after_default",
        f"it tells defaulted from repaid loans with an AUC of {area:.2f}, and the {len(found):,} loans without an "
        "outcome look like repaid ones: it was probably written after the default",
    )
