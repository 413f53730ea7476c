"""What a test set of this size can say about the calibration of its probabilities."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loan_platform.core.evaluation.bootstrap import Interval
from loan_platform.core.evaluation.metrics import bin_starts, ece
from loan_platform.core.models.portable import sigmoid

Floats = NDArray[np.float64]

LEVEL = 0.99  # of the ECE that chance gives, and of the slope's interval
Z = 2.5758293035489004  # 99.5 % quantile of the normal distribution
TAIL = 0.025  # of the default rate's interval
DRAWS = 500
EXACT_ROWS = 50_000
NORMAL_FROM = 100  # expected defaults, and repaid loans, of a bin
SEED = 7
STEPS = 50
LARGEST_SLOPE = 100.0


@dataclass(frozen=True)
class CalibrationEvidence:
    """Probabilities against outcomes.

    Attributes:
        rate_ratio: observed default rate over mean probability, with the exact 95 % binomial interval (Clopper and
            Pearson 1934). 2 means that twice as many loans defaulted as predicted.
        slope: of the log-odds in a logistic regression of the outcome on them, with its 99 % interval (Cox 1958). Below
            1 the probabilities are too far apart. NaN where it is not defined: one probability, or separated classes.
        intercept: log-odds to add to all probabilities so that their mean is right.
        ece: expected calibration error.
        chance: mean ECE if every probability were right, at this test set; `chance_high`: its 99 % quantile.
    """

    rows: int
    defaults: int
    mean_probability: float
    rate_ratio: Interval
    slope: Interval
    intercept: float
    ece: float
    chance: float
    chance_high: float

    @property
    def observed_rate(self) -> float:
        """Share of the loans that defaulted."""
        return self.defaults / self.rows


def calibration_evidence(target: ArrayLike, probability: ArrayLike) -> CalibrationEvidence:
    """The evidence of one test set.

    Args:
        target: 1 default, 0 repaid, shape [n].
        probability: of default, shape [n].

    Raises:
        ValueError: empty, of different lengths, or only one class.
    """
    y, p = np.asarray(target, np.float64), np.asarray(probability, np.float64)
    error = ece(y, p)  # checks the arrays
    chance, high = _ece_by_chance(p)
    margin = _log_odds(p)
    return CalibrationEvidence(
        rows=len(y),
        defaults=int(y.sum()),
        mean_probability=float(p.mean()),
        rate_ratio=rate_ratio(int(y.sum()), len(y), float(p.mean())),
        slope=_slope(y, margin),
        intercept=_intercept(y, margin),
        ece=error,
        chance=chance,
        chance_high=high,
    )


def rate_ratio(defaults: int, rows: int, predicted: float) -> Interval:
    """Default rate over mean probability, with its exact 95 % interval."""
    from scipy.special import betaincinv  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

    low = float(betaincinv(defaults, rows - defaults + 1, TAIL)) if defaults else 0.0
    high = float(betaincinv(defaults + 1, rows - defaults, 1 - TAIL)) if defaults < rows else 1.0
    scale = 1 / max(predicted, float(np.finfo(float).tiny))
    return Interval(defaults / rows * scale, low * scale, high * scale)


def _ece_by_chance(p: Floats) -> tuple[float, float]:
    """Mean and quantile of the ECE of outcomes drawn from the probabilities; bins as in `metrics.ece`."""
    ordered, rng = np.sort(p), np.random.default_rng(SEED)
    starts = bin_starts(ordered)
    expected = np.add.reduceat(ordered, starts)
    if len(p) > EXACT_ROWS:
        gaps = _drawn_gaps(rng, np.diff(np.append(starts, len(p))), expected, np.add.reduceat(ordered**2, starts))
    else:
        drawn = [np.add.reduceat((rng.random(len(p)) < ordered).astype(np.float64), starts) for _ in range(DRAWS)]
        gaps = np.stack(drawn) - expected
    errors = np.abs(gaps).sum(axis=1) / len(p)
    return float(errors.mean()), float(np.quantile(errors, LEVEL))


def _drawn_gaps(rng: np.random.Generator, loans: NDArray[np.int64], expected: Floats, squares: Floats) -> Floats:
    """Defaults of each bin less the expected ones. Many are practically normal; few are binomial, and skewed."""
    normal = rng.normal(0.0, np.sqrt(expected - squares), (DRAWS, len(loans)))
    binomial = rng.binomial(loans, np.minimum(expected / loans, 1.0), (DRAWS, len(loans))) - expected
    return np.where(np.minimum(expected, loans - expected) < NORMAL_FROM, binomial, normal)


def _log_odds(p: Floats) -> Floats:
    edge = 0.05 / len(p)  # a probability of 0 or 1 has no log-odds
    clipped: Floats = np.clip(p, edge, 1 - edge)
    return np.log(clipped / (1 - clipped))


def _slope(y: Floats, margin: Floats) -> Interval:
    """Newton's method on intercept and slope, from a slope of 1."""
    unknown = Interval(np.nan, np.nan, np.nan)
    centred = margin - margin.mean()
    if not np.ptp(margin) > 0:
        return unknown
    base, slope = float(margin.mean()), 1.0
    for _ in range(STEPS):
        fitted: Floats = sigmoid(base + slope * centred)
        weight = fitted * (1 - fitted)
        ones, cross, square = (float((weight * x).sum()) for x in (1.0, centred, centred**2))
        determinant = ones * square - cross**2
        if not determinant > 0 or abs(slope) > LARGEST_SLOPE:
            return unknown
        up, across = float((y - fitted).sum()), float(((y - fitted) * centred).sum())
        by_base = (square * up - cross * across) / determinant
        by_slope = (ones * across - cross * up) / determinant
        base, slope = base + by_base, slope + by_slope
        if max(abs(by_base), abs(by_slope)) < 1e-10:
            half = Z * float(np.sqrt(ones / determinant))
            return Interval(slope, slope - half, slope + half)
    return unknown


def _intercept(y: Floats, margin: Floats) -> float:
    """Newton's method on the mean; the log-odds are an offset."""
    shift = 0.0
    for _ in range(STEPS):
        fitted: Floats = sigmoid(margin + shift)
        step = float(np.clip((y - fitted).sum() / max((fitted * (1 - fitted)).sum(), 1e-300), -1, 1))
        shift += step
        if abs(step) < 1e-10:
            break
    return shift
