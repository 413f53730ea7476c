"""Fits the maps of `calibration.py` on margins and outcomes of loans that the model has not seen."""

# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false
# (scikit-learn and scipy are untyped)

from typing import Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from loan_platform.core.models.calibration import Beta, Calibration, Floats, Isotonic, Platt
from loan_platform.core.models.portable import sigmoid, softplus

Method = Literal["platt", "beta", "isotonic"]

MIN_ISOTONIC_EVENTS = 2_000  # defaults, and repaid loans; fewer of either get Platt
MIN_BETA_EVENTS = 500  # defaults, and repaid loans: beta has a parameter more than Platt
KNOT_EVENTS = 100  # defaults, and repaid loans, of a step: the error of its rate is 10 % or less
MIN_SLOPE = 1e-3
NEWTON_STEPS = 50
HALVINGS = 30
FARTHEST = 60.0  # log-odds by which a calibration may be shifted


class _Scores(NamedTuple):
    """The different margins, rising, with the loans and the defaults of each. So equal margins are one point."""

    margin: Floats
    loans: Floats
    defaults: Floats


def fit_calibration(method: Method, margin: Floats, target: Floats, halfway: bool) -> Calibration | None:
    """Fit a map on loans that the model has not seen. None where the loans do not support the method.

    The mean probability of these loans is their default rate. Equal margins are one point, so the order of the loans
    changes nothing.

    Args:
        method: `isotonic` needs 2,000 defaults and 2,000 repaid loans, `beta` 500 of each and slopes above 0.001.
        margin: of each loan.
        target: 1 default, 0 repaid.
        halfway: move the slopes of `platt` and `beta` halfway to 1, that of the margin itself. Not for a family that
            does not fit log-odds.
    """
    scores = _scores(margin, target)
    events = min(scores.defaults.sum(), len(margin) - scores.defaults.sum())
    if method == "isotonic":
        return _fit_isotonic(scores, _fit_platt(scores)) if events >= MIN_ISOTONIC_EVENTS else None
    if method == "beta":
        return _fit_beta(scores, halfway) if events >= MIN_BETA_EVENTS else None
    platt = _fit_platt(scores)
    return _line((platt.slope + 1) / 2, scores) if halfway and platt.slope > MIN_SLOPE else platt


def fit_platt(margin: Floats, target: Floats) -> Platt:
    """Logistic regression of the outcome on the margin, by Newton's method. The slope is at least 0.001.

    A default counts as (n + 1) / (n + 2) and a repaid loan as 1 / (m + 2), of n defaults and m repaid loans. So no
    probability is 0 or 1 where the margin separates them (J. Platt, "Probabilistic outputs for support vector
    machines", 1999). Both arguments have shape [loans].
    """
    return _fit_platt(_scores(margin, target))


def fit_isotonic(margin: Floats, target: Floats) -> Isotonic | None:
    """Isotonic regression whose steps are merged to at least 100 defaults and 100 repaid loans.

    A step's knot is the margin at which Platt's probability is its mean over the step. None if fewer than two steps
    remain.
    """
    scores = _scores(margin, target)
    return _fit_isotonic(scores, _fit_platt(scores))


def _scores(margin: Floats, target: Floats) -> _Scores:
    different, which = np.unique(margin, return_inverse=True)
    loans, defaults = np.bincount(which), np.bincount(which, weights=target)
    return _Scores(different, loans.astype(np.float64), defaults.astype(np.float64))


def _fit_platt(scores: _Scores) -> Platt:
    scale = _scale(scores.margin, scores.loans)
    beta = _newton(np.stack((scores.margin / scale, np.ones_like(scores.margin))), scores)
    return _line(max(float(beta[0]) / scale, MIN_SLOPE), scores)


def _fit_beta(scores: _Scores, halfway: bool) -> Beta | None:
    bend = softplus(scores.margin)
    scales = _scale(scores.margin, scores.loans), _scale(bend, scores.loans)
    found = _newton(np.stack((scores.margin / scales[0], bend / scales[1], np.ones_like(bend))), scores)
    low = float(found[0]) / scales[0]
    high = low + float(found[1]) / scales[1]
    if min(low, high) <= MIN_SLOPE or not np.isfinite((low, high)).all():
        return None
    low, high = ((low + 1) / 2, (high + 1) / 2) if halfway else (low, high)
    bent = Beta(low_slope=low, high_slope=high, intercept=0.0)
    return bent.model_copy(update={"intercept": _shift(bent.log_odds(scores.margin), scores)})


def _scale(values: Floats, loans: Floats) -> float:
    """Standard deviation over the loans; 1 where all are equal."""
    return float(np.sqrt(np.average((values - np.average(values, weights=loans)) ** 2, weights=loans))) or 1.0


def _newton(x: Floats, scores: _Scores) -> Floats:
    """Coefficients of a logistic regression on Platt's smoothed outcomes; `x` has one row per coefficient."""
    loans, defaults = scores.loans, scores.defaults
    n, all_loans = float(defaults.sum()), float(loans.sum())
    wanted = defaults * (n + 1) / (n + 2) + (loans - defaults) / (all_loans - n + 2)

    def loss(beta: Floats) -> float:
        line = beta @ x
        return float(np.sum(loans * np.logaddexp(0, line) - wanted * line))

    beta: Floats = np.zeros(len(x))
    beta[-1] = _logit(n / all_loans)
    for _ in range(NEWTON_STEPS):
        p = sigmoid(beta @ x)
        weight = loans * p * (1 - p)
        hessian = np.array([[(weight * a * b).sum() for b in x] for a in x]) + 1e-9 * np.eye(len(x))
        gradient = np.array([((wanted - loans * p) * row).sum() for row in x])
        step = np.asarray(np.linalg.solve(hessian, gradient), np.float64)
        before = loss(beta)
        for _ in range(HALVINGS):
            if loss(beta + step) <= before:
                break
            step = step / 2
        beta = beta + step
        if np.abs(step).max() < 1e-12:
            break
    return beta


def _fit_isotonic(scores: _Scores, platt: Platt) -> Isotonic | None:
    from sklearn.isotonic import isotonic_regression

    rates = scores.defaults / scores.loans
    steps: Floats = np.asarray(isotonic_regression(rates, sample_weight=scores.loans), np.float64)
    starts = np.flatnonzero(np.concatenate(([True], steps[1:] != steps[:-1])))
    by_platt = sigmoid(platt.log_odds(scores.margin))
    knots: list[tuple[float, float]] = []
    for step in _merge(starts, scores):
        loans = float(scores.loans[step].sum())
        expected = _logit(float((by_platt[step] * scores.loans[step]).sum()) / loans)
        knot = (expected - platt.intercept) / platt.slope, _logit(float(scores.defaults[step].sum()) / loans)
        if not knots or (knot[0] > knots[-1][0] and knot[1] > knots[-1][1]):
            knots.append(knot)
    if len(knots) < 2:
        return None
    margins, values = zip(*knots, strict=True)
    found = Isotonic(margins=margins, values=values, outside=platt.slope)
    shift = _shift(found.log_odds(scores.margin), scores)
    return Isotonic(margins=margins, values=tuple(value + shift for value in values), outside=platt.slope)


def _merge(starts: NDArray[np.int64], scores: _Scores) -> list[slice]:
    """Join steps from the left until each has enough defaults and repaid loans. The remainder joins the last one."""
    blocks: list[slice] = []
    begin = 0
    for end in (*starts[1:].tolist(), len(scores.margin)):
        loans, defaults = scores.loans[begin:end].sum(), scores.defaults[begin:end].sum()
        if min(defaults, loans - defaults) >= KNOT_EVENTS:
            blocks.append(slice(begin, end))
            begin = end
    if begin < len(scores.margin) and blocks:
        blocks[-1] = slice(blocks[-1].start, len(scores.margin))
    return blocks or [slice(0, len(scores.margin))]


def _line(slope: float, scores: _Scores) -> Platt:
    """The line of this slope whose mean probability is the default rate."""
    return Platt(slope=slope, intercept=_shift(scores.margin * slope, scores))


def _shift(log_odds: Floats, scores: _Scores) -> float:
    """What to add to the log-odds, so that the mean probability is the default rate."""
    from scipy.optimize import brentq

    total = scores.loans.sum()
    rate = min(max(float(scores.defaults.sum() / total), 1e-9), 1 - 1e-9)

    def excess(shift: float) -> float:
        return float((sigmoid(log_odds + shift) * scores.loans).sum() / total) - rate

    reach = FARTHEST + float(np.abs(log_odds).max())
    return cast(float, brentq(excess, -reach, reach, xtol=1e-12))


def _logit(rate: float) -> float:
    clipped = min(max(rate, 1e-9), 1 - 1e-9)
    return float(np.log(clipped / (1 - clipped)))
