"""Interval of the gain in AUC between two models on the same loans, by a seeded bootstrap or a formula.

The intervals of single metrics are in `intervals.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loan_platform.core.evaluation import metrics as evaluation

Floats = NDArray[np.float64]

RESAMPLES = 200
EXACT_ROWS = 50_000
Z = 1.959963984540054  # 97.5 % quantile of the normal distribution


@dataclass(frozen=True)
class Interval:
    """An estimate and its 95 % interval."""

    estimate: float
    low: float
    high: float


def mean_auc_difference(
    folds: Sequence[tuple[ArrayLike, ArrayLike, ArrayLike]], seed: int, resamples: int = RESAMPLES
) -> Interval:
    """AUC of the challenger minus the champion's on the same loans, with a paired 95 % interval: the mean over folds.

    Up to 50,000 loans the interval is a paired Poisson bootstrap. Above, the distribution is practically normal, and
    the interval is that of DeLong, DeLong and Clarke-Pearson (1988), which costs two sorts.

    Args:
        folds: target, challenger and champion of each fold. No loan is in two.
        seed: of the bootstrap.
        resamples: of the bootstrap.

    Raises:
        ValueError: a fold is empty, has arrays of different lengths, or only one class.
    """
    sets = [tuple(np.asarray(values, np.float64) for values in fold) for fold in folds]
    estimates = [evaluation.auc(y, a) - evaluation.auc(y, b) for y, a, b in sets]
    estimate = float(np.mean(estimates))
    if sum(len(y) for y, _, _ in sets) > EXACT_ROWS:
        half = Z * float(np.sqrt(sum(_variance(y, a, b) for y, a, b in sets))) / len(sets)
        return Interval(estimate, estimate - half, estimate + half)
    rng = np.random.default_rng(seed)
    drawn = np.zeros(resamples)
    for y, a, b in sets:
        weights = rng.poisson(1.0, (resamples, len(y))).astype(np.float64)
        drawn += (_weighted_auc(y, a, weights) - _weighted_auc(y, b, weights)) / len(sets)
    return _interval(estimate, drawn[np.isfinite(drawn)] - estimate)


def placements(bad: NDArray[np.bool_], scores: Floats) -> tuple[Floats, Floats]:
    """For each defaulted loan the share of repaid ones below it; for each repaid one the share of defaulted above."""
    bads, goods = np.sort(scores[bad]), np.sort(scores[~bad])

    def share(of: Floats, among: Floats) -> Floats:
        return (np.searchsorted(among, of, "left") + np.searchsorted(among, of, "right")) / (2 * len(among))

    return share(scores[bad], goods), 1 - share(scores[~bad], bads)


def delong_variance(on_bad: Floats, on_good: Floats) -> float:
    """Variance of an AUC from its `placements`, or of the difference of two from the differences of theirs."""
    return float(on_bad.var(ddof=1) / len(on_bad) + on_good.var(ddof=1) / len(on_good))


def _interval(estimate: float, deviations: Floats) -> Interval:
    low, high = np.quantile(deviations, [0.025, 0.975])
    return Interval(estimate, estimate + float(low), estimate + float(high))


def _weighted_auc(y: Floats, score: Floats, weights: Floats) -> Floats:
    """AUC of each resample, shape [resamples], for `weights` [resamples, n]. The loop keeps one resample in memory."""
    order = np.argsort(score, kind="stable")
    ordered = score[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    bad_at = y[order]
    areas = np.empty(len(weights))
    for i, drawn in enumerate(weights):
        w = drawn[order]
        bad = np.add.reduceat(w * bad_at, starts)
        good = np.add.reduceat(w, starts) - bad
        pairs = good.sum() * bad.sum()
        areas[i] = np.sum(bad * (np.cumsum(good) - good / 2)) / pairs if pairs else np.nan
    return areas


def _variance(y: Floats, a: Floats, b: Floats) -> float:
    """Variance of the difference of two AUCs on the same loans."""
    bad = y == 1
    (bad_a, good_a), (bad_b, good_b) = placements(bad, a), placements(bad, b)
    return delong_variance(bad_a - bad_b, good_a - good_b)
