"""Margins of a few rows, with XGBoost's bits but without the fixed cost of a call of XGBoost (decision 15)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from loan_platform.core.models.base import Matrix

LEAF = -1
MAX_STEPS = 65_536  # nodes times rows: above it XGBoost is faster

Singles = NDArray[np.float32]
Nodes = NDArray[np.intp]


class TreeWalk:
    """Trees in XGBoost's JSON as arrays: the nodes of all trees in a row.

    Leaves are added to the base in the order of the trees and in single precision, as XGBoost does.

    Args:
        trees: at least one.
        base: margin before the first tree.
    """

    def __init__(self, trees: list[dict[str, Any]], base: np.float32) -> None:
        sizes = np.array([len(tree["left_children"]) for tree in trees], np.intp)
        self._roots: Nodes = np.cumsum(sizes) - sizes
        self._nodes, self._base = int(sizes.sum()), base
        left, right = (_joined(trees, name, np.intp) for name in ("left_children", "right_children"))
        inner, own = left != LEAF, np.arange(self._nodes, dtype=np.intp)
        first = np.repeat(self._roots, sizes)
        left, right = (
            np.where(inner, children + first, own) for children in (left, right)
        )  # the child of a leaf is the leaf
        self._children: Nodes = np.stack((right, left), axis=1).ravel()
        self._column: Nodes = np.where(inner, _joined(trees, "split_indices", np.intp), 0)
        self._value: Singles = _joined(trees, "split_conditions", np.float32)  # threshold, or what a leaf adds
        self._missing_left = _joined(trees, "default_left", np.bool_)
        self._depth = _depth(left, right, self._roots)

    def suits(self, rows: int) -> bool:
        """Whether the walk is faster than XGBoost for this number of rows."""
        return self._nodes * rows <= MAX_STEPS

    def margin(self, matrix: Matrix) -> Singles:
        """Log-odds of default before calibration, shape [rows]."""
        values = matrix.take(self._column, axis=1)
        goes_left = values < self._value
        if np.isnan(matrix).any():
            goes_left |= self._missing_left & np.isnan(values)
        start = np.arange(len(matrix))[:, None] * self._nodes
        following = (self._children.take(2 * np.arange(self._nodes) + goes_left) + start).ravel()
        at: Nodes = self._roots + start
        for _ in range(self._depth):
            at = following.take(at)
        added = np.empty((len(matrix), len(self._roots) + 1), np.float32)
        added[:, 0], added[:, 1:] = self._base, self._value.take(at - start)
        return np.add.accumulate(added, axis=1)[:, -1]


def _joined(trees: list[dict[str, Any]], name: str, dtype: Any) -> NDArray[Any]:
    return np.concatenate([np.array(tree[name], dtype) for tree in trees])


def _depth(left: Nodes, right: Nodes, roots: Nodes) -> int:
    """Steps from the roots to the farthest leaf."""
    depth, at = 0, roots
    while (inner := at[left[at] != at]).size:
        depth, at = depth + 1, np.concatenate((left[inner], right[inner]))
    return depth
