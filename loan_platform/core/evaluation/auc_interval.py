"""Intervals of an AUC, and of the difference of two AUCs on the same loans, without resampling.

E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson, "Comparing the areas under two or more correlated receiver
operating characteristic curves", Biometrics 44, 1988.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loan_platform.core.evaluation.bootstrap import Interval

Floats = NDArray[np.float64]

Z = 1.959963984540054  # 97.5 % quantile of the normal distribution
TAIL = 0.025


def auc_interval(target: ArrayLike, score: ArrayLike) -> Interval:
    """The AUC with its 95 % interval: DeLong's variance on the logit scale, so that the ends stay between 0 and 1.

    Where every defaulted loan is above every repaid one, or below, the variance is 0 and says nothing. The open end is
    then the exact binomial one for as many successes in a row as the rarer class has loans.

    Args:
        target: 1 default, 0 repaid, shape [n].
        score: higher means riskier, shape [n].

    Raises:
        ValueError: empty, of different lengths, or a class with fewer than two loans.
    """
    y, s = _arrays(target, score)
    on_bad, on_good = _placements(y == 1, s)
    area = float(on_bad.mean())
    if area in (0.0, 1.0):
        open_end = TAIL ** (1 / min(len(on_bad), len(on_good)))
        return Interval(area, open_end, 1.0) if area == 1.0 else Interval(area, 0.0, 1 - open_end)
    half = Z * _error(on_bad, on_good) / (area * (1 - area))
    odds = area / (1 - area)
    return Interval(area, *(end / (1 + end) for end in (odds * math.exp(-half), odds * math.exp(half))))


def paired_auc_interval(target: ArrayLike, score_a: ArrayLike, score_b: ArrayLike) -> Interval:
    """AUC of `score_a` minus AUC of `score_b` on the same loans, with DeLong's 95 % interval.

    Raises:
        ValueError: as `auc_interval`.
    """
    (y, a), (_, b) = _arrays(target, score_a), _arrays(target, score_b)
    (bad_a, good_a), (bad_b, good_b) = _placements(y == 1, a), _placements(y == 1, b)
    gain = float(bad_a.mean() - bad_b.mean())
    half = Z * _error(bad_a - bad_b, good_a - good_b)
    return Interval(gain, gain - half, gain + half)


def auc_standard_error(target: ArrayLike, score: ArrayLike) -> float:
    """DeLong's standard error of the AUC.

    Raises:
        ValueError: as `auc_interval`.
    """
    y, s = _arrays(target, score)
    return _error(*_placements(y == 1, s))


def _error(on_bad: Floats, on_good: Floats) -> float:
    return math.sqrt(on_bad.var(ddof=1) / len(on_bad) + on_good.var(ddof=1) / len(on_good))


def _placements(bad: NDArray[np.bool_], score: Floats) -> tuple[Floats, Floats]:
    """For each defaulted loan the share of repaid ones below it; for each repaid one the share of defaulted above."""
    bads, goods = np.sort(score[bad]), np.sort(score[~bad])

    def share_below(of: Floats, among: Floats) -> Floats:
        ties = np.searchsorted(among, of, "left") + np.searchsorted(among, of, "right")
        return ties / (2 * len(among))

    return share_below(score[bad], goods), 1 - share_below(score[~bad], bads)


def _arrays(target: ArrayLike, score: ArrayLike) -> tuple[Floats, Floats]:
    y, s = np.asarray(target, np.float64), np.asarray(score, np.float64)
    if y.shape != s.shape or y.ndim != 1:
        raise ValueError(f"{y.shape} outcomes and {s.shape} scores: both must be one array of the same length")
    defaults = int(y.sum())
    if min(defaults, len(y) - defaults) < 2:
        raise ValueError(f"{defaults} of {len(y)} loans defaulted: an interval needs two loans of each class")
    return y, s
