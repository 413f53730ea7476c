"""The contract's feature expressions, compiled once and run by Polars: the only feature code there is."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import isfinite

import polars as pl
import sqlglot
from sqlglot import exp

from loan_platform.core.contract import Column, Contract, Feature
from loan_platform.core.errors import ExplainedError

POLARS_TYPES: dict[str, type[pl.DataType]] = {
    "number": pl.Float64,
    "percent": pl.Float64,
    "integer": pl.Int64,
    "boolean": pl.Boolean,
    "date": pl.Date,
    "text": pl.String,
}
FEW_ROWS = 16


class FeatureError(ExplainedError, ValueError):
    """A feature's SQL does not compile, or a frame does not hold what the contract says."""


@dataclass(frozen=True)
class FeatureSet:
    """The features of a contract that a model may use.

    Raises:
        FeatureError: at construction, for the first feature whose SQL does not compile, does not give the
            promised kind, or looks beyond its own row; with the feature, its SQL and the reason.
    """

    contract: Contract
    use_pricing: bool = False

    def __post_init__(self) -> None:
        empty = pl.DataFrame(schema=self.schema)
        for feature in self.features:
            _check(feature, empty)

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """The features, in contract order."""
        return self.contract.features_for(self.use_pricing)

    @cached_property
    def inputs(self) -> tuple[Column, ...]:
        """The columns that the features read, in contract order."""
        return self.contract.application_columns(self.use_pricing)

    @cached_property
    def schema(self) -> dict[str, type[pl.DataType]]:
        """Polars type in which the features read each input; a frame that has them is computed fastest.

        Integers are read as Float64 (exact up to 2^53), but where a category is made of one: its text is "2".
        """
        as_text = frozenset[str]().union(*(f.columns for f in self.features if f.kind == "category"))
        return {
            c.name: pl.Float64 if c.type == "integer" and c.name not in as_text else POLARS_TYPES[c.type]
            for c in self.inputs
        }

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Feature names, in contract order."""
        return tuple(feature.name for feature in self.features)

    def compute(self, frame: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
        """Features of every row of a frame of typed columns.

        A row's features depend on that row alone, to the last bit. Columns beyond the contract are ignored, an
        absent column counts as missing, and a result that is not finite (a ratio to zero) is missing.

        Returns:
            One row per input row, in the same order: numbers Float64, categories String, in contract order.

        Raises:
            FeatureError: a column holds another type than the contract says.
        """
        typed = self._typed(frame)
        try:
            features = typed.vstack(self._null_row).select(self._expressions)
        except pl.exceptions.PolarsError as error:
            raise FeatureError(f"features cannot be computed: {_first_line(error)}") from error
        return _finite(features.head(typed.height))

    @cached_property
    def _columns(self) -> list[tuple[str, pl.DataType]]:
        return [(name, dtype()) for name, dtype in self.schema.items()]

    @cached_property
    def _null_row(self) -> pl.DataFrame:
        """Keeps each column a column: Polars holds one row, and one repeated value, as a scalar.

        A column divided by a literal is multiplied by its inverse, a scalar is divided, and the last bits differ.
        """
        return pl.DataFrame({name: [None] for name in self.schema}, schema=self.schema)

    @cached_property
    def _expressions(self) -> list[pl.Expr]:
        empty = pl.DataFrame(schema=self.schema)
        return [_expression(feature, empty) for feature in self.features]

    def _typed(self, frame: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
        """Exactly the input columns, in their order and type."""
        if isinstance(frame, pl.LazyFrame):
            present = [name for name in frame.collect_schema() if name in self.schema]
            frame = frame.select(present or pl.all()).collect()
        found = frame.schema
        if list(found.items()) == self._columns:
            return frame
        casts = [_cast(column, found.get(column.name), self.schema[column.name]) for column in self.inputs]
        return frame.with_columns(casts).select(*self.schema)


def _expression(feature: Feature, empty: pl.DataFrame) -> pl.Expr:
    wanted = pl.String if feature.kind == "category" else pl.Float64
    value = pl.sql_expr(feature.sql).alias(feature.name)
    return value if empty.select(value).dtypes == [wanted] else value.cast(wanted)


def _finite(features: pl.DataFrame) -> pl.DataFrame:
    """Not a number and infinity become null: there is one kind of missing."""
    if features.height <= FEW_ROWS and not any(_not_finite(features)):
        return features  # what the expressions below would give, for a tenth of their cost on one row
    numbers = pl.col(pl.Float64)
    return features.with_columns(pl.when(numbers.is_finite()).then(numbers))


def _not_finite(features: pl.DataFrame) -> Iterator[bool]:
    for row in features.iter_rows():
        yield not all(isfinite(value) for value in row if isinstance(value, float))


def _check(feature: Feature, empty: pl.DataFrame) -> None:
    if not feature.columns:
        raise _error(feature, "reads no column")
    if reason := _looks_beyond_its_row(feature.sql):
        raise _error(feature, reason)
    try:
        dtype = empty.select(pl.sql_expr(feature.sql).alias(feature.name)).dtypes[0]
        empty.select(_expression(feature, empty))
    except pl.exceptions.PolarsError as error:
        raise _error(feature, _first_line(error)) from error
    is_number = dtype.is_numeric() or isinstance(dtype, pl.Boolean | pl.Null)
    if feature.kind == "number" and not is_number:
        raise _error(feature, f"gives {dtype}, not a number; is `kind: category` missing?")


def _looks_beyond_its_row(sql: str) -> str | None:
    """A sum or a rank over the batch would make a loan's features depend on its neighbours."""
    tree = sqlglot.parse_one(f"SELECT {sql}", read="duckdb")
    for node in (*tree.find_all(exp.AggFunc), *tree.find_all(exp.Window), *tree.find_all(exp.Subquery)):
        return f"a feature is computed from one row alone, and {node.sql()} looks at others"
    return None


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


def _error(feature: Feature, reason: str) -> FeatureError:
    return FeatureError(f"feature {feature.name!r}: {reason}; its SQL is: {feature.sql}")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
