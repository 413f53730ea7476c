"""Scorecard: logistic regression on splines, held as one piecewise polynomial per column.

SciPy makes the splines; they are evaluated here. The margin is the intercept plus one term per column, added in column
order, so a term is the exact contribution of its column. Terms are centred: 0 is the average training loan.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# (scikit-learn and scipy are untyped)

from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from loan_platform.core.book.parts.strict import Strict
from loan_platform.core.models.base import (
    FitContext,
    FittedModel,
    Flags,
    Floats,
    Matrix,
    Params,
    Regions,
    Sample,
    shares,
)
from loan_platform.core.models.logistic import Logistic, fit_logistic
from loan_platform.core.models.portable import sum_columns

if TYPE_CHECKING:
    import optuna

ROWS = 200_000  # a few hundred coefficients gain nothing from more
TAIL = 0.005  # beyond these quantiles a term is constant
BLOCK = 2_048
DEGREE = 3

Piece = tuple[float, float, float, float]


class Term(Strict):
    """A column's contribution to the margin: a cubic in (x - left knot) on each interval, constant beyond the ends."""

    knots: tuple[float, ...] = Field(min_length=2)
    pieces: tuple[Piece, ...]
    missing: float

    @model_validator(mode="after")
    def _intervals(self) -> Self:
        if len(self.pieces) != len(self.knots) - 1 or any(a >= b for a, b in pairwise(self.knots)):
            raise ValueError("knots must rise, with one piece between each pair")
        return self


class ScorecardModel(FittedModel):
    """A fitted scorecard."""

    family: Literal["scorecard"] = "scorecard"  # pyright: ignore[reportIncompatibleVariableOverride]
    intercept: float
    terms: tuple[Term, ...]

    def margin(self, matrix: Matrix) -> Floats:
        """Log-odds of default, before calibration."""
        parts = [self.contributions(matrix[i : i + BLOCK]) for i in range(0, len(matrix), BLOCK)]
        return np.concatenate([sum_columns(part) + self.intercept for part in parts]) if parts else np.zeros(0)

    def contributions(self, matrix: Matrix) -> Floats:
        """Each column's term, shape [rows, columns]. The margin is the intercept plus the terms."""
        tables = self._tables
        x = matrix.astype(np.float64)
        inside = np.minimum(np.maximum(x, tables.low), tables.high)
        piece = tables.pieces(inside)
        t = inside - tables.left[piece]
        cubic, square, linear, constant = tables.coefficients
        terms = ((cubic[piece] * t + square[piece]) * t + linear[piece]) * t + constant[piece]
        return np.where(np.isnan(x), tables.missing, terms)

    def regions(self, matrix: Matrix) -> Regions:
        """The piece of each term. Below the first knot, above the last one, and missing are further ones."""
        tables = self._tables
        x = matrix.astype(np.float64)
        inside = np.minimum(np.maximum(x, tables.low), tables.high)
        regions = tables.pieces(inside) - tables.first + 1
        last = np.array(self.region_counts)
        regions = np.where(x < tables.low, 0, np.where(x > tables.high, last - 2, regions))
        return np.where(np.isnan(x), last - 1, regions).astype(np.int32)

    @property
    def region_counts(self) -> tuple[int, ...]:
        """Pieces of each term, and three."""
        return tuple(len(term.pieces) + 3 for term in self.terms)

    def check(self, columns: int) -> None:
        """Raise ValueError unless the model reads this number of columns."""
        if len(self.terms) != columns or len(self.importance) != columns:
            raise ValueError(f"the scorecard has {len(self.terms)} terms for {columns} columns")

    @cached_property
    def _tables(self) -> "_Tables":
        return _Tables(self.terms)


class _Tables:
    """The terms as arrays: the pieces of all columns in a row."""

    def __init__(self, terms: tuple[Term, ...]) -> None:
        self.low = np.array([term.knots[0] for term in terms])
        self.high = np.array([term.knots[-1] for term in terms])
        self.missing = np.array([term.missing for term in terms])
        self.left = np.array([knot for term in terms for knot in term.knots[:-1]])
        self.coefficients = np.array([piece for term in terms for piece in term.pieces]).reshape(-1, 4).T.copy()
        sizes = np.array([len(term.pieces) for term in terms], np.int64)
        self.first = np.cumsum(sizes) - sizes
        self.inner = np.full((int(sizes.max(initial=1)) - 1, len(terms)), np.inf)
        for j, term in enumerate(terms):
            self.inner[: len(term.pieces) - 1, j] = term.knots[1:-1]

    def pieces(self, inside: Floats) -> NDArray[np.int64]:
        """The piece that each value lies in, as its place in `coefficients`. Shape as the values."""
        piece = np.broadcast_to(self.first, inside.shape).copy()
        for inner in self.inner:
            piece += inside >= inner
        return piece


class ScorecardFamily:
    """Fits scorecards."""

    max_trials = 6  # both settings have a small effect

    def suggest(self, trial: "optuna.Trial | None") -> dict[str, Any]:
        """Knots per column and the inverse strength of the L2 penalty."""
        if trial is None:
            return {"knots": 5, "c": 0.1}
        return {"knots": trial.suggest_int("knots", 3, 7), "c": trial.suggest_float("c", 1e-2, 100.0, log=True)}

    def fit(self, sample: Sample, context: FitContext, params: Params) -> ScorecardModel:
        """Fit on at most 200,000 loans."""
        sample = sample.capped(ROWS)
        columns = sample.matrix.T.astype(np.float64)
        bases = [_Basis(x, params["knots"], sign) for x, sign in zip(columns, context.monotone, strict=True)]
        values = np.concatenate([basis.values for basis in bases], axis=1)
        nonnegative = np.concatenate([basis.nonnegative for basis in bases])
        return _assemble(bases, fit_logistic(values, sample.target, params["c"], nonnegative))


class _Basis:
    """A column's spline as I-splines, each rising from 0 to 1, and its missing indicator.

    A sum of B-splines rises where their coefficients rise. So the differences of the coefficients are fitted: at 0 or
    above, they give a term that never falls (J. O. Ramsay, "Monotone regression splines in action", 1988). In a column
    that must not rise the I-splines are negative.
    """

    def __init__(self, x: Floats, knots: int, direction: int) -> None:
        missing = np.isnan(x)
        known = x[~missing]
        self.sign = -1.0 if direction < 0 else 1.0
        self.has_missing = bool(missing.any())
        self.knots = _knots(known, knots)
        inside = np.clip(np.where(missing, self.knots[0], x), self.knots[0], self.knots[-1])
        steps = np.asarray(self.sign * self._steps(inside), np.float64)
        centres = steps[~missing].mean(axis=0) if len(known) else np.zeros(steps.shape[1])
        self.centres = np.asarray(centres, np.float64)
        steps = np.where(missing[:, None], np.float64(0), steps - self.centres)
        indicator = missing[:, None] if self.has_missing else np.empty((len(x), 0))
        self.values = np.concatenate((steps, indicator), axis=1, dtype=np.float32)
        self.nonnegative: Flags = np.arange(self.values.shape[1]) < (steps.shape[1] if direction else 0)

    def _steps(self, x: Floats) -> Floats:
        if len(self.knots) == 2:
            return ((x - self.knots[0]) / (self.knots[-1] - self.knots[0]))[:, None]
        splines = _spline(self.knots, np.eye(len(self.knots) + DEGREE - 1))(x)
        return splines[:, ::-1].cumsum(axis=1)[:, -2::-1]

    def term(self, coefficients: Floats) -> tuple[Term, float, float]:
        """The term of these coefficients, and its mean and standard deviation on the fitting loans."""
        terms = self.values.astype(np.float64) @ coefficients
        centre = float(terms.mean())
        steps = coefficients[: len(coefficients) - self.has_missing]
        pieces = self._pieces(self.sign * steps)
        pieces[:, 3] -= centre + float((self.centres * steps).sum())
        missing = float(coefficients[-1]) - centre if self.has_missing else 0.0
        term = Term(knots=tuple(self.knots.tolist()), pieces=tuple(tuple(p) for p in pieces.tolist()), missing=missing)
        return term, centre, float(terms.std())

    def _pieces(self, steps: Floats) -> Floats:
        if len(self.knots) == 2:
            return np.array([[0.0, 0.0, steps[0] / (self.knots[-1] - self.knots[0]), 0.0]])
        from scipy.interpolate import PPoly

        cubic: Any = PPoly.from_spline(_spline(self.knots, np.append(0.0, steps.cumsum())))
        kept = np.searchsorted(cubic.x, self.knots[:-1])
        return np.ascontiguousarray(cubic.c[:, kept].T)


def _knots(known: Floats, knots: int) -> Floats:
    """Distinct quantiles of the known values; two if the column is a flag, or nearly constant."""
    if not len(known):
        return np.array([0.0, 1.0])
    found = np.unique(np.quantile(known, np.linspace(TAIL, 1 - TAIL, knots)))
    if len(found) > 1:
        return found
    low, high = float(known.min()), float(known.max())
    return np.array([low, high if high > low else low + 1.0])


def _spline(knots: Floats, coefficients: Floats) -> Any:
    """A cubic spline. Beyond the ends its knots continue in steps of the first and the last interval."""
    from scipy.interpolate import BSpline

    beyond = np.arange(1, DEGREE + 1)
    before = knots[0] - beyond[::-1] * (knots[1] - knots[0])
    return BSpline(np.concatenate((before, knots, knots[-1] + beyond * (knots[-1] - knots[-2]))), coefficients, DEGREE)


def _assemble(bases: list[_Basis], fitted: Logistic) -> ScorecardModel:
    terms: list[Term] = []
    spreads: list[float] = []
    at, intercept = 0, fitted.intercept
    for basis in bases:
        size = basis.values.shape[1]
        term, centre, spread = basis.term(fitted.coefficients[at : at + size])
        at, intercept = at + size, intercept + centre
        terms.append(term)
        spreads.append(spread)
    return ScorecardModel(terms=tuple(terms), intercept=intercept, importance=shares(np.array(spreads)))
