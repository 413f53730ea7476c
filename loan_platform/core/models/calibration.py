"""Calibration: from a model's margin to the log-odds of default. It rises strictly, so every rank is kept."""

# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false
# (scikit-learn and scipy are untyped)

from functools import cached_property
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple, Self, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, model_validator

from loan_platform.core.book.parts.strict import Strict
from loan_platform.core.models.portable import sigmoid

Floats = NDArray[np.float64]

MIN_ISOTONIC_EVENTS = 2_000  # defaults, and repaid loans; fewer of either get Platt
KNOT_EVENTS = 100  # defaults, and repaid loans, of a step: the error of its rate is 10 % or less
MIN_SLOPE = 1e-3
NEWTON_STEPS = 50
HALVINGS = 30
FARTHEST = 60.0  # log-odds by which a calibration may be shifted


class Platt(Strict):
    """Log-odds = slope * margin + intercept (Platt 1999)."""

    method: Literal["platt"] = "platt"
    slope: float = Field(gt=0)
    intercept: float

    def log_odds(self, margin: Floats) -> Floats:
        """Calibrated log-odds of default."""
        return margin * self.slope + self.intercept


class Isotonic(Strict):
    """Straight lines between the knots (margin, log-odds), and Platt's slope beyond them.

    Isotonic regression alone is a step function: all loans of a step would tie. Lines between the middles of the steps
    keep their rank.
    """

    method: Literal["isotonic"] = "isotonic"
    margins: tuple[float, ...] = Field(min_length=2)
    values: tuple[float, ...]
    outside: float = Field(gt=0)

    @model_validator(mode="after")
    def _rising(self) -> Self:
        for knots in (self.margins, self.values):
            if len(knots) != len(self.margins) or any(a >= b for a, b in pairwise(knots)):
                raise ValueError("knots and values must be as many, and both must rise")
        return self

    def log_odds(self, margin: Floats) -> Floats:
        """Calibrated log-odds of default."""
        left, value, slope = self._lines
        line = np.searchsorted(left[1:], margin, side="right")
        return value[line] + slope[line] * (margin - left[line])

    @cached_property
    def _lines(self) -> tuple[Floats, Floats, Floats]:
        """Anchor, value there and slope of each line: below the first knot, between the knots, above the last."""
        x, y = np.array(self.margins), np.array(self.values)
        inner = np.diff(y) / np.diff(x)
        slopes = np.concatenate(([self.outside], inner, [self.outside]))
        return np.concatenate((x[:1], x)), np.concatenate((y[:1], y)), slopes


Calibration = Annotated[Platt | Isotonic, Field(discriminator="method")]
_ANY = TypeAdapter[Platt | Isotonic](Calibration)


class _Scores(NamedTuple):
    """The different margins, rising, with the loans and the defaults of each. So equal margins are one point."""

    margin: Floats
    loans: Floats
    defaults: Floats


def calibrate(margin: Floats, target: Floats, halfway: bool) -> Platt | Isotonic:
    """Fit on loans that the model has not seen: isotonic from 2,000 defaults and 2,000 repaid loans on, else Platt.

    The mean probability of these loans is their default rate. Equal margins are one point, so the order of the loans
    changes nothing.

    Args:
        margin: of each loan.
        target: 1 default, 0 repaid.
        halfway: move Platt's slope halfway to 1, that of the margin itself. The margin reflects all years, the
            calibration window the last months, and the next months lie between the two (decision 7). Not for a family
            that does not fit log-odds, nor for a window that is as old as the fitting loans.
    """
    scores = _scores(margin, target)
    platt = _fit_platt(scores)
    defaults = scores.defaults.sum()
    events = min(defaults, len(margin) - defaults)
    if events >= MIN_ISOTONIC_EVENTS and (isotonic := _fit_isotonic(scores, platt)):
        return isotonic
    if halfway and platt.slope > MIN_SLOPE:
        return _line((platt.slope + 1) / 2, scores)
    return platt


def calibration_from_json(text: str | bytes) -> Platt | Isotonic:
    """Read a calibration from its JSON.

    Raises:
        ValueError: unknown method, or values that are missing, unknown, not finite or not rising.
    """
    return _ANY.validate_json(text, strict=True)


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
    loans, defaults = scores.loans, scores.defaults
    n, all_loans = float(defaults.sum()), float(loans.sum())
    wanted = defaults * (n + 1) / (n + 2) + (loans - defaults) / (all_loans - n + 2)
    scale = float(np.sqrt(np.average((scores.margin - np.average(scores.margin, weights=loans)) ** 2, weights=loans)))
    x = np.stack((scores.margin / (scale or 1.0), np.ones_like(scores.margin)))

    def loss(beta: Floats) -> float:
        line = beta @ x
        return float(np.sum(loans * np.logaddexp(0, line) - wanted * line))

    beta: Floats = np.array([0.0, _logit(n / all_loans)])
    for _ in range(NEWTON_STEPS):
        p = sigmoid(beta @ x)
        weight = loans * p * (1 - p)
        hessian = np.array([[(weight * a * b).sum() for b in x] for a in x]) + 1e-9 * np.eye(2)
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
    return _line(max(float(beta[0]) / (scale or 1.0), MIN_SLOPE), scores)


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
