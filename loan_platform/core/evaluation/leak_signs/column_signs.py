"""Signs that a column was filled or rewritten after the outcome, in the column alone.

Each sign is a pattern of leaks. Its limits are far outside what honest columns show; `docs/gates.md` has the figures.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from loan_platform.core.evaluation.bootstrap import Interval
from loan_platform.core.evaluation.intervals import auc_interval
from loan_platform.core.evaluation.leak_signs.cells import (
    ABSENT,
    BETWEEN,
    Cells,
    Floats,
)
from loan_platform.core.evaluation.level_rates import other_half_rates
from loan_platform.core.evaluation.row_sample import sampled_rows

SignKind = Literal["value", "absence", "pure_value", "rewritten", "after_default", "file_order", "made_from"]

MAX_ROWS = 200_000
MAX_SHOWN = 5
FILLED = "filled"
MAX_ABSENCE_AUC = 0.65
MIN_PURE_RATE = 0.85  # lower end of the default rate of a value that only defaulted loans have
MIN_PURE_DEFAULTS = 0.02  # of all defaults
MAX_BASE_RATE = 0.5
Z99 = 2.5758293035489004
MIN_UNUSUAL = 20  # loans
MIN_USUAL = 3  # usual values that make a grid
MIN_ON_GRID = 0.5  # of the repaid loans
MIN_BELOW, MIN_BETWEEN = 0.8, 0.3  # of the unusual values, below the largest usual one and between two of them
MIN_RATE_RATIO = 3.0  # of default rates off the grid and on it
MIN_GRID_AUC = 0.65


@dataclass(frozen=True)
class LeakSign:
    """A pattern of a leak in one column, and the evidence as part of a sentence."""

    kind: SignKind
    evidence: str


def column_signs(values: pl.Series, target: ArrayLike, max_auc: float) -> tuple[LeakSign, ...]:
    """The signs of one column, the plainest first.

    Args:
        values: numbers, dates, booleans or texts, shape [n].
        target: 1 default, 0 repaid, shape [n].
        max_auc: highest accepted AUC of the column alone.

    Raises:
        ValueError: fewer than two loans of a class.
    """
    y = np.asarray(target, np.float64)
    rows = sampled_rows(len(values), MAX_ROWS)
    values, y = values[rows], y[rows]
    cells = Cells(values)
    found = (_rewritten(cells, y), _absence(values, y), _pure(cells, y), _value(cells, y, max_auc))
    return tuple(sign for sign in found if sign is not None)


def cells_auc(cells: Cells, y: Floats) -> Interval:
    """AUC of the default rates of the column's cells, taken from the other half of the loans."""
    return auc_interval(y, other_half_rates(cells.fine, y))


def _value(cells: Cells, y: Floats, max_auc: float) -> LeakSign | None:
    area = cells_auc(cells, y)
    if area.low <= max_auc:
        return None
    told = f"its values tell the outcome with an AUC of {area.estimate:.2f} (at least {area.low:.2f})"
    return LeakSign("value", told)


def _absence(values: pl.Series, y: Floats) -> LeakSign | None:
    gone = values.is_null().to_numpy()
    if min(gone.sum(), (~gone).sum()) < MIN_UNUSUAL:
        return None
    area = max((auc_interval(y, side) for side in (gone * 1.0, -1.0 * gone)), key=lambda found: found.estimate)
    if area.low <= MAX_ABSENCE_AUC:
        return None
    return LeakSign(
        "absence",
        f"whether it is filled tells the outcome with an AUC of {area.estimate:.2f}: {y[gone].mean():.0%} of the loans "
        f"without it default, {y[~gone].mean():.0%} of those with it",
    )


def _pure(cells: Cells, y: Floats) -> LeakSign | None:
    """A value, or being filled at all, that nearly only defaulted loans have."""
    if y.mean() > MAX_BASE_RATE:
        return None
    loans = pl.DataFrame({"cell": cells.plain, "y": y})
    filled = loans.filter(pl.col("cell") != ABSENT).with_columns(cell=pl.lit(FILLED))
    both = pl.concat([loans, filled]) if filled.height < loans.height else loans
    found = both.group_by("cell").agg(rows=pl.len(), bad=pl.col("y").sum())
    for cell, rows, bad in found.sort("bad", "cell", descending=[True, False]).iter_rows():
        enough = rows >= MIN_UNUSUAL and bad >= MIN_PURE_DEFAULTS * y.sum()
        if enough and wilson_low(bad, rows) >= MIN_PURE_RATE:
            told = f"{bad:,.0f} of {rows:,} loans {_where(cell, cells)} default, and {y.mean():.0%} of all loans"
            return LeakSign("pure_value", told)
    return None


def _where(cell: str, cells: Cells) -> str:
    usual = [value.removesuffix(".0") for value in sorted(cells.usual)]
    others = f"with another value than {', '.join(usual[:MAX_SHOWN])}{', ...' if len(usual) > MAX_SHOWN else ''}"
    told = {ABSENT: "without a value", BETWEEN: others, FILLED: "with a value"}
    return told.get(cell, f"with the value {cell!r}")


def _rewritten(found: Cells, y: Floats) -> LeakSign | None:
    """Values between the usual ones that defaulted loans have: the months that were paid instead of the term."""
    if found.values.dtype == pl.String:
        return None
    usual = found.usual
    if len(usual) < MIN_USUAL:
        return None
    numbers, cells = found.numbers, found.plain
    on = cells.is_in(list(usual)).to_numpy()
    off = (cells == BETWEEN).to_numpy()
    grid = numbers[on]
    if off.sum() < MIN_UNUSUAL or on[y == 0].mean() < MIN_ON_GRID:
        return None
    below, between = numbers[off] < grid.max(), (numbers[off] < grid.max()) & (numbers[off] > grid.min())
    if below.mean() < MIN_BELOW or between.mean() < MIN_BETWEEN:
        return None
    unusual, common = y[off], y[on]
    area = auc_interval(y, off * 1.0)
    low = wilson_low(float(unusual.sum()), len(unusual))
    if low < MIN_RATE_RATIO * common.mean() or area.estimate < MIN_GRID_AUC:
        return None
    return LeakSign(
        "rewritten",
        f"it has {len(usual)} usual values; {unusual.mean():.0%} of the {len(unusual):,} loans with another value "
        f"default, {common.mean():.0%} of those with a usual one: it was probably rewritten after the default",
    )


def wilson_low(bad: float, rows: int) -> float:
    """Lower end of the 99 % interval of a rate."""
    rate, z = bad / rows, Z99
    middle = rate + z * z / (2 * rows)
    half = z * (rate * (1 - rate) / rows + z * z / (4 * rows * rows)) ** 0.5
    return (middle - half) / (1 + z * z / rows)
