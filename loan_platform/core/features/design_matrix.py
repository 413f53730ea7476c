"""The design matrix: features as the columns of numbers that a model reads."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loan_platform.core.book.parts.features import Feature
from loan_platform.core.features.design_column import DesignColumn
from loan_platform.core.features.learned_columns import category_columns, number_columns
from loan_platform.core.features.rare_states import Development

Matrix = NDArray[np.float32]

CHUNK_ROWS = 65_536
MAX_ROWS_IN_PYTHON = 16


@dataclass(frozen=True)
class Design:
    """How features become a float32 matrix: first the numbers, then one column per level of each category.

    A missing number is NaN, and a missing category 0 in every column, if training saw enough of them. Another value of
    the feature stands in for what training saw too seldom. Levels that are enough only together share
    a column.
    """

    columns: tuple[DesignColumn, ...]

    @classmethod
    def learn(
        cls,
        features: tuple[Feature, ...],
        loans: pl.DataFrame,
        rows: NDArray[np.int64],
        development: Development | None = None,
    ) -> Self:
        """Learn the design of the features that vary in these rows.

        Args:
            features: of the contract.
            loans: their values.
            rows: the loans of the development sample.
            development: the outcomes of these loans, and how many a state needs. A category keeps its 200 most
                frequent levels that have so many. Its other levels share a column if they have so many together.
        """
        known = development or Development()
        values = {f.name: loans[f.name].gather(rows) for f in features}
        numbers = [c for f in features if f.kind == "number" for c in number_columns(f, values[f.name], known)]
        levels = [c for f in features if f.kind == "category" for c in category_columns(f, values[f.name], known)]
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
        """Levels of each category that have a column of their own."""
        return {
            name: tuple(c.level for c in columns if c.level is not None and not c.rare)
            for name, columns in self._categories.items()
        }

    @cached_property
    def _categories(self) -> dict[str, tuple[DesignColumn, ...]]:
        """The columns of each category, in the order of the matrix."""
        found: dict[str, tuple[DesignColumn, ...]] = {}
        for column in self.columns:
            if column.level is not None:
                found[column.feature] = (*found.get(column.feature, ()), column)
        return found

    @cached_property
    def stand_ins(self) -> dict[str, str]:
        """What stands for a missing value, as text, for each feature whose missing value training saw too seldom."""
        numbers = {c.feature: f"{c.missing:g}" for c in self.columns if c.level is None and c.missing is not None}
        return numbers | {c.feature: c.level for c in self.columns if c.level is not None and c.missing == 1}

    def not_seen(self, values: pl.Series) -> pl.Series:
        """Whether a value stands in for each value of a feature, because training saw it too seldom."""
        columns = [column for column in self.columns if column.feature == values.name]
        missing = (
            values.is_null()
            if any(c.missing is not None for c in columns)
            else pl.repeat(False, len(values), eager=True)
        )
        if all(column.unseen is None for column in columns):
            return missing
        seen = [level for column in columns for level in column.taken]
        return missing | ~values.is_in(seen).fill_null(True)

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
        if self._missing_numbers is not None:
            numbers = matrix[:, : len(self.numbers)]
            np.copyto(numbers, self._missing_numbers, where=np.isnan(numbers))
        if self._limits is not None:
            low, high = self._limits
            np.minimum(np.maximum(matrix, low, out=matrix), high, out=matrix)
        return matrix

    @cached_property
    def _missing_numbers(self) -> NDArray[np.float32] | None:
        """What stands for a missing number, NaN where nothing does; None if nothing does in any column."""
        found = [column.missing for column in self.columns if column.level is None]
        if not any(value is not None for value in found):
            return None
        return np.array([np.nan if value is None else value for value in found], np.float32)

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
        for name, category in self._encoders.items():
            values = features.get_column(name)
            codes = values.cast(category.names, strict=False).to_physical()
            rows = np.flatnonzero(codes.is_not_null().to_numpy())
            matrix[rows, category.places[codes.drop_nulls().to_numpy()]] = 1
            if len(rows) < len(values):
                missing = values.is_null().to_numpy()
                matrix[missing, category.columns] = category.missing
                matrix[codes.is_null().to_numpy() & ~missing, category.columns] = category.unseen

    def _fill_rows(self, matrix: Matrix, features: pl.DataFrame) -> None:
        """Same result as `_fill`; on one row at a tenth of its cost."""
        names = features.columns
        for filled, row in zip(matrix, features.rows(), strict=True):
            values = dict(zip(names, row, strict=True))
            filled[: len(self.numbers)] = [values[name] for name in self.numbers]
            for name, category in self._encoders.items():
                if (value := values[name]) in category.codes:
                    filled[category.first + category.codes[value]] = 1
                else:
                    filled[category.columns] = category.missing if value is None else category.unseen

    @cached_property
    def _encoders(self) -> dict[str, "_Category"]:
        """How each category is encoded."""
        found: dict[str, _Category] = {}
        first = len(self.numbers)
        for name, own in self._categories.items():
            missing, unseen = (
                [value or 0.0 for value in values]
                for values in zip(*((column.missing, column.unseen) for column in own), strict=True)
            )
            codes = {level: code for code, column in enumerate(own) for level in column.taken}
            columns = slice(first, first + len(own))
            found[name] = _Category(first, columns, codes, np.array(missing, np.float32), np.array(unseen, np.float32))
            first += len(own)
        return found


@dataclass(frozen=True)
class _Category:
    """The matrix columns of a category, the place of each level among them, and what they hold without a level."""

    first: int
    columns: slice
    codes: dict[str, int]
    missing: NDArray[np.float32]
    unseen: NDArray[np.float32]

    @cached_property
    def names(self) -> pl.Enum:
        """The levels as a type whose codes are the places in `places`."""
        return pl.Enum(list(self.codes))

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """The column of the matrix of each level."""
        return self.first + np.array(list(self.codes.values()), np.int64)
