"""Exact Shapley values of trees from tables, a few times faster than XGBoost's own `pred_contribs` on shallow trees.

Path-dependent TreeSHAP (Lundberg, Erion and Lee 2018, algorithm 2). A leaf adds its value where a row meets all
conditions on its path, so its game is a product with one factor per column on the path. The factor is 1 or 0 where the
column is known. Where it is not, it is the share of the training weight that goes the leaf's way. With k columns on the
path there are 2^k results, which are computed once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import factorial
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from loan_platform.core.models.base import Floats, Matrix

LEAF = -1
ROWS_AT_ONCE = 8  # as many as fit into the cache of a core
MAX_COLUMNS, MAX_ENTRIES = 8, 8_000_000


class Condition(NamedTuple):
    """A path's condition on one column: low <= value < high, or a missing value. `share` of the weight meets it."""

    low: float
    high: float
    missing: bool
    share: float


EVERYTHING = Condition(-np.inf, np.inf, True, 1.0)


@dataclass(frozen=True)
class Path:
    """A leaf: its value, and the conditions on its path by column."""

    value: float
    conditions: dict[int, Condition]


def paths(tree: dict[str, Any]) -> Iterator[Path]:
    """The leaves of a tree in XGBoost's JSON, each with its path."""
    left, right, column = tree["left_children"], tree["right_children"], tree["split_indices"]
    threshold, default_left, weight = tree["split_conditions"], tree["default_left"], tree["sum_hessian"]
    waiting: list[tuple[int, dict[int, Condition]]] = [(0, {})]
    while waiting:
        node, known = waiting.pop()
        if left[node] == LEAF:
            yield Path(threshold[node], known)
            continue
        at, by = column[node], threshold[node]
        low, high, missing, share = known.get(at, EVERYTHING)
        both = weight[left[node]] + weight[right[node]]
        goes = weight[left[node]] / both if both else 0.5
        smaller = Condition(low, min(high, by), missing and bool(default_left[node]), share * goes)
        larger = Condition(max(low, by), high, missing and not default_left[node], share * (1 - goes))
        waiting += [(left[node], {**known, at: smaller}), (right[node], {**known, at: larger})]


class TreeShap:
    """Shapley values of an ensemble of trees.

    Args:
        leaves: of all trees, except trees of one leaf.
        columns: number of matrix columns.
    """

    @classmethod
    def from_trees(cls, trees: list[dict[str, Any]], columns: int) -> Self | None:
        """The tables of trees in XGBoost's JSON; None if the trees are so deep that the tables take over 64 MB."""
        leaves = [path for tree in trees for path in paths(tree) if path.conditions]
        sizes = [len(path.conditions) for path in leaves]
        deepest = max(sizes, default=0)
        fits = deepest <= MAX_COLUMNS and sum(sizes) * 2**deepest <= MAX_ENTRIES
        return cls(leaves, columns) if fits else None

    def __init__(self, leaves: list[Path], columns: int) -> None:
        size = max((len(path.conditions) for path in leaves), default=0)
        asked = [sorted(path.conditions.items()) for path in leaves]
        asked = [[*known, *[(0, EVERYTHING)] * (size - len(known))] for known in asked]
        tests = [[(at, *condition[:3]) for at, condition in known] for known in asked]
        different = {test: i for i, test in enumerate(dict.fromkeys(test for known in tests for test in known))}
        shape = (len(leaves), size)
        self._test = np.array([[different[test] for test in known] for known in tests], np.intp).reshape(shape).T
        self._column = np.array([column for column, *_ in different], np.intp)
        self._low = np.array([low for _, low, _, _ in different], np.float32)[:, None]
        self._high = np.array([high for _, _, high, _ in different], np.float32)[:, None]
        self._missing = np.array([missing for *_, missing in different], np.bool_)[:, None]
        share = np.array([[condition.share for _, condition in known] for known in asked], np.float64).reshape(shape).T
        self._columns = columns
        self._bit = (1 << np.arange(size, dtype=np.uint8))[:, None, None]
        tables = _shapley(np.array([path.value for path in leaves], np.float64), share)
        real = np.array([len(path.conditions) for path in leaves], np.int64) > np.arange(size)[:, None]
        slot, leaf = np.nonzero(real)
        column = self._column[self._test[slot, leaf]]
        order = np.argsort(column, kind="stable")
        slot, self._leaf = slot[order], leaf[order]
        self._present, self._starts = np.unique(column[order], return_index=True)
        self._answers: Floats = tables[slot, self._leaf].ravel()
        self._offset = (np.arange(len(order)) << size)[:, None]

    def values(self, matrix: Matrix) -> Floats:
        """Contribution of each column to the margin, shape [rows, columns]. A row's bits depend on that row alone."""
        found = np.zeros((len(matrix), self._columns))
        for start in range(0, len(matrix) if len(self._leaf) else 0, ROWS_AT_ONCE):
            rows = matrix[start : start + ROWS_AT_ONCE]
            # A single row would be summed in another order than many rows.
            x = np.ascontiguousarray((rows if len(rows) > 1 else np.repeat(rows, 2, axis=0)).T)
            met = np.bitwise_or.reduce(self._met(x) * self._bit, axis=0).astype(np.intp)
            at: NDArray[np.intp] = met.take(self._leaf, axis=0)
            at += self._offset
            sums = np.add.reduceat(self._answers.take(at), self._starts, axis=0)
            found[start : start + len(rows), self._present] = sums.T[: len(rows)]
        return found

    def _met(self, x: Matrix) -> NDArray[np.bool_]:
        """Whether each row meets each condition, shape [conditions of a leaf, leaves, rows]."""
        values: Matrix = x.take(self._column, axis=0)  # a tenth of the time of x[...]
        met = values >= self._low
        met &= values < self._high
        unknown = np.isnan(x)
        if unknown.any():
            met |= self._missing & unknown.take(self._column, axis=0)
        return met.take(self._test, axis=0)


def _shapley(value: Floats, share: Floats) -> Floats:
    """Shapley values, shape [conditions of a leaf, leaves, bit pattern of the conditions that are met]."""
    size, leaves = share.shape
    pattern = np.arange(2**size, dtype=np.int64)
    met = [np.array((pattern >> slot) & 1, np.float64) for slot in range(size)]
    total: Floats = np.zeros((size, leaves, 2**size))
    for slot in range(size):
        others = [i for i in range(size) if i != slot]
        for count in range(size):
            weight = factorial(count) * factorial(size - count - 1) / factorial(size)
            for known in combinations(others, count):
                product: Floats = np.full((leaves, 2**size), weight)
                for i in others:
                    product *= met[i] if i in known else share[i][:, None]
                total[slot] += product
        total[slot] *= (met[slot] - share[slot][:, None]) * value[:, None]
    return total
