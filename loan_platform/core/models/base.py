"""What every model family offers: fit, margin, JSON."""

from abc import abstractmethod
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from loan_platform.core.book.parts.strict import Strict

if TYPE_CHECKING:
    import optuna

Matrix = NDArray[np.float32]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Regions = NDArray[np.int32]
Params = Mapping[str, Any]

BLOCK_ROWS = 16_384


@dataclass(frozen=True)
class Sample:
    """Loans to fit on, ordered by vintage and key. Order and seed determine the model's bytes.

    `matrix` has shape [loans, columns], `target` (1 default, 0 repaid) shape [loans]. In `derived` a family keeps what
    it made of them for its next fit.
    """

    matrix: Matrix
    target: Floats
    derived: dict[str, Any] = field(default_factory=dict[str, Any], compare=False, repr=False)

    def capped(self, rows: int) -> "Sample":
        """Every k-th loan, so that at most `rows` remain. All vintages keep their share."""
        step = -(-len(self.target) // rows)
        return self if step <= 1 else Sample(self.matrix[::step], self.target[::step])


@dataclass(frozen=True)
class FitContext:
    """What a family knows beside the loans: column names, directions (-1 falling, 0 free, 1 rising), seed, threads."""

    columns: tuple[str, ...]
    monotone: tuple[int, ...]
    seed: int
    threads: int


class FittedModel(Strict):
    """A fitted model as plain values. `importance` is the share of each matrix column; the shares sum to 1."""

    family: str
    importance: tuple[float, ...]

    @abstractmethod
    def margin(self, matrix: Matrix) -> Floats:
        """Log-odds of default before calibration, shape [rows]. A row's bits depend on that row alone.

        Args:
            matrix: float32 [rows, columns], row-major; NaN is missing.
        """

    @abstractmethod
    def contributions(self, matrix: Matrix) -> Floats:
        """Contribution of each column to the margin, shape [rows, columns].

        Margin minus contributions is the margin of an average training loan, the same for every row within 1e-5.
        A row's bits depend on that row alone.
        """

    @abstractmethod
    def check(self, columns: int) -> None:
        """Raise ValueError unless the model is sound and reads a matrix with this number of columns."""

    @abstractmethod
    def regions(self, matrix: Matrix) -> Regions:
        """Which constants score each row: the leaf of each tree, or the piece of each column's term.

        Shape [rows, partitions], each from 0 to below the partition's number in `region_counts`.
        """

    @property
    @abstractmethod
    def region_counts(self) -> tuple[int, ...]:
        """Number of regions of each partition."""

    def to_json(self) -> dict[str, Any]:
        """The model as JSON values."""
        return self.model_dump(mode="json")


class Family(Protocol):
    """A kind of model."""

    @property
    def max_trials(self) -> int:
        """Largest useful number of trials; 1 if `suggest` searches nothing."""
        ...

    def suggest(self, trial: "optuna.Trial | None") -> dict[str, Any]:
        """Parameters to try; without a trial, the defaults."""
        ...

    def fit(self, sample: Sample, context: FitContext, params: Params) -> FittedModel:
        """Fit a model. The same arguments give the same bytes for any number of threads."""
        ...


def margins(model: FittedModel, matrix: Matrix, threads: int) -> Floats:
    """Margins of many rows on several threads, with the bits of `model.margin`. Shape [rows]."""
    blocks = [matrix[start : start + BLOCK_ROWS] for start in range(0, len(matrix), BLOCK_ROWS)]
    if threads <= 1 or len(blocks) <= 1:
        return np.concatenate([model.margin(block) for block in blocks]) if blocks else np.zeros(0)
    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(model.margin, blocks)))


def shares(weights: Floats) -> tuple[float, ...]:
    """Weights divided by their sum; zeros if all are zero."""
    total = float(weights.sum())
    return tuple((weights / total).tolist()) if total > 0 else (0.0,) * len(weights)
