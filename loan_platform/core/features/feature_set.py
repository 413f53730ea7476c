"""The contract's feature expressions, compiled once and run by Polars. No other code computes features."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import copysign

import polars as pl

from loan_platform.core.book.column_types import COLUMN_TYPES
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.parts.columns import Column
from loan_platform.core.book.parts.features import Feature, RowRule
from loan_platform.core.errors import ExplainedError
from loan_platform.core.features.feature_sql import feature_expression, feature_issues, first_line
from loan_platform.core.features.row_rules import ALL_KEPT, Broken, all_kept, broken_rows, each_broken, rule_issues
from loan_platform.core.features.undefined import LARGEST, defined

MAX_ROWS_IN_PYTHON = 16


class FeatureError(ExplainedError, ValueError):
    """A feature's SQL does not compile, or a frame does not hold what the contract says."""


@dataclass(frozen=True)
class FeatureSet:
    """The features of a contract that a model may use.

    Raises:
        FeatureError: at construction, for the first feature whose SQL does not compile, gives another kind than the
            contract says, or reads other rows; and for the first critical row rule that does not compile.
    """

    contract: Contract
    use_pricing: bool = False

    def __post_init__(self) -> None:
        empty = pl.DataFrame(schema=self.schema)
        for i, issue in feature_issues(self._computed, empty):
            feature = self._computed[i]
            raise FeatureError(f"feature {feature.name!r}: {issue.message}; its SQL is: {feature.sql}")
        for i, issue in rule_issues(self._rules, empty):
            rule = self._rules[i]
            raise FeatureError(f"row rule {rule.name!r}: {issue.message}; its SQL is: {rule.sql}")

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """The features, in contract order."""
        return self.contract.features_for(self.use_pricing)

    @cached_property
    def inputs(self) -> tuple[Column, ...]:
        """The columns that features, exposure and critical row rules read, in contract order."""
        return self.contract.application_columns(self.use_pricing)

    @cached_property
    def schema(self) -> dict[str, type[pl.DataType]]:
        """Polars type in which features and row rules read each input. A frame of these types needs no casts."""
        return input_schema(self._computed, self.contract, self._rules)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Feature names, in contract order."""
        return tuple(feature.name for feature in self.features)

    def compute(self, frame: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
        """Compute the features of each row, and after them the column `exposure` if the contract has an exposure.

        A row's features depend on that row alone, to the last bit. Columns beyond the contract are ignored. An absent
        column is missing. A result that is not finite, such as a ratio to zero, is what the feature's `when_undefined`
        says: missing, or `LARGEST` in size.

        Returns:
            One row per input row, in the same order: numbers Float64, categories String, in contract order.

        Raises:
            FeatureError: a column holds another type than the contract says.
        """
        typed = self._typed(frame)
        return self._defined(self._selected(typed, self._expressions))

    def compute_checked(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, Broken]:
        """As `compute`, with the critical row rules that each row breaks; computed in the same pass.

        Raises:
            FeatureError: as `compute` does.
        """
        if not self._rules:
            return self.compute(frame), {}
        typed = self._typed(frame)
        found = self._selected(typed, self._checked_expressions)
        kept = found.drop_in_place(ALL_KEPT)  # of a frame that nobody else has; a slice takes 200 µs more
        return self._defined(found), {} if kept.all() else self._broken(typed)

    def broken_rules(self, frame: pl.DataFrame) -> Broken:
        """The critical row rules that each row of typed columns breaks.

        Raises:
            FeatureError: a column holds another type than the contract says.
        """
        return self._broken(self._typed(frame)) if self._rules else {}

    def _broken(self, typed: pl.DataFrame) -> Broken:
        return broken_rows(self._rules, self._selected(typed, each_broken(self._rules, self.schema)))

    def _selected(self, typed: pl.DataFrame, expressions: list[pl.Expr]) -> pl.DataFrame:
        try:
            return typed.vstack(self._null_rows).select(expressions).head(typed.height)
        except pl.exceptions.PolarsError as error:
            raise FeatureError(f"features cannot be computed: {first_line(error)}") from error

    def _defined(self, features: pl.DataFrame) -> pl.DataFrame:
        """Every number finite in single precision and without the sign of zero, or null."""
        if features.height <= MAX_ROWS_IN_PYTHON and not any(_unclean(features)):
            return features  # same result as below; on one row at a tenth of the cost
        return features.with_columns(self._definitions)

    @cached_property
    def _definitions(self) -> list[pl.Expr]:
        numbers = (feature for feature in self._computed if feature.kind == "number")
        return [defined(feature, pl.col(feature.name)).alias(feature.name) for feature in numbers]

    @cached_property
    def _computed(self) -> tuple[Feature, ...]:
        return self.contract.computed(self.use_pricing)

    @cached_property
    def _columns(self) -> tuple[list[str], list[pl.DataType]]:
        return list(self.schema), [dtype() for dtype in self.schema.values()]

    @cached_property
    def _null_rows(self) -> pl.DataFrame:
        """Rows that keep each column a column: Polars holds a single row, or one repeated value, as a scalar.

        Polars multiplies a column by the inverse of a literal divisor, but divides a scalar. The last bits differ.
        There are two rows: a missing value and one row of nulls are a scalar again, for which `1 <= x` has one row.
        """
        return pl.DataFrame({name: [None, None] for name in self.schema}, schema=self.schema)

    @cached_property
    def _expressions(self) -> list[pl.Expr]:
        empty = pl.DataFrame(schema=self.schema)
        return [feature_expression(feature, empty) for feature in self._computed]

    @cached_property
    def _rules(self) -> tuple[RowRule, ...]:
        return self.contract.critical_rules

    @cached_property
    def _checked_expressions(self) -> list[pl.Expr]:
        return [*self._expressions, all_kept(self._rules, self.schema)]

    def _typed(self, frame: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
        """Exactly the input columns, in their order and type."""
        if isinstance(frame, pl.LazyFrame):
            present = [name for name in frame.collect_schema() if name in self.schema]
            frame = frame.select(present or pl.all()).collect()
        if (frame.columns, frame.dtypes) == self._columns:
            return frame
        found = frame.schema
        casts = [_cast(column, found.get(column.name), self.schema[column.name]) for column in self.inputs]
        return frame.with_columns(casts).select(*self.schema)


def input_schema(
    features: tuple[Feature, ...], contract: Contract, rules: tuple[RowRule, ...] = ()
) -> dict[str, type[pl.DataType]]:
    """Polars type in which features and row rules read each column, in contract order.

    Integers are read as Float64, which is exact up to 2^53. An integer that a category reads stays an integer: its text
    is "2", not "2.0".
    """
    read = frozenset[str]().union(*(part.columns for part in (*features, *rules)))
    as_text = frozenset[str]().union(*(f.columns for f in features if f.kind == "category"))
    return {
        c.name: pl.Float64 if c.type == "integer" and c.name not in as_text else COLUMN_TYPES[c.type].dtype
        for c in contract.columns
        if c.name in read
    }


def _unclean(features: pl.DataFrame) -> Iterator[bool]:
    """For each row: whether a number is not finite, too large, or zero with a sign."""
    for row in features.rows():
        yield not all(
            (0 < abs(value) <= LARGEST) or (value == 0.0 and copysign(1, value) > 0)
            for value in row
            if isinstance(value, float)
        )


def _cast(column: Column, found: pl.DataType | None, wanted: type[pl.DataType]) -> pl.Expr:
    value = pl.col(column.name)
    if found == wanted:
        return value
    if found is None:
        return pl.lit(None, dtype=wanted()).alias(column.name)
    if not _castable(found, wanted):
        raise FeatureError(f"column {column.name!r} is {column.type} in the contract and holds {found}")
    if wanted == pl.Int64 and found.is_float():
        return _whole(value, column.name)
    if isinstance(found, pl.Datetime) and found.time_zone is not None:
        value = value.dt.replace_time_zone(None)  # the day of its own clock, not of UTC
    return value.cast(wanted)


def _castable(found: pl.DataType, wanted: type[pl.DataType]) -> bool:
    if found == pl.Null:
        return True
    if wanted in (pl.Float64, pl.Int64):
        return found.is_numeric() or found == pl.Boolean
    if wanted == pl.Date:
        return isinstance(found, pl.Datetime)
    return wanted == pl.String and isinstance(found, pl.Categorical | pl.Enum)


def _whole(value: pl.Expr, name: str) -> pl.Expr:
    def to_integer(values: pl.Series) -> pl.Series:
        known = values.fill_nan(None)
        if (known != known.floor()).any():
            raise FeatureError(f"column {name!r} is integer in the contract and holds fractions")
        return known.cast(pl.Int64)

    return value.map_batches(to_integer, return_dtype=pl.Int64, is_elementwise=True)
