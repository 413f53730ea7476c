"""Checks XGBoost's JSON before XGBoost reads it: its C++ code trusts the indices of a damaged file."""

from math import isfinite
from typing import Any, cast

LEAF = -1
NODE_ARRAYS = (
    "left_children",
    "right_children",
    "parents",
    "split_indices",
    "split_conditions",
    "default_left",
    "split_type",
    "base_weights",
    "loss_changes",
    "sum_hessian",
)
MAX_NODES = 5_000_000


def check_booster(booster: dict[str, Any], columns: int) -> None:
    """Raise ValueError unless this is a sound gbtree of a binary logistic model with this number of columns.

    The arrays of a tree must have one length and finite numbers. Its splits must read existing columns, and exactly
    one path must lead from its root to each node.
    """
    try:
        learner = booster["learner"]
        name = learner["objective"]["name"], learner["gradient_booster"]["name"]
        features = int(learner["learner_model_param"]["num_feature"])
        model = learner["gradient_booster"]["model"]
        trees, groups = model["trees"], model["tree_info"]
        declared = int(model["gbtree_model_param"]["num_trees"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not the JSON of an XGBoost model: {error!r}") from error
    if name != ("binary:logistic", "gbtree"):
        raise ValueError(f"objective and booster are {name}, not binary:logistic and gbtree")
    if features != columns:
        raise ValueError(f"the trees read {features} columns, the design has {columns}")
    if not isinstance(trees, list) or len(cast("list[Any]", trees)) != declared or groups != [0] * declared:
        raise ValueError("the number of trees is not the declared one")
    for number, tree in enumerate(cast("list[Any]", trees)):
        if reason := _tree_problem(tree, columns):
            raise ValueError(f"tree {number}: {reason}")


def _tree_problem(tree: Any, columns: int) -> str | None:
    try:
        nodes = int(tree["tree_param"]["num_nodes"])
        arrays: dict[str, Any] = {name: tree[name] for name in NODE_ARRAYS}
        categories = tree["categories"]
    except (KeyError, TypeError, ValueError) as error:
        return f"not a tree: {error!r}"
    if not 0 < nodes <= MAX_NODES:
        return f"{nodes} nodes"
    for name, values in arrays.items():
        if not _is_list_of(values, nodes):
            return f"{name} does not have one finite number per node"
    if categories or any(arrays["split_type"]):
        return "a split that is not numerical"
    return _shape_problem(arrays, nodes, columns)


def _is_list_of(values: Any, count: int) -> bool:
    """Whether this is a list of `count` finite numbers."""
    if not isinstance(values, list) or len(cast("list[Any]", values)) != count:
        return False
    return all(isinstance(v, int | float) and isfinite(v) for v in cast("list[Any]", values))


def _shape_problem(arrays: dict[str, list[Any]], nodes: int, columns: int) -> str | None:
    seen = 1
    for node, (left, right) in enumerate(zip(arrays["left_children"], arrays["right_children"], strict=True)):
        if left == LEAF and right == LEAF:
            continue
        column = arrays["split_indices"][node]
        if not isinstance(column, int) or not 0 <= column < columns:
            return f"node {node} splits on a column that does not exist"
        for child in (left, right):
            if not isinstance(child, int) or not node < child < nodes or arrays["parents"][child] != node:
                return f"node {node} has an impossible child"
        if left == right:
            return f"node {node} has one child twice"
        seen += 2
    return None if seen == nodes else f"{nodes - seen} nodes cannot be reached"
