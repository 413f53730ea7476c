"""95 % intervals of metrics. They need no resampling, hold for a few defaults, and contain their estimate.

`target` is 1 for default and 0 for repaid, `probability` is the predicted probability of default, both of shape [n].
The simulated coverage is in `docs/gates.md`.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (scipy is untyped)

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loan_platform.core.evaluation import metrics
from loan_platform.core.evaluation.bootstrap import Interval, Z, delong_variance, placements

Floats = NDArray[np.float64]

SMIRNOV = 1.3581015157406195  # sqrt(ln(40) / 2): 97.5 % quantile of the one-sided distance of two samples, scaled
HALF_NORMAL = (2 / np.pi) ** 0.5  # mean distance from 0 of a standard normal variable
NEARLY = 1e-12  # how close to 0 and 1 an end of an AUC is searched


@dataclass(frozen=True)
class Counts:
    """Defaulted and repaid loans."""

    defaults: int
    repaid: int


def intervals(target: ArrayLike, probability: ArrayLike) -> dict[str, Interval]:
    """Intervals of auc, gini, ks, brier, log_loss and ece.

    Raises:
        ValueError: empty, of different lengths, or only one class.
    """
    y, p = np.asarray(target, np.float64), np.asarray(probability, np.float64)
    area, clipped = auc_interval(y, p), np.clip(p, 1e-15, 1 - 1e-15)
    return {
        "auc": area,
        "gini": gini_of(area),
        "ks": ks_interval(y, p),
        "brier": _mean_interval((p - y) ** 2),
        "log_loss": _mean_interval(-np.where(y == 1, np.log(clipped), np.log1p(-clipped))),
        "ece": ece_interval(y, p),
    }


def auc_interval(target: ArrayLike, score: ArrayLike) -> Interval:
    """Interval of the AUC: at each end the wider of `auc_interval_of_counts` and of DeLong's on the logit scale.

    The first holds for a few defaults, the second for every shape of the two distributions of scores. E. DeLong,
    D. DeLong and D. Clarke-Pearson, "Comparing the areas under two or more correlated receiver operating characteristic
    curves", Biometrics 44, 1988; logit scale: M. Pepe, "The Statistical Evaluation of Medical Tests", 2003.

    Raises:
        ValueError: empty, of different lengths, or only one class.
    """
    y, s = np.asarray(target, np.float64), np.asarray(score, np.float64)
    area = metrics.auc(y, s)
    on_bad, on_good = placements(y == 1, s)
    found = auc_interval_of_counts(area, Counts(len(on_bad), len(on_good)))
    if not 0 < area < 1 or min(len(on_bad), len(on_good)) < 2:
        return found
    error = delong_variance(on_bad, on_good) ** 0.5
    logit, half = np.log(area / (1 - area)), Z * error / (area * (1 - area))
    low, high = (float(1 / (1 + np.exp(-end))) for end in (logit - half, logit + half))
    return Interval(area, min(found.low, low), max(found.high, high))


def auc_interval_of_counts(area: float, counts: Counts) -> Interval:
    """Interval of an AUC from the counts of loans alone: the areas that lie within 1.96 of their own standard errors.

    Method 5 of R. G. Newcombe, "Confidence intervals for an effect size measure based on the Mann-Whitney statistic.
    Part 2", Statistics in Medicine 25, 2006. It is defined for one default, and for an AUC of 0 or 1.
    """
    from scipy.optimize import brentq

    def outside(end: float, side: float) -> float:
        return side * (end - area) - Z * _newcombe_variance(end, counts) ** 0.5

    inner = min(max(area, NEARLY), 1 - NEARLY)
    # An area so near to an end that the end itself is inside has no other one.
    low: Any = brentq(outside, NEARLY, inner, args=(-1.0,)) if outside(NEARLY, -1.0) > 0 else 0.0
    high: Any = brentq(outside, inner, 1 - NEARLY, args=(1.0,)) if outside(1 - NEARLY, 1.0) > 0 else 1.0
    return Interval(area, float(low), float(high))


def gini_of(area: Interval) -> Interval:
    """The interval of the Gini, 2 AUC - 1."""
    return Interval(*(2 * value - 1 for value in (area.estimate, area.low, area.high)))


def ks_interval(target: ArrayLike, score: ArrayLike) -> Interval:
    """Interval of the KS distance.

    The KS of a sample lies above the true one on average, because it is a maximum. It exceeds the true one by no more
    than the distance of two samples of one distribution (N. Smirnov, 1939), which gives the low end. It is at least the
    sample's distance at the true cut-off, whose standard error is at most half of sqrt(1 / defaults + 1 / repaid),
    which gives the high end. A bootstrap repeats the maximum and covers too little: 0.64 to 0.89 of 0.95.

    Raises:
        ValueError: empty, of different lengths, or only one class.
    """
    y = np.asarray(target, np.float64)
    estimate, defaults = metrics.ks(y, score), float(y.sum())
    scale = (1 / defaults + 1 / (len(y) - defaults)) ** 0.5
    return Interval(estimate, max(estimate - SMIRNOV * scale, 0.0), min(estimate + Z * scale / 2, 1.0))


def ece_interval(target: ArrayLike, probability: ArrayLike) -> Interval:
    """Interval of the expected calibration error.

    The ECE of a sample lies above the true one, because it adds up the noise of each bin: a calibrated model has an ECE
    of 0 and never shows it. The sample's ECE exceeds the true one by no more than the noise alone gives, the mean of
    independent half-normal variables, which gives the low end. The high end takes the standard error of the sum of the
    bins, which is that of the ECE where every bin is off.

    Raises:
        ValueError: empty, of different lengths, or only one class.
    """
    y = np.asarray(target, np.float64)
    estimate, bins = metrics.ece(y, probability), metrics.calibration_points(y, probability)
    rows, predicted = bins["rows"].to_numpy(), bins["predicted"].to_numpy()
    observed = (bins["observed"].to_numpy() * rows + 0.5) / (rows + 1)  # a bin without defaults has noise too
    variance = np.maximum(observed * (1 - observed), predicted * (1 - predicted)) / rows
    errors = rows / rows.sum() * np.sqrt(variance)
    spread = float(np.sqrt((errors**2).sum()))
    noise = HALF_NORMAL * float(errors.sum()) + Z * (1 - HALF_NORMAL**2) ** 0.5 * spread
    return Interval(estimate, max(estimate - noise, 0.0), estimate + Z * spread)


def difference(first: Interval, second: Interval, share: float = 1.0) -> Interval:
    """`first - share * second` of two independent samples, with its interval.

    Each end takes the distances of the estimates from their own ends (MOVER): G. Zou and A. Donner, "Construction of
    confidence limits about effect measures", Statistics in Medicine 27, 2008.
    """
    estimate = first.estimate - share * second.estimate
    below = np.hypot(first.estimate - first.low, share * (second.high - second.estimate))
    above = np.hypot(first.high - first.estimate, share * (second.estimate - second.low))
    return Interval(estimate, estimate - float(below), estimate + float(above))


def _mean_interval(values: Floats) -> Interval:
    mean = float(values.mean())
    half = Z * float(values.std(ddof=1)) / len(values) ** 0.5
    return Interval(mean, max(mean - half, 0.0), mean + half)


def _newcombe_variance(area: float, counts: Counts) -> float:
    more = (counts.defaults + counts.repaid) / 2 - 1
    spread = 1 + more * (1 - area) / (2 - area) + more * area / (1 + area)
    return area * (1 - area) * spread / (counts.defaults * counts.repaid)
