"""Curves of a model as small tables for plots."""

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from loan_platform.core.evaluation.metrics import score_steps

POINTS = 500


def roc_curve(target: ArrayLike, score: ArrayLike, points: int = POINTS) -> pl.DataFrame:
    """Receiver operating characteristic, from (0, 0) to (1, 1).

    Returns:
        Columns false_positive_rate, true_positive_rate; at most `points` + 1 rows.
    """
    good, bad = _counts_above(target, score, points)
    return pl.DataFrame({"false_positive_rate": good / good[-1], "true_positive_rate": bad / bad[-1]})


def pr_curve(target: ArrayLike, score: ArrayLike, points: int = POINTS) -> pl.DataFrame:
    """Precision (default rate among the riskiest) by recall (share of the defaults among them).

    Returns:
        Columns recall, precision; at most `points` rows.
    """
    good, bad = (counts[1:] for counts in _counts_above(target, score, points))
    return pl.DataFrame({"recall": bad / bad[-1], "precision": bad / (good + bad)})


def _counts_above(target: ArrayLike, score: ArrayLike, points: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Counts of repaid and of defaulted loans at or above each threshold, from none to all."""
    y, s = np.asarray(target, np.float64), np.asarray(score, np.float64)
    good, bad = (np.concatenate(([0.0], np.cumsum(counts[::-1]))) for counts in score_steps(y, s))
    keep = np.unique(np.linspace(0, len(good) - 1, min(points + 1, len(good))).astype(np.int64))
    return good[keep], bad[keep]
