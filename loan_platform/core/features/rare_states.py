"""States of a feature that training saw too seldom to learn: a missing value, a rare category, one never seen.

A model that has not seen a state would give it an accidental PD: trees send it down the branch of the largest values.
So a value whose loans default about as often as all stands in for it, in training and in scoring (decision 27). Rare
categories that are frequent enough together are one state, which is learned.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loan_platform.core.book.parts.features import Feature
from loan_platform.core.book.training_policies import MIN_STATE_DEFAULTS, MIN_STATE_ROWS
from loan_platform.core.features.undefined import LARGEST, TAIL

Floats = NDArray[np.float64]

BINS = 10
CHANCE = 2.0  # standard errors by which the default rate of average loans may differ from that of all


@dataclass(frozen=True)
class Development:
    """What training knows of its loans.

    Attributes:
        target: 1 default, 0 repaid, shape [loans]; without it only rows are counted, and the middle value is average.
        min_rows: loans that a state needs.
        min_defaults: defaults, and repaid loans, that so many loans have at the default rate of all.
    """

    target: Floats | None = None
    min_rows: int = MIN_STATE_ROWS
    min_defaults: int = MIN_STATE_DEFAULTS

    def saw_enough(self, rows: int) -> bool:
        """Whether training can learn a state from this number of loans.

        The expected number of defaults counts, not the observed one: a state without defaults may be a safe one.
        """
        if self.target is None:
            return rows >= self.min_rows
        rate = float(self.target.mean())
        return rows >= self.min_rows and rows * min(rate, 1 - rate) >= self.min_defaults

    def number(self, feature: Feature, values: pl.Series) -> float:
        """The value that stands in for a missing one, of a training loan. In `values` null is missing."""
        known = (values.is_not_null() & (values.abs() < LARGEST)).to_numpy()
        x = values.cast(pl.Float64).to_numpy()[known]
        if not len(x):
            return 0.0
        if feature.when_missing == "worst" and feature.monotone:
            share = 1 - TAIL if feature.monotone == "increasing" else TAIL
            return _quantile(x, share)
        if self.target is None:
            return _quantile(x, 0.5)
        edges = np.unique(np.quantile(x, np.linspace(0, 1, BINS + 1)[1:-1], method="lower"))
        at = np.searchsorted(edges, x, side="left")
        rates = _Rates.of(at, self.target[known])
        chosen = rates.worst() if feature.when_missing == "worst" else rates.average()
        return _quantile(x[at == chosen], 0.5)

    def level(self, feature: Feature, values: pl.Series, levels: list[str]) -> str:
        """The level that stands in for a missing, rare or new category."""
        codes = values.cast(pl.Enum(levels), strict=False).to_physical()
        known = codes.is_not_null().to_numpy()
        at = codes.drop_nulls().to_numpy().astype(np.int64)
        if self.target is None:
            return levels[int(np.bincount(at, minlength=len(levels)).argmax())]
        rates = _Rates.of(at, self.target[known])
        return levels[rates.worst() if feature.when_missing == "worst" else rates.average(in_order=False)]


@dataclass(frozen=True)
class _Rates:
    """Loans and default rate of each bin or level, and the rate of all."""

    rows: Floats
    rate: Floats
    overall: float

    @classmethod
    def of(cls, at: NDArray[np.int64], target: Floats) -> "_Rates":
        rows = np.bincount(at).astype(np.float64)
        rate = np.bincount(at, target) / np.maximum(rows, 1)
        return cls(rows, rate, float(target.mean()))

    def average(self, in_order: bool = True) -> int:
        """The bin nearest the middle (or the largest level) among those whose rate may be that of all loans.

        If no rate may be, the bin with the nearest rate.
        """
        error = np.sqrt(self.overall * (1 - self.overall) / np.maximum(self.rows, 1))
        off = np.where(self.rows > 0, np.abs(self.rate - self.overall), np.inf)
        near = np.flatnonzero(off <= CHANCE * error)
        if not len(near):
            return int(off.argmin())
        if not in_order:
            return int(near[self.rows[near].argmax()])
        middle = (self.rows.cumsum() - self.rows / 2) / self.rows.sum()
        return int(near[np.abs(middle[near] - 0.5).argmin()])

    def worst(self) -> int:
        """The bin with the highest default rate."""
        return int(np.where(self.rows > 0, self.rate, -1.0).argmax())


def counts(values: pl.Series) -> Mapping[str, int]:
    """Number of loans of each level, the most frequent first."""
    table = values.drop_nulls().value_counts(name="rows").sort(["rows", values.name], descending=[True, False])
    return dict(table.iter_rows())


def _quantile(x: Floats, share: float) -> float:
    return float(np.float32(np.quantile(x, share, method="nearest")))
