"""Bootstrap intervals of metrics, seeded and fast on a million loans.

The Poisson bootstrap counts each loan Poisson(1) times. A sum of c such counts is Poisson(c), so a group of c loans
needs one draw instead of c. Loans are grouped into at most 4,096 cells of adjacent scores. The point estimate is that
of all loans.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loan_platform.core.evaluation import metrics as evaluation

Floats = NDArray[np.float64]

CELLS = 4_096
RESAMPLES = 200
EXACT_ROWS = 50_000
Z = 1.959963984540054  # 97.5 % quantile of the normal distribution


@dataclass(frozen=True)
class Interval:
    """An estimate and its 95 % interval."""

    estimate: float
    low: float
    high: float


def intervals(target: ArrayLike, probability: ArrayLike, seed: int, resamples: int = RESAMPLES) -> dict[str, Interval]:
    """95 % bootstrap intervals of auc, gini, ks, brier, log_loss and ece.

    Raises:
        ValueError: empty, of different lengths, or only one class.
    """
    y, p = np.asarray(target, np.float64), np.asarray(probability, np.float64)
    point = evaluation.evaluate(y, p)
    cells = _cells(y, p)
    whole = _metrics(cells, cells.rows)
    draws = np.random.default_rng(seed).poisson(cells.rows, (resamples, *cells.rows.shape))
    drawn = [_metrics(cells, counts.astype(np.float64)) for counts in draws]
    return {name: _interval(getattr(point, name), np.array([d[name] for d in drawn]) - whole[name]) for name in whole}


def auc_difference(
    target: ArrayLike, challenger: ArrayLike, champion: ArrayLike, seed: int, resamples: int = RESAMPLES
) -> Interval:
    """AUC of the challenger minus the champion's on the same loans, with a paired 95 % interval.

    Up to 50,000 loans the interval is a paired Poisson bootstrap. Above, the distribution is practically normal, and
    the interval is that of DeLong, DeLong and Clarke-Pearson (1988), which costs two sorts.

    Raises:
        ValueError: empty, of different lengths, or only one class.
    """
    return mean_auc_difference([(target, challenger, champion)], seed, resamples)


def mean_auc_difference(
    folds: Sequence[tuple[ArrayLike, ArrayLike, ArrayLike]], seed: int, resamples: int = RESAMPLES
) -> Interval:
    """Mean of `auc_difference` over folds (target, challenger, champion) that share no loan.

    Raises:
        ValueError: as `auc_difference`, in any fold.
    """
    sets = [tuple(np.asarray(values, np.float64) for values in fold) for fold in folds]
    estimates = [evaluation.auc(y, a) - evaluation.auc(y, b) for y, a, b in sets]
    estimate = float(np.mean(estimates))
    if sum(len(y) for y, _, _ in sets) > EXACT_ROWS:
        half = Z * float(np.sqrt(sum(_delong_variance(y, a, b) for y, a, b in sets))) / len(sets)
        return Interval(estimate, estimate - half, estimate + half)
    rng = np.random.default_rng(seed)
    drawn = np.zeros(resamples)
    for y, a, b in sets:
        weights = rng.poisson(1.0, (resamples, len(y))).astype(np.float64)
        drawn += (_weighted_auc(y, a, weights) - _weighted_auc(y, b, weights)) / len(sets)
    return _interval(estimate, drawn[np.isfinite(drawn)] - estimate)


def _interval(estimate: float, deviations: Floats) -> Interval:
    low, high = np.quantile(deviations, [0.025, 0.975])
    return Interval(estimate, estimate + float(low), estimate + float(high))


@dataclass(frozen=True)
class _Cells:
    """Loans of adjacent scores: for each cell and class the count and the mean of each error, shape [cells, 2]."""

    rows: Floats
    probability: Floats
    brier: Floats
    log_loss: Floats
    decile: NDArray[np.int64]


def _cells(y: Floats, p: Floats) -> _Cells:
    order = np.argsort(p, kind="stable")
    y, p = y[order], p[order]
    rank = np.searchsorted(p, p, side="left")  # equal scores share a cell
    cell = np.unique(rank * CELLS // len(p) if len(p) > CELLS else rank, return_inverse=True)[1]
    index = cell * 2 + y.astype(np.int64)
    clipped = np.clip(p, 1e-15, 1 - 1e-15)
    size = 2 * (int(cell[-1]) + 1)
    rows = np.bincount(index, minlength=size).astype(np.float64)

    def mean(values: Floats) -> Floats:
        return (np.bincount(index, values, minlength=size) / np.maximum(rows, 1)).reshape(-1, 2)

    return _Cells(
        rows=rows.reshape(-1, 2),
        probability=mean(p),
        brier=mean((p - y) ** 2),
        log_loss=mean(-np.where(y == 1, np.log(clipped), np.log1p(-clipped))),
        decile=np.minimum(np.searchsorted(cell, np.arange(size // 2)) * 10 // len(p), 9),
    )


def _metrics(cells: _Cells, counts: Floats) -> dict[str, float]:
    good, bad = counts[:, 0], counts[:, 1]
    goods, bads = good.sum(), bad.sum()
    below = np.cumsum(good)
    area = float(np.sum(bad * (below - good / 2)) / (goods * bads))
    gap = np.bincount(cells.decile, (counts * cells.probability).sum(axis=1) - bad)
    return {
        "auc": area,
        "gini": 2 * area - 1,
        "ks": float(np.abs(below / goods - np.cumsum(bad) / bads).max()),
        "brier": float((counts * cells.brier).sum() / (goods + bads)),
        "log_loss": float((counts * cells.log_loss).sum() / (goods + bads)),
        "ece": float(np.abs(gap).sum() / (goods + bads)),
    }


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


def _delong_variance(y: Floats, a: Floats, b: Floats) -> float:
    """Variance of the difference of two AUCs on the same loans."""
    bad = y == 1
    placements = [_placements(bad, scores) for scores in (a, b)]
    on_bad = placements[0][0] - placements[1][0]
    on_good = placements[0][1] - placements[1][1]
    return float(on_bad.var(ddof=1) / len(on_bad) + on_good.var(ddof=1) / len(on_good))


def _placements(bad: NDArray[np.bool_], scores: Floats) -> tuple[Floats, Floats]:
    """For each defaulted loan the share of repaid ones below it; for each repaid one the share of defaulted above."""
    bads, goods = np.sort(scores[bad]), np.sort(scores[~bad])

    def share(of: Floats, among: Floats) -> Floats:
        return (np.searchsorted(among, of, "left") + np.searchsorted(among, of, "right")) / (2 * len(among))

    return share(scores[bad], goods), 1 - share(scores[~bad], bads)
