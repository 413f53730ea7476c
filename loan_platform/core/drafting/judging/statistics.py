"""Statistics of the typed values of a column, alone and with the outcome."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loan_platform.core.evaluation.level_rates import other_half_rates
from loan_platform.core.evaluation.metrics import auc
from loan_platform.core.evaluation.row_sample import sampled_rows

MIN_TREND_AUC = 0.51  # an AUC below it shows no direction
MIN_STANDARD_ERRORS = 4.0  # standard errors between the default rates with and without a value
MIN_MISSING = 0.01
MAX_ROWS = 50_000  # rows for the figures about the outcome


@dataclass(frozen=True)
class Statistics:
    """Typed values of one column.

    Attributes:
        missing: share of the rows without a value.
        distinct: different values.
        low, high, middle: smallest, largest and median number; None for other types.
        auc: of the column alone on loans with a known outcome, in its better direction; a category is ranked by the
            default rate of the other half of the loans.
        rises: risk rises with the number; None without a visible direction.
        missing_tells: loans without a value default more or less often, beyond chance.
    """

    missing: float
    distinct: int
    low: float | None
    high: float | None
    middle: float | None
    auc: float
    rises: bool | None
    missing_tells: bool


def statistics(values: pl.Series, target: pl.Series) -> Statistics:
    """Statistics of one column.

    Args:
        values: typed; dates count as days.
        target: 1 default, 0 repaid, null not known.
    """
    rows = sampled_rows(len(values), MAX_ROWS)
    sample, target = values[rows], target[rows]
    known = target.is_not_null()
    y = target.filter(known).to_numpy().astype(np.float64)
    numeric = values.dtype != pl.String
    numbers = _as_number(values) if numeric else None
    if numbers is None:
        area, rises = _category_auc(sample.filter(known), y), None
    else:
        area, rises = _number_auc(numbers[rows].filter(known), y)
    stated = (
        numbers.drop_nulls() if numbers is not None and not isinstance(values.dtype, pl.Boolean | pl.Date) else None
    )
    low, high, middle = _extent(stated)
    return Statistics(
        missing=values.null_count() / max(len(values), 1),
        distinct=values.drop_nulls().n_unique(),
        low=low,
        high=high,
        middle=middle,
        auc=area,
        rises=rises,
        missing_tells=_missing_tells(sample.filter(known).is_null(), y),
    )


def _extent(stated: pl.Series | None) -> tuple[float | None, float | None, float | None]:
    if stated is None or stated.is_empty():
        return None, None, None
    numbers = stated.to_numpy()
    return float(numbers.min()), float(numbers.max()), float(np.median(numbers))


def _as_number(values: pl.Series) -> pl.Series:
    return values.to_physical().cast(pl.Float64) if values.dtype == pl.Date else values.cast(pl.Float64)


def _number_auc(numbers: pl.Series, y: NDArray[np.float64]) -> tuple[float, bool | None]:
    ends = (-np.inf, np.inf) if numbers.null_count() else (0.0,)
    areas = [auc(y, numbers.fill_null(end)) for end in ends]
    stated = numbers.is_not_null().to_numpy()
    part = y[stated]
    if not 0 < part.sum() < len(part):
        return max(max(area, 1 - area) for area in areas), None
    own = auc(part, numbers.drop_nulls())
    rises = None if max(own, 1 - own) < MIN_TREND_AUC else own > 0.5
    return max(max(area, 1 - area) for area in areas), rises


def _category_auc(values: pl.Series, y: NDArray[np.float64]) -> float:
    """AUC of the default rate of each category, taken from the other half of the loans."""
    return max(0.5, auc(y, other_half_rates(values, y)))


def _missing_tells(missing: pl.Series, y: NDArray[np.float64]) -> bool:
    gone = missing.to_numpy()
    share = gone.mean() if len(gone) else 0.0
    if not MIN_MISSING <= share <= 1 - MIN_MISSING:
        return False
    base = y.mean()
    spread = np.sqrt(base * (1 - base) * (1 / gone.sum() + 1 / (~gone).sum()))
    return bool(spread > 0 and abs(y[gone].mean() - y[~gone].mean()) > MIN_STANDARD_ERRORS * spread)
