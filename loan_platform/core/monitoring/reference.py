"""The champion's development sample as frozen bins. Later batches are compared with it."""

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loan_platform.core.book.parts.strict import Strict
from loan_platform.core.features.undefined import LARGEST

Floats = NDArray[np.float64]

OTHER, NEW, MISSING = "(other)", "(new)", "(missing)"

_QUANTILE_BINS = 10
_FEW_BINS = 5  # of the other values, where one value has most loans
_MAX_LEVELS = 50
_SLICE_ROWS = 100_000  # fits into the processor's cache, and keeps casts of float32 features small


class VariableReference(Strict):
    """Bins of one variable, and the count of development loans in each.

    An edge of `LARGEST` is named `(undefined)`: a result that is not finite, such as a ratio to zero.

    - `number`: the bins are (-inf, e1], (e1, e2], ..., (ek, inf) and `(missing)`. The edges are deciles. A value that
      two deciles share, such as zero in an amount that most loans do not have, ends a bin of its own, and the other
      values have five or ten bins of the same size among themselves.
    - `values`, a number with at most ten different values, and `category`: one bin per value, then `(other)` and
      `(missing)`. `(other)` takes new values.
    - `category` with more than 50 levels: `(other)` takes the `rare` levels, and `(new)` those that no development loan
      has. The count of `(new)` is the number of levels that one loan has, taken from `(other)`: the share of unseen
      levels to expect of another sample of the same loans (I. J. Good, "The population frequencies of species and the
      estimation of population parameters", Biometrika 40, 1953).
    """

    name: str
    kind: Literal["number", "values", "category"]
    edges: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    rare: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Name of each bin, in the order of `counts`."""
        if self.kind == "category":
            return (*self.levels, OTHER, *([NEW] if self.rare else []), MISSING)
        ends = {LARGEST: "(undefined)", -LARGEST: "(undefined, low)"}
        texts = [ends.get(edge, f"{edge:.6g}") for edge in self.edges]
        if self.kind == "values":
            return (*texts, OTHER, MISSING)
        middle = [f"{low} to {high}" for low, high in pairwise(texts)]
        return (f"up to {texts[0]}", *middle, f"above {texts[-1]}", MISSING)


class Reference(Strict):
    """Frozen distributions of a development sample: its features and its scores."""

    rows: int
    score: VariableReference
    features: tuple[VariableReference, ...]

    @classmethod
    def build(cls, features: pl.DataFrame, scores: Floats) -> Self:
        """Freeze the distributions of a development sample.

        Args:
            features: One row per loan; numbers and booleans are numbers, any other type is a category.
            scores: Probability of default of the same loans, shape (rows,).

        Raises:
            ValueError: there is no row, or the two differ in length.
        """
        frame = with_scores(features, scores)
        if not len(frame):
            raise ValueError("a drift reference needs at least one development loan")
        bins = [_bins(column) for column in frame.iter_columns()]
        counted = [
            variable.model_copy(update={"counts": _with_expected_new(variable, counts, frame)})
            for variable, counts in zip(bins, count(bins, frame), strict=True)
        ]
        return cls(rows=len(frame), score=counted[0], features=tuple(counted[1:]))

    def to_json(self) -> dict[str, object]:
        """The reference as JSON values. The same sample gives the same values in any row order."""
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read the values of `to_json`.

        Raises:
            pydantic.ValidationError: `data` is not a reference.
        """
        return cls.model_validate(data)

    @property
    def variables(self) -> tuple[VariableReference, ...]:
        """The score, then every feature."""
        return (self.score, *self.features)


SCORE_COLUMN = "(score)"  # no feature of a contract can have this name


def with_scores(features: pl.DataFrame, scores: Floats) -> pl.DataFrame:
    """Features with the scores as first column.

    Raises:
        ValueError: the two differ in length.
    """
    if len(features) != len(scores):
        raise ValueError(f"{len(features)} rows of features, but {len(scores)} scores")
    return features.select(pl.Series(SCORE_COLUMN, scores, dtype=pl.Float64), pl.all())


def count(variables: Sequence[VariableReference], frame: pl.DataFrame) -> list[list[int]]:
    """Rows per bin of each variable. Every row falls into exactly one bin."""
    numbers = [v for v in variables if v.kind != "category"]
    sums = _count_numbers(numbers, frame)
    counts = {v.name: _number_counts(v, s, len(frame)) for v, s in zip(numbers, sums, strict=True)}
    counts |= {v.name: _level_counts(v, frame[v.name]) for v in variables if v.kind == "category"}
    return [counts[v.name] for v in variables]


def _bins(column: pl.Series) -> VariableReference:
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        table = _levels(column)
        ordered = sorted(table, key=lambda level: (-table[level], level))
        common, rare = (tuple(sorted(part)) for part in (ordered[:_MAX_LEVELS], ordered[_MAX_LEVELS:]))
        return VariableReference(name=column.name, kind="category", levels=common, rare=rare)
    values = column.cast(pl.Float64).drop_nulls()
    ordered = values.filter(values.is_finite()).sort().to_numpy()
    distinct = _first_distinct(ordered)
    if len(distinct) <= _QUANTILE_BINS:
        return VariableReference(name=column.name, kind="values", edges=tuple(distinct))
    edges = _edges(ordered)
    return VariableReference(name=column.name, kind="number", edges=tuple(edges))


def _edges(ordered: Floats) -> list[float]:
    cuts = _quantiles(ordered, _QUANTILE_BINS)
    masses = sorted({low for low, high in pairwise(cuts) if low == high})
    if not masses:
        return cuts
    others = ordered[~np.isin(ordered, masses)]
    bins = _QUANTILE_BINS if 2 * len(others) > len(ordered) else _FEW_BINS
    firsts = ordered.searchsorted(masses)  # the next smaller value ends the bin below, so that the mass is alone
    below = ordered[firsts[firsts > 0] - 1].tolist()
    return sorted({*masses, *below, *_quantiles(others, bins)})


def _quantiles(ordered: Floats, bins: int) -> list[float]:
    return ordered[[len(ordered) * i // bins for i in range(1, bins)]].tolist()


def _first_distinct(ordered: Floats) -> list[float]:
    """The smallest different values: at most one more than the number of `values` bins."""
    found: list[float] = []
    start = 0
    while start < len(ordered) and len(found) <= _QUANTILE_BINS:
        found.append(float(ordered[start]))
        start = int(ordered.searchsorted(found[-1], side="right"))
    return found


def _count_numbers(variables: Sequence[VariableReference], frame: pl.DataFrame) -> list[list[int]]:
    """For each variable: rows at or below each edge (`number`) or at each value (`values`), then missing rows."""
    widths = [len(v.edges) + 1 for v in variables]
    totals = np.zeros(sum(widths), dtype=np.int64)
    sums = [expression for v in variables for expression in _sums(v)]
    names = [v.name for v in variables]
    for part in frame.select(names).iter_slices(_SLICE_ROWS):
        row = part.lazy().select(pl.all().cast(pl.Float64)).select(sums).collect()
        totals += row.to_numpy()[0].astype(np.int64)
    ends = np.cumsum(widths)
    return [totals[end - width : end].tolist() for end, width in zip(ends, widths, strict=True)]


def _sums(variable: VariableReference) -> list[pl.Expr]:
    value = pl.col(variable.name)
    hits = [value <= edge if variable.kind == "number" else value == edge for edge in variable.edges]
    hits.append(value.is_null() | value.is_nan())
    return [hit.sum().alias(f"{variable.name} {i}") for i, hit in enumerate(hits)]


def _number_counts(variable: VariableReference, sums: list[int], rows: int) -> list[int]:
    *hits, missing = sums
    if variable.kind == "values":
        return [*hits, rows - missing - sum(hits), missing]
    return [*np.diff([0, *hits, rows - missing]).tolist(), missing]


def _levels(column: pl.Series) -> dict[str, int]:
    table = column.drop_nulls().cast(pl.String).value_counts()
    return dict(zip(table[column.name].to_list(), table["count"].to_list(), strict=True))


def _level_counts(variable: VariableReference, column: pl.Series) -> list[int]:
    table = _levels(column)
    listed = [table.get(level, 0) for level in variable.levels]
    missing = column.null_count()
    others = len(column) - missing - sum(listed)
    if not variable.rare:
        return [*listed, others, missing]
    rare = sum(table.get(level, 0) for level in variable.rare)
    return [*listed, rare, others - rare, missing]


def _with_expected_new(variable: VariableReference, counts: list[int], frame: pl.DataFrame) -> tuple[int, ...]:
    """The counts of the development sample, with the share of unseen levels that another sample would have."""
    if not variable.rare:
        return tuple(counts)
    *listed, rare, new, missing = counts
    once = min(rare, sum(rows == 1 for rows in _levels(frame[variable.name]).values()))
    return (*listed, rare - once, new + once, missing)
