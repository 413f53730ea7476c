"""Calibration: from a model's margin to the log-odds of default. It rises strictly, so every rank is kept."""

# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false
# (scikit-learn and scipy are untyped)

from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, model_validator

from loan_platform.core.book.parts.strict import Strict

Floats = NDArray[np.float64]

MIN_ISOTONIC_ROWS = 20_000  # fewer get Platt: on 7,348 loans isotonic lost .001-.003 AUC to ties
KNOT_ROWS = 500
MIN_SLOPE = 1e-3
NEWTON_STEPS = 50


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


def calibrate(margin: Floats, target: Floats, log_odds: bool) -> Platt | Isotonic:
    """Fit on loans that the model has not seen: Platt below 20,000 loans, isotonic from there on.

    For a family that fits log-odds, Platt's line is moved halfway to the margin itself. The margin reflects all years,
    the calibration window the last months, and the next months lie between the two (decision 7).

    Args:
        margin: of each loan.
        target: 1 default, 0 repaid.
        log_odds: the family fits log-odds by likelihood. A forest does not: it takes a single Newton step.
    """
    platt = fit_platt(margin, target)
    if len(margin) >= MIN_ISOTONIC_ROWS:
        return fit_isotonic(margin, target, platt.slope) or platt
    return Platt(slope=(platt.slope + 1) / 2, intercept=platt.intercept / 2) if log_odds else platt


def calibration_from_json(text: str | bytes) -> Platt | Isotonic:
    """Read a calibration from its JSON.

    Raises:
        ValueError: unknown method, or values that are missing, unknown, not finite or not rising.
    """
    return _ANY.validate_json(text, strict=True)


def fit_platt(margin: Floats, target: Floats) -> Platt:
    """Logistic regression of the outcome on the margin, by Newton's method. The slope is at least 0.001.

    J. Platt, "Probabilistic outputs for support vector machines", 1999. Both arguments have shape [loans].
    """
    scale = float(margin.std()) or 1.0
    x = np.stack((margin / scale, np.ones_like(margin)))
    beta = np.zeros(2)
    for _ in range(NEWTON_STEPS):
        p = 1 / (1 + np.exp(-(x[0] * beta[0] + beta[1])))
        gradient = np.array([((target - p) * row).sum() for row in x])
        weight = p * (1 - p)
        hessian = np.array([[(weight * a * b).sum() for b in x] for a in x]) + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        beta += step
        if np.abs(step).max() < 1e-12:
            break
    slope = float(beta[0]) / scale
    if slope >= MIN_SLOPE:
        return Platt(slope=slope, intercept=float(beta[1]))
    return Platt(slope=MIN_SLOPE, intercept=_logit(float(target.mean())) - MIN_SLOPE * float(margin.mean()))


def fit_isotonic(margin: Floats, target: Floats, outside: float) -> Isotonic | None:
    """Isotonic regression whose steps are merged to at least 500 loans; None if fewer than two steps remain."""
    from sklearn.isotonic import isotonic_regression

    order = np.lexsort((target, margin))
    x, y = margin[order], target[order]
    steps: Floats = np.asarray(isotonic_regression(y), np.float64)
    starts = np.flatnonzero(np.concatenate(([True], steps[1:] != steps[:-1])))
    knots: list[tuple[float, float]] = []
    for block in _merge(starts, len(x)):
        rate = (y[block].sum() + 0.5) / (len(y[block]) + 1)
        knot = float(x[block].mean()), _logit(float(rate))
        if not knots or (knot[0] > knots[-1][0] and knot[1] > knots[-1][1]):
            knots.append(knot)
    if len(knots) < 2:
        return None
    return Isotonic(margins=tuple(k[0] for k in knots), values=tuple(k[1] for k in knots), outside=outside)


def _merge(starts: NDArray[Any], rows: int) -> list[slice]:
    """Join steps from the left until each has 500 loans. The remainder joins the last one."""
    blocks: list[slice] = []
    begin = 0
    for end in (*starts[1:].tolist(), rows):
        if end - begin >= KNOT_ROWS:
            blocks.append(slice(begin, end))
            begin = end
    if begin < rows and blocks:
        blocks[-1] = slice(blocks[-1].start, rows)
    return blocks or [slice(0, rows)]


def _logit(rate: float) -> float:
    clipped = min(max(rate, 1e-9), 1 - 1e-9)
    return float(np.log(clipped / (1 - clipped)))
