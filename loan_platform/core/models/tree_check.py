"""Checks XGBoost's JSON before XGBoost reads it: its C++ code trusts the indices of a damaged file."""

from typing import Any, cast

LEAF = -1
ROOT_PARENT = 2**31 - 1
WHOLE = ("left_children", "right_children", "parents", "split_indices", "default_left", "split_type")
REAL = ("split_conditions", "base_weights", "loss_changes", "sum_hessian")
LARGEST = 3.4028234663852886e38  # of single precision, in which XGBoost keeps numbers
NO_CATEGORIES: dict[str, Any] = {"enc": [], "feature_segments": [], "sorted_idx": []}
TREE_LISTS = ("categories", "categories_nodes", "categories_segments", "categories_sizes")  # of categorical splits
LEARNER = {"num_class": "0", "num_target": "1"}
FRAME: dict[str, Any] = {
    "booster": ["learner", "version"],
    "learner": {"attributes": {}, "feature_names": [], "feature_types": []},
    "gradient_booster": {"name": "gbtree"},
    "model": {"cats": NO_CATEGORIES},
    "objective": {"name": "binary:logistic", "reg_loss_param": {"scale_pos_weight": "1"}},
}
MAX_NODES = 5_000_000


def check_booster(booster: dict[str, Any], columns: int) -> None:
    """Raise ValueError unless this is a sound gbtree of a binary logistic model with this number of columns.

    Around the trees it must have what training writes, and nothing else. The arrays of a tree must have one length and
    finite numbers. Its splits must read existing columns, and exactly one path must lead from its root to each node.
    """
    try:
        model = booster["learner"]["gradient_booster"]["model"]
        if not isinstance(model["trees"], list):
            raise TypeError("the trees are no list")
        trees = cast("list[Any]", model["trees"])
        told = _around_the_trees(booster)
        _check_counts(model, len(trees))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not the JSON of an XGBoost model: {error!r}") from error
    expected = {**FRAME, "learner_model_param": {**LEARNER, "num_feature": str(columns)}}
    for name, value in expected.items():
        if told[name] != value:
            raise ValueError(f"{name} is not what training writes for {columns} columns: {told[name]}")
    for number, tree in enumerate(trees):
        if reason := _tree_problem(tree, number, columns):
            raise ValueError(f"tree {number}: {reason}")


def _around_the_trees(booster: dict[str, Any]) -> dict[str, Any]:
    """All of the JSON but the trees, their numbers, and figures that may have any finite value."""
    learner = dict(booster["learner"])
    boosted = dict(learner.pop("gradient_booster"))
    model = dict(boosted.pop("model"))
    params, objective = dict(learner.pop("learner_model_param")), dict(learner.pop("objective"))
    base = params.pop("base_score")
    if not isinstance(base, str) or not 0 < float(base.removeprefix("[").removesuffix("]")) < 1:
        raise ValueError("base_score is not a probability")
    if params.pop("boost_from_average") not in ("0", "1"):  # whether the base was given to the training
        raise ValueError("boost_from_average is neither 0 nor 1")
    version = booster["version"]
    if not isinstance(version, list) or [type(part) for part in cast("list[Any]", version)] != [int, int, int]:
        raise ValueError("the version is not three whole numbers")
    for name in ("trees", "tree_info", "iteration_indptr", "gbtree_model_param"):
        model.pop(name)
    return {
        "booster": sorted(booster),
        "learner": learner,
        "gradient_booster": boosted,
        "model": {"cats": NO_CATEGORIES, **model},  # XGBoost before 3.1 wrote none
        "objective": objective,
        "learner_model_param": params,
    }


def _check_counts(model: dict[str, Any], trees: int) -> None:
    params = dict(model["gbtree_model_param"])
    parallel = params.get("num_parallel_tree")
    if params != {"num_trees": str(trees), "num_parallel_tree": parallel} or not isinstance(parallel, str):
        raise ValueError("the number of trees is not the declared one")
    rounds = [str(number) for number in range(1, trees + 1) if trees % number == 0]
    if trees and parallel not in rounds:
        raise ValueError("the trees are not whole rounds")
    if not _are(model["tree_info"], [0] * trees):
        raise ValueError("a tree is of another group")
    if not _are(model["iteration_indptr"], list(range(0, trees + 1, int(parallel) if trees else 1))):
        raise ValueError("the rounds do not begin where the trees do")


def _are(values: Any, expected: list[int]) -> bool:
    """Whether these are these whole numbers. In JSON, true and 1.0 are other values."""
    return values == expected and all(type(value) is int for value in values)


def _tree_problem(tree: Any, number: int, columns: int) -> str | None:
    try:
        nodes = int(tree["tree_param"]["num_nodes"])
        arrays: dict[str, Any] = {name: tree[name] for name in (*WHOLE, *REAL)}
        lists: list[Any] = [tree[name] for name in TREE_LISTS]
        others = {name: tree[name] for name in tree if name not in (*WHOLE, *REAL, *TREE_LISTS)}
    except (KeyError, TypeError, ValueError) as error:
        return f"not a tree: {error!r}"
    if not 0 < nodes <= MAX_NODES:
        return f"{nodes} nodes"
    return _parameter_problem(others, number, nodes, columns) or _array_problem(arrays, lists, nodes, columns)


def _parameter_problem(others: dict[str, Any], number: int, nodes: int, columns: int) -> str | None:
    sizes = {"num_deleted": "0", "num_feature": str(columns), "num_nodes": str(nodes), "size_leaf_vector": "1"}
    if others != {"id": number, "tree_param": sizes} or type(others["id"]) is not int:
        return "its parameters are not what training writes"
    return None


def _array_problem(arrays: dict[str, Any], lists: list[Any], nodes: int, columns: int) -> str | None:
    for name, values in arrays.items():
        if not _is_list_of(values, nodes, int if name in WHOLE else float):
            return f"{name} does not have one finite number per node"
    if not all(type(column) is int and 0 <= column < columns for column in arrays["split_indices"]):
        return "a node reads a column that does not exist"
    if arrays["parents"][0] != ROOT_PARENT or not set(arrays["default_left"]) <= {0, 1}:
        return "its root or a direction of missing values is not what training writes"
    if lists != [[]] * len(lists) or any(arrays["split_type"]):
        return "a split that is not numerical"
    return _shape_problem(arrays, nodes)


def _is_list_of(values: Any, count: int, kind: type) -> bool:
    """Whether this is a list of `count` numbers of this type that XGBoost can hold."""
    if not isinstance(values, list) or len(cast("list[Any]", values)) != count:
        return False
    return all(type(v) is kind and -LARGEST <= v <= LARGEST for v in cast("list[Any]", values))


def _shape_problem(arrays: dict[str, list[Any]], nodes: int) -> str | None:
    seen = 1
    for node, (left, right) in enumerate(zip(arrays["left_children"], arrays["right_children"], strict=True)):
        if left == LEAF and right == LEAF:
            continue
        for child in (left, right):
            if not isinstance(child, int) or not node < child < nodes or arrays["parents"][child] != node:
                return f"node {node} has an impossible child"
        if left == right:
            return f"node {node} has one child twice"
        seen += 2
    return None if seen == nodes else f"{nodes - seen} nodes cannot be reached"
