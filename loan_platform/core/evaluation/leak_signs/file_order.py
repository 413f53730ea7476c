"""Whether the order of the file tells the outcome, and which columns carry that order."""

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from loan_platform.core.evaluation.bootstrap import Interval
from loan_platform.core.evaluation.intervals import auc_interval
from loan_platform.core.evaluation.leak_signs.column_signs import LeakSign

MIN_ORDER_AUC = 0.55  # of the place in the file; in an order of time it is a little above 0.5
MIN_DISTINCT = 0.95
MIN_CORRELATION = 0.98
MIN_STATED = 0.9


def order_auc(target: ArrayLike, position: ArrayLike) -> Interval:
    """AUC of the place of a loan in its file, in its better direction.

    Args:
        target: 1 default, 0 repaid, shape [n].
        position: rises with the line, shape [n].
    """
    y, place = np.asarray(target, np.float64), np.asarray(position, np.float64)
    return max((auc_interval(y, side) for side in (place, -place)), key=lambda area: area.estimate)


def order_sign(values: pl.Series, target: ArrayLike, position: ArrayLike) -> LeakSign | None:
    """The sign of a column that counts the loans in the order of the file, where that order tells the outcome.

    Args:
        values: of the column, shape [n].
        target: 1 default, 0 repaid, shape [n].
        position: rises with the line, shape [n].
    """
    if not _follows(values, np.asarray(position, np.float64)):
        return None
    area = order_auc(target, position)
    if area.low <= MIN_ORDER_AUC:
        return None
    told = f"it follows the order of the file, which tells the outcome with an AUC of {area.estimate:.2f}"
    return LeakSign("file_order", told)


def _follows(values: pl.Series, position: np.ndarray) -> bool:
    if not values.dtype.is_numeric() or values.is_not_null().mean() < MIN_STATED:  # pyright: ignore[reportOperatorIssue]
        return False
    stated = values.is_not_null()
    numbers = values.filter(stated)
    if numbers.n_unique() < MIN_DISTINCT * len(numbers) or len(numbers) < 3:
        return False
    places = pl.Series(position).filter(stated)
    ranks = np.corrcoef(numbers.rank().to_numpy(), places.rank().to_numpy())
    return abs(float(ranks[0, 1])) >= MIN_CORRELATION
