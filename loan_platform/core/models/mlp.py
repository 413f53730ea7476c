"""A small neural network with one hidden layer, fitted by scikit-learn and held as coefficients."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# (scikit-learn and scipy are untyped)

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from loan_platform.core.models.base import FitContext, FittedModel, Floats, Matrix, Params, Regions, Sample, shares
from loan_platform.core.models.portable import sum_columns

if TYPE_CHECKING:
    import optuna

ROWS = 100_000
TAIL = 0.005
BLOCK = 2_048


class MlpModel(FittedModel):
    """A fitted network. Inputs are clipped and standardized; a missing one is 0 and sets an indicator of its own."""

    family: Literal["mlp"] = "mlp"  # pyright: ignore[reportIncompatibleVariableOverride]
    low: tuple[float, ...]
    high: tuple[float, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    indicators: tuple[int, ...]
    hidden: tuple[tuple[float, ...], ...]
    hidden_bias: tuple[float, ...]
    output: tuple[float, ...]
    output_bias: float

    def margin(self, matrix: Matrix) -> Floats:
        """Log-odds of default, before calibration.

        Inputs are added one by one. A matrix product would choose the order of additions by the number of rows.
        """
        parts = [self._block(matrix[i : i + BLOCK]) for i in range(0, len(matrix), BLOCK)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _block(self, matrix: Matrix) -> Floats:
        layer = self._hidden(matrix)
        total = np.full(len(matrix), self.output_bias)
        for unit, weight in enumerate(self.output):
            total += np.maximum(layer[:, unit], 0.0) * weight
        return total

    def _hidden(self, matrix: Matrix) -> Floats:
        """What each hidden unit gets, shape [rows, units]."""
        inputs = np.ascontiguousarray(self._standard.inputs(matrix).T)
        layer = np.broadcast_to(np.array(self.hidden_bias), (len(matrix), len(self.hidden_bias))).copy()
        for values, weights in zip(inputs, self._weights, strict=True):
            layer += values[:, None] * weights
        return layer

    def contributions(self, matrix: Matrix) -> Floats:
        """Exact integrated gradients from the average loan (Sundararajan, Taly and Yan 2017). Shape [rows, columns].

        On the straight line from the average loan to the row, a unit's input is linear. So the part of the line on
        which the unit is active has a closed form, and with it the mean gradient. The missing indicator of a column
        counts for the column.
        """
        parts = [self._explained(matrix[i : i + BLOCK]) for i in range(0, len(matrix), BLOCK)]
        return np.concatenate(parts) if parts else np.zeros((0, matrix.shape[1]))

    def _explained(self, matrix: Matrix) -> Floats:
        inputs = np.ascontiguousarray(self._standard.inputs(matrix).T)
        start, moved = np.array(self.hidden_bias), np.zeros((len(matrix), len(self.hidden_bias)))
        for values, weights in zip(inputs, self._weights, strict=True):
            moved += values[:, None] * weights
        slope = _active_share(start, start + moved) * np.array(self.output)
        columns = len(self.low)
        found = np.zeros((len(matrix), columns))
        owners = (*range(columns), *self.indicators)
        for owner, values, weights in zip(owners, inputs, self._weights, strict=True):
            found[:, owner] += values * sum_columns(slope * weights)
        return found

    def regions(self, matrix: Matrix) -> Regions:
        """Inside, below or above the limits of each column, or missing; then whether each unit is active."""
        x = matrix.astype(np.float64)
        ends = np.where(x < np.array(self.low), 1, np.where(x > np.array(self.high), 2, 0))
        return np.hstack((np.where(np.isnan(x), 3, ends), self._hidden(matrix) > 0)).astype(np.int32)

    @property
    def region_counts(self) -> tuple[int, ...]:
        """Four of each column, two of each unit."""
        return (4,) * len(self.low) + (2,) * len(self.hidden_bias)

    def check(self, columns: int) -> None:
        """Raise ValueError unless the layers fit together and read this number of columns."""
        units, inputs = len(self.hidden_bias), columns + len(self.indicators)
        scalers = (self.low, self.high, self.mean, self.scale, self.importance)
        if any(len(values) != columns for values in scalers) or any(not 0 <= j < columns for j in self.indicators):
            raise ValueError(f"the network does not read {columns} columns")
        if len(self.hidden) != inputs or any(len(row) != units for row in self.hidden) or len(self.output) != units:
            raise ValueError("the layers of the network do not fit together")
        if any(scale <= 0 for scale in self.scale):
            raise ValueError("a scale of the network is not positive")

    @cached_property
    def _weights(self) -> Floats:
        return np.array(self.hidden)

    @cached_property
    def _standard(self) -> "_Standard":
        low, high, mean, scale = (np.array(values) for values in (self.low, self.high, self.mean, self.scale))
        return _Standard(low, high, mean, scale, np.array(self.indicators, np.int64))


def _active_share(start: Floats, end: Floats) -> Floats:
    """Share of each line from `start` to `end` that lies above zero, 0 to 1. Shape as the arguments."""
    length = np.where(start == end, 1.0, end - start)
    share = (np.maximum(end, 0.0) - np.maximum(start, 0.0)) / length
    return np.where(start == end, (start > 0).astype(np.float64), share)


class _Standard:
    """Clips and standardizes the columns and appends the missing indicators."""

    def __init__(self, low: Floats, high: Floats, mean: Floats, scale: Floats, indicators: Any) -> None:
        self.low, self.high, self.mean, self.scale, self.indicators = low, high, mean, scale, indicators

    def inputs(self, matrix: Matrix) -> Floats:
        """Inputs of the network [rows, columns + indicators]."""
        x = matrix.astype(np.float64)
        missing = np.isnan(x)
        scaled = (np.minimum(np.maximum(x, self.low), self.high) - self.mean) / self.scale
        return np.concatenate((np.where(missing, 0.0, scaled), missing[:, self.indicators]), axis=1)


class MlpFamily:
    """Fits networks. They are not tuned: they seldom win."""

    max_trials = 1

    def suggest(self, trial: "optuna.Trial | None") -> dict[str, Any]:
        """Hidden units, weight decay, epochs."""
        return {"units": 16, "alpha": 3.0, "epochs": 20}

    def fit(self, sample: Sample, context: FitContext, params: Params) -> MlpModel:
        """Fit on at most 100,000 loans. One BLAS thread: the bytes do not depend on the number of cores."""
        from sklearn.neural_network import MLPClassifier
        from threadpoolctl import threadpool_limits

        sample = sample.capped(ROWS)
        standard = _standardise(sample.matrix)
        settings: dict[str, Any] = {
            "hidden_layer_sizes": (params["units"],),
            "alpha": params["alpha"],
            "batch_size": min(256, len(sample.target)),
            "learning_rate_init": 2e-3,
            "max_iter": params["epochs"],
            "tol": 0.0,
            "n_iter_no_change": params["epochs"],
            "random_state": context.seed,
        }
        network: Any = MLPClassifier(**settings)
        with threadpool_limits(1), np.errstate(over="ignore"):
            network.fit(standard.inputs(sample.matrix), sample.target)
        return _assemble(standard, network)


def _standardise(matrix: Matrix) -> _Standard:
    x = matrix.astype(np.float64)
    missing = np.isnan(x)
    x[:, missing.all(axis=0)] = 0.0
    low, high = np.nanquantile(x, [TAIL, 1 - TAIL], axis=0)
    flat = low >= high
    low[flat], high[flat] = np.nanmin(x, axis=0)[flat], np.nanmax(x, axis=0)[flat]
    inside = np.clip(x, low, high)
    scale = np.nanstd(inside, axis=0)
    return _Standard(
        low, high, np.nanmean(inside, axis=0), np.where(scale > 0, scale, 1.0), np.flatnonzero(missing.any(axis=0))
    )


def _assemble(standard: _Standard, network: Any) -> MlpModel:
    hidden, output = (np.asarray(weights, np.float64) for weights in network.coefs_)
    reach = np.abs(hidden) @ np.abs(output[:, 0])
    importance = reach[: len(standard.low)].copy()
    np.add.at(importance, standard.indicators, reach[len(standard.low) :])
    return MlpModel(
        low=tuple(standard.low.tolist()),
        high=tuple(standard.high.tolist()),
        mean=tuple(standard.mean.tolist()),
        scale=tuple(standard.scale.tolist()),
        indicators=tuple(standard.indicators.tolist()),
        hidden=tuple(tuple(row) for row in hidden.tolist()),
        hidden_bias=tuple(network.intercepts_[0].tolist()),
        output=tuple(output[:, 0].tolist()),
        output_bias=float(network.intercepts_[1][0]),
        importance=shares(importance),
    )
