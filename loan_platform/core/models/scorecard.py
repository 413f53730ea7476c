"""Scorecard: logistic regression on splines, held as one piecewise polynomial per column.

The splines are scikit-learn's, the evaluation is here: the margin is the intercept plus one term per column, added in
column order, so each term is that column's exact contribution. Terms are centred: 0 is the average training loan.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# (scikit-learn and scipy are untyped)

from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from loan_platform.core.contract import Strict
from loan_platform.core.models.base import FitContext, FittedModel, Floats, Matrix, Params, Sample, shares
from loan_platform.core.models.logistic import Logistic, fit_logistic
from loan_platform.core.portable import sum_columns

if TYPE_CHECKING:
    import optuna

ROWS = 200_000  # a few hundred coefficients gain nothing from more
TAIL = 0.005  # beyond these quantiles a term stays as it is there
BLOCK = 2_048

Piece = tuple[float, float, float, float]


class Term(Strict):
    """A column's part of the margin: a cubic in (x - left knot) on each interval, constant beyond the ends."""

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
        """Each column's term [rows, columns]; with the intercept they add up to the margin."""
        tables = self._tables
        x = matrix.astype(np.float64)
        inside = np.minimum(np.maximum(x, tables.low), tables.high)
        piece = np.broadcast_to(tables.first, x.shape).copy()
        for inner in tables.inner:
            piece += inside >= inner
        t = inside - tables.left[piece]
        cubic, square, linear, constant = tables.coefficients
        terms = ((cubic[piece] * t + square[piece]) * t + linear[piece]) * t + constant[piece]
        return np.where(np.isnan(x), tables.missing, terms)

    def check(self, columns: int) -> None:
        """Raise ValueError unless the model reads that many columns."""
        if len(self.terms) != columns or len(self.importance) != columns:
            raise ValueError(f"the scorecard has {len(self.terms)} terms for {columns} columns")

    @cached_property
    def _tables(self) -> "_Tables":
        return _Tables(self.terms)


class _Tables:
    """The terms as arrays, the pieces of all columns one after the other."""

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


class ScorecardFamily:
    """Fits scorecards."""

    max_trials = 6  # two settings of mild effect

    def suggest(self, trial: "optuna.Trial | None") -> dict[str, Any]:
        """Knots per column and the inverse strength of the L2 penalty."""
        if trial is None:
            return {"knots": 5, "c": 0.1}
        return {"knots": trial.suggest_int("knots", 3, 7), "c": trial.suggest_float("c", 1e-2, 100.0, log=True)}

    def fit(self, sample: Sample, context: FitContext, params: Params) -> ScorecardModel:
        """Fit on at most 200,000 loans."""
        sample = sample.capped(ROWS)
        columns = sample.matrix.T.astype(np.float64)
        bases = [_Basis(column, params["knots"]) for column in columns]
        fitted = fit_logistic(np.concatenate([basis.values for basis in bases], axis=1), sample.target, params["c"])
        return _assemble(bases, fitted)


class _Basis:
    """Spline basis and missing indicator of one column, on the fitting loans."""

    def __init__(self, x: Floats, knots: int) -> None:
        missing = np.isnan(x)
        known = x[~missing]
        self.has_missing = bool(missing.any())
        self.knots = _knots(known, knots)
        self.spline = _spline(self.knots) if len(self.knots) > 2 else None
        columns = [self._shape(np.clip(np.where(missing, self.knots[0], x), self.knots[0], self.knots[-1]))]
        columns[0][missing] = 0
        if self.has_missing:
            columns.append(missing[:, None].astype(np.float32))
        self.values = np.concatenate(columns, axis=1)

    def _shape(self, x: Floats) -> Matrix:
        if self.spline is None:
            return ((x - self.knots[0]) / (self.knots[-1] - self.knots[0]))[:, None].astype(np.float32)
        return self.spline.transform(x[:, None]).astype(np.float32)

    def term(self, coefficients: Floats) -> tuple[Term, float, float]:
        """The term of these coefficients, its mean and its spread on the fitting loans."""
        terms = self.values.astype(np.float64) @ coefficients
        centre = float(terms.mean())
        shape = coefficients[: len(coefficients) - self.has_missing]
        pieces = self._pieces(shape)
        pieces[:, 3] -= centre
        missing = float(coefficients[-1]) - centre if self.has_missing else 0.0
        term = Term(knots=tuple(self.knots.tolist()), pieces=tuple(tuple(p) for p in pieces.tolist()), missing=missing)
        return term, centre, float(terms.std())

    def _pieces(self, shape: Floats) -> Floats:
        if self.spline is None:
            return np.array([[0.0, 0.0, shape[0] / (self.knots[-1] - self.knots[0]), 0.0]])
        from scipy.interpolate import BSpline, PPoly

        bases = self.spline.bsplines_[0]
        weights = np.append(shape, 0.0)  # the last basis is dropped: the intercept stands for it
        cubic: Any = PPoly.from_spline(BSpline(bases.t, weights, bases.k))
        kept = np.searchsorted(cubic.x, self.knots[:-1])
        return np.ascontiguousarray(cubic.c[:, kept].T)


def _knots(known: Floats, knots: int) -> Floats:
    """Distinct quantiles; two where the column is a flag, or nearly constant."""
    if not len(known):
        return np.array([0.0, 1.0])
    found = np.unique(np.quantile(known, np.linspace(TAIL, 1 - TAIL, knots)))
    if len(found) > 1:
        return found
    low, high = float(known.min()), float(known.max())
    return np.array([low, high if high > low else low + 1.0])


def _spline(knots: Floats) -> Any:
    from sklearn.preprocessing import SplineTransformer

    settings: Any = {"knots": knots[:, None]}
    spline: Any = SplineTransformer(degree=3, extrapolation="constant", include_bias=False, **settings)
    return spline.fit(knots[:, None])


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
