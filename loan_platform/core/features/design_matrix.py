"""The design matrix: features as the columns of numbers that a model reads."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loan_platform.core.book.parts.features import Feature
from loan_platform.core.book.parts.strict import Strict
from loan_platform.core.features.undefined import LARGEST, TAIL, undefined_end

Matrix = NDArray[np.float32]

CHUNK_ROWS = 65_536
MAX_ROWS_IN_PYTHON = 16
MAX_LEVELS = 200


class DesignColumn(Strict):
    """One column of the matrix: a number, or one level of a category (1 where the loan has it, else 0).

    Numbers below `low` count as `low`, numbers above `high` as `high`. One of the two is set where an undefined value
    of the feature counts as an end, and is then the value of that end.
    """

    feature: str
    level: str | None = None
    low: float | None = None
    high: float | None = None

    @property
    def name(self) -> str:
        """`feature` or `feature=level`."""
        return self.feature if self.level is None else f"{self.feature}={self.level}"


@dataclass(frozen=True)
class Design:
    """How features become a float32 matrix: first the numbers, then one column per level of each category.

    A missing number is NaN. A missing category, and a level that training did not see, is 0 in every column.
    """

    columns: tuple[DesignColumn, ...]

    @classmethod
    def learn(cls, features: tuple[Feature, ...], loans: pl.DataFrame, rows: NDArray[np.int64]) -> Self:
        """Learn the design of the features that vary in these rows. A category keeps its 200 most frequent levels."""
        varying = {f.name: values for f in features if _varies(values := loans[f.name].gather(rows))}
        numbers = [_number(f, varying[f.name]) for f in features if f.name in varying and f.kind == "number"]
        levels = [
            DesignColumn(feature=f.name, level=level)
            for f in features
            if f.name in varying and f.kind == "category"
            for level in _levels(varying[f.name])
        ]
        return cls((*numbers, *levels))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Column names of the matrix."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Features that have a column, in order of their first."""
        return tuple(dict.fromkeys(column.feature for column in self.columns))

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """Features that are numbers."""
        return tuple(column.feature for column in self.columns if column.level is None)

    @cached_property
    def levels(self) -> dict[str, tuple[str, ...]]:
        """Levels of each category."""
        found: dict[str, tuple[str, ...]] = {}
        for column in self.columns:
            if column.level is not None:
                found[column.feature] = (*found.get(column.feature, ()), column.level)
        return found

    def matrix(self, features: pl.DataFrame, rows: NDArray[np.int64] | None = None) -> Matrix:
        """The matrix of a features frame, or of the given rows of it in their order.

        Returns:
            Row-major array [rows, len(columns)].
        """
        height = features.height if rows is None else len(rows)
        matrix = np.zeros((height, len(self.columns)), np.float32)
        for start in range(0, height, CHUNK_ROWS):
            end = start + CHUNK_ROWS
            chunk = features.slice(start, CHUNK_ROWS) if rows is None else features[rows[start:end]]
            self._fill(matrix[start:end], chunk)
        if self._limits is not None:
            low, high = self._limits
            np.minimum(np.maximum(matrix, low, out=matrix), high, out=matrix)
        return matrix

    @cached_property
    def _limits(self) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """Lowest and highest value of each column; None if no column has any."""
        low = [-np.inf if column.low is None else column.low for column in self.columns]
        high = [np.inf if column.high is None else column.high for column in self.columns]
        if not np.isfinite([*low, *high]).any():
            return None
        return np.array(low, np.float32), np.array(high, np.float32)

    def _fill(self, matrix: Matrix, features: pl.DataFrame) -> None:
        if features.height <= MAX_ROWS_IN_PYTHON:
            self._fill_rows(matrix, features)
            return
        if self.numbers:
            matrix[:, : len(self.numbers)] = features.select(self.numbers).to_numpy()
        for name, (first, levels) in self._encoders.items():
            codes = features.get_column(name).cast(pl.Enum(list(levels)), strict=False).to_physical()
            rows = np.flatnonzero(codes.is_not_null().to_numpy())
            matrix[rows, first + codes.drop_nulls().to_numpy().astype(np.int64)] = 1

    def _fill_rows(self, matrix: Matrix, features: pl.DataFrame) -> None:
        """Same result as `_fill`; on one row at a tenth of its cost."""
        names = features.columns
        for filled, row in zip(matrix, features.rows(), strict=True):
            values = dict(zip(names, row, strict=True))
            filled[: len(self.numbers)] = [values[name] for name in self.numbers]
            for name, (first, levels) in self._encoders.items():
                if values[name] in levels:
                    filled[first + levels[values[name]]] = 1

    @cached_property
    def _encoders(self) -> dict[str, tuple[int, dict[str, int]]]:
        """For each category: its first matrix column, and the offset of each level."""
        found: dict[str, tuple[int, dict[str, int]]] = {}
        first = len(self.numbers)
        for name, levels in self.levels.items():
            found[name] = first, {level: code for code, level in enumerate(levels)}
            first += len(levels)
        return found


def _varies(values: pl.Series) -> bool:
    missing = values.null_count()
    return 0 < missing < len(values) or values.min() != values.max()


def _number(feature: Feature, values: pl.Series) -> DesignColumn:
    """The column of a number. The value of an undefined one is that of a training loan."""
    end = undefined_end(feature)
    if end is None:
        return DesignColumn(feature=feature.name)
    known = values.filter(values.abs() < LARGEST)
    share = 1 - TAIL if end > 0 else TAIL
    value = known.quantile(share, "nearest") if len(known) else 0.0
    limit = float(np.float32(value if value is not None else 0.0))
    if end > 0:
        return DesignColumn(feature=feature.name, high=limit)
    return DesignColumn(feature=feature.name, low=limit)


def _levels(values: pl.Series) -> list[str]:
    counts = values.drop_nulls().value_counts(name="rows").sort(["rows", values.name], descending=[True, False])
    return sorted(counts.head(MAX_LEVELS)[values.name])
