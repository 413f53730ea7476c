"""Calibration: from a model's margin to the log-odds of default. It rises strictly, so every rank is kept."""

from functools import cached_property
from itertools import pairwise
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, model_validator

from loan_platform.core.book.parts.strict import Strict
from loan_platform.core.models.portable import softplus

Floats = NDArray[np.float64]
Regions = NDArray[np.int32]


class Platt(Strict):
    """Log-odds = slope * margin + intercept (Platt 1999)."""

    method: Literal["platt"] = "platt"
    slope: float = Field(gt=0)
    intercept: float

    def log_odds(self, margin: Floats) -> Floats:
        """Calibrated log-odds of default."""
        return margin * self.slope + self.intercept

    def regions(self, margin: Floats) -> Regions:
        """One region, because every constant counts for every margin. Shape [rows]."""
        return np.zeros(len(margin), np.int32)

    @property
    def region_count(self) -> int:
        """1."""
        return 1


class Beta(Strict):
    """Log-odds = low_slope * margin + (high_slope - low_slope) * ln(1 + exp(margin)) + intercept.

    The slope is `low_slope` for the safest loans and `high_slope` for the riskiest. It is beta calibration with
    a = low_slope, b = high_slope (M. Kull, T. Silva Filho and P. Flach, "Beta calibration", AISTATS 2017).
    """

    method: Literal["beta"] = "beta"
    low_slope: float = Field(gt=0)
    high_slope: float = Field(gt=0)
    intercept: float

    def log_odds(self, margin: Floats) -> Floats:
        """Calibrated log-odds of default."""
        bend = self.high_slope - self.low_slope
        return margin * self.low_slope + softplus(margin) * bend + self.intercept

    def regions(self, margin: Floats) -> Regions:
        """One region, because every constant counts for every margin. Shape [rows]."""
        return np.zeros(len(margin), np.int32)

    @property
    def region_count(self) -> int:
        """1."""
        return 1


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
        line = self.regions(margin)
        return value[line] + slope[line] * (margin - left[line])

    def regions(self, margin: Floats) -> Regions:
        """The line of each margin, from 0 below the first knot. Shape [rows]."""
        left, _, _ = self._lines
        return np.searchsorted(left[1:], margin, side="right").astype(np.int32)

    @property
    def region_count(self) -> int:
        """Number of lines."""
        return len(self.margins) + 1

    @cached_property
    def _lines(self) -> tuple[Floats, Floats, Floats]:
        """Anchor, value there and slope of each line: below the first knot, between the knots, above the last."""
        x, y = np.array(self.margins), np.array(self.values)
        inner = np.diff(y) / np.diff(x)
        slopes = np.concatenate(([self.outside], inner, [self.outside]))
        return np.concatenate((x[:1], x)), np.concatenate((y[:1], y)), slopes


Calibration = Platt | Beta | Isotonic
_ANY = TypeAdapter[Calibration](Annotated[Calibration, Field(discriminator="method")])


def calibration_from_json(text: str | bytes) -> Calibration:
    """Read a calibration from its JSON.

    Raises:
        ValueError: unknown method, or values that are missing, unknown, not finite or not rising.
    """
    return _ANY.validate_json(text, strict=True)
