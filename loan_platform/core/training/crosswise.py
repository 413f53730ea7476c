"""Which loans of the training window get margins from a model that has not seen them."""

from math import ceil

import numpy as np
from numpy.typing import NDArray

from loan_platform.core.models.base import Floats
from loan_platform.core.training.splits import MIN_OF_A_CLASS, LoanSplit, Rows

DATED_SHARE = 0.75  # of the training loans, the newest: several seasons of defaults, and older loans to fit on
UNDATED_SHARE = 0.5

Months = NDArray[np.int64]  # since 1970-01


def crosswise_loans(split: LoanSplit, target: Floats, months: Months | None) -> Rows:
    """Positions in the training window, rising: the calibration window and the loans that are added to it.

    With dates these are the newest whole months that hold at most 75 % of the training loans. Without, every k-th loan
    is added, so that half of the loans take part. Only the calibration window is taken if the loans outside would have
    fewer than two of an outcome.

    Args:
        split: sizes of the parts.
        target: outcomes of the training loans.
        months: of the training loans, or None without dates.
    """
    start, end = len(split.fit), len(split.training)
    window = np.arange(start, end)
    if months is None:
        wanted = min(max(int(end * UNDATED_SHARE) - len(window), 0), start)
        added = np.arange(wanted) * start // max(wanted, 1)
    else:
        oldest = ceil(end * (1 - DATED_SHARE))
        oldest_month: np.int64 = months[oldest - 1]
        first = int(np.searchsorted(months, oldest_month, "right"))  # the months of the oldest loans stay whole
        added = np.arange(min(first, start), start)
    outside = np.ones(end, bool)
    outside[added], outside[window] = False, False
    defaults, loans = float(target[outside].sum()), int(outside.sum())
    return np.concatenate((added, window)) if min(defaults, loans - defaults) >= MIN_OF_A_CLASS else window
