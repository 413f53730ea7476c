"""Whether the order of the file tells the outcome, and which columns carry that order."""

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from loan_platform.core.evaluation.bootstrap import Interval
from loan_platform.core.evaluation.intervals import auc_interval
from loan_platform.core.evaluation.leak_signs.cells import Floats
from loan_platform.core.evaluation.leak_signs.column_signs import LeakSign

MIN_ORDER_AUC = 0.55  # of the place in the file; in an order of time it is a little above 0.5
MIN_DISTINCT = 0.95
MIN_CORRELATION = 0.98
MIN_STATED = 0.9


def order_auc(target: ArrayLike, place: Floats) -> Interval:
    """AUC of the place of a loan among those it is compared with, in its better direction. Shapes [n]."""
    y = np.asarray(target, np.float64)
    return max((auc_interval(y, side) for side in (place, -place)), key=lambda area: area.estimate)


def order_sign(
    values: pl.Series, target: ArrayLike, position: ArrayLike, group: pl.Series | None = None
) -> LeakSign | None:
    """The sign of a column that counts the loans in the order of the file, where that order tells the outcome.

    Args:
        values: of the column, shape [n].
        target: 1 default, 0 repaid, shape [n].
        position: rises with the line, shape [n].
        group: the file and the month of each loan; only loans of one group are compared. So neither the order of the
            files nor a default rate that moves from month to month counts. None: all loans are compared.
    """
    place = pl.Series("place", np.asarray(position, np.float64))
    group = pl.repeat(0, len(place), eager=True) if group is None else group
    if not _follows(values, place, group):
        return None
    area = order_auc(target, _within(place, group))
    if area.low <= MIN_ORDER_AUC:
        return None
    told = f"it follows the order of the file, which tells the outcome with an AUC of {area.estimate:.2f}"
    return LeakSign("file_order", told)


def _within(values: pl.Series, group: pl.Series) -> Floats:
    """The rank of each value in its group, from 0 to 1."""
    frame = pl.DataFrame({"value": values, "group": group})
    return frame.select((pl.col("value").rank() - 0.5).over("group") / pl.len().over("group")).to_series().to_numpy()


def _follows(values: pl.Series, place: pl.Series, group: pl.Series) -> bool:
    if not values.dtype.is_numeric() or values.is_not_null().mean() < MIN_STATED:  # pyright: ignore[reportOperatorIssue]
        return False
    stated = values.is_not_null()
    numbers = values.filter(stated)
    if numbers.n_unique() < MIN_DISTINCT * len(numbers) or len(numbers) < 3:
        return False
    ranks, places = (_within(one, group.filter(stated)) for one in (numbers, place.filter(stated)))
    if not min(np.ptp(ranks), np.ptp(places)) > 0:
        return False
    return abs(float(np.corrcoef(ranks, places)[0, 1])) >= MIN_CORRELATION
