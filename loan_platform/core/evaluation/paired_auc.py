"""The difference of two AUCs on the same loans, without resampling.

E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson, "Comparing the areas under two or more correlated receiver
operating characteristic curves", Biometrics 44, 1988.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loan_platform.core.evaluation.bootstrap import Interval, Z, delong_variance, placements

Floats = NDArray[np.float64]


def paired_auc_interval(target: ArrayLike, score_a: ArrayLike, score_b: ArrayLike) -> Interval:
    """AUC of `score_a` minus AUC of `score_b` on the same loans, with DeLong's 95 % interval.

    Args:
        target: 1 default, 0 repaid, shape [n].
        score_a: higher means riskier, shape [n].
        score_b: the same for the other model.

    Raises:
        ValueError: empty, of different lengths, or a class with fewer than two loans.
    """
    (y, a), (_, b) = _arrays(target, score_a), _arrays(target, score_b)
    (bad_a, good_a), (bad_b, good_b) = placements(y == 1, a), placements(y == 1, b)
    gain = float(bad_a.mean() - bad_b.mean())
    half = Z * math.sqrt(delong_variance(bad_a - bad_b, good_a - good_b))
    return Interval(gain, gain - half, gain + half)


def auc_standard_error(target: ArrayLike, score: ArrayLike) -> float:
    """DeLong's standard error of the AUC.

    Raises:
        ValueError: as `paired_auc_interval`.
    """
    y, s = _arrays(target, score)
    return math.sqrt(delong_variance(*placements(y == 1, s)))


def _arrays(target: ArrayLike, score: ArrayLike) -> tuple[Floats, Floats]:
    y, s = np.asarray(target, np.float64), np.asarray(score, np.float64)
    if y.shape != s.shape or y.ndim != 1:
        raise ValueError(f"{y.shape} outcomes and {s.shape} scores: both must be one array of the same length")
    defaults = int(y.sum())
    if min(defaults, len(y) - defaults) < 2:
        raise ValueError(f"{defaults} of {len(y)} loans defaulted: an interval needs two loans of each class")
    return y, s
