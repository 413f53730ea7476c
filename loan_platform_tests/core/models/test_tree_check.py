"""No change of a tree model's JSON reaches XGBoost's native code but a finite number where any is allowed."""

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import xgboost

from loan_platform.core.models.tree_check import check_booster

COLUMNS = 3
BAD = (-1, 0, 1, 7, 2**31, -(2**31), 10**30, 1.5, 1e308, "", "0", "-1", "99999999999", "nan", None, True, [], [0], {})
# Any finite number is a sound one here: the hash and the golden rows say whether it is the model's.
FREE = (
    "base_weights",
    "loss_changes",
    "sum_hessian",
    "split_conditions",
    "base_score",
    "boost_from_average",
    "version",
)

# Loads every booster that comes on a line of its own, and answers rows with it. A crash ends it.
LOAD = """
import json, sys
import numpy as np
import xgboost
rows = np.array([[0.0, 1.0, -1.0], [np.nan] * 3, [1e300, -1e300, 0.0]], np.float32)
for line in sys.stdin:
    booster = xgboost.Booster()
    booster.load_model(bytearray(line, "ascii"))
    assert np.isfinite(booster.inplace_predict(rows, predict_type="margin")).all(), line
    print("answered")
"""


def made(parallel: int) -> dict[str, Any]:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(200, COLUMNS))
    settings = {"objective": "binary:logistic", "max_depth": 2, "num_parallel_tree": parallel, "base_score": 0.4}
    booster = xgboost.train(settings, xgboost.DMatrix(x, (x[:, 0] > 0).astype(np.float64)), 2)
    return json.loads(bytes(booster.save_raw("json")))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each key and element, lists of lists by their first and last element."""
    yield path
    if isinstance(value, dict):
        for name in value:
            yield from places(value[name], (*path, name))
    elif isinstance(value, list):
        for i in sorted({0, len(value) - 1} & set(range(len(value)))):
            yield from places(value[i], (*path, i))


def changed(booster: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    found = copy.deepcopy(booster)
    at: Any = found
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return found


def accepted(booster: dict[str, Any]) -> bool:
    try:
        check_booster(booster, COLUMNS)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("parallel", [1, 3])
def test_what_training_writes_is_sound(parallel: int) -> None:
    check_booster(made(parallel), COLUMNS)


@pytest.mark.attack("stores", "any field of the trees is replaced", before="XGBoost crashes on sizes and segments")
@pytest.mark.parametrize("parallel", [1, 3])
def test_a_changed_field_is_refused_or_does_no_harm(parallel: int) -> None:
    booster = made(parallel)
    harmless: list[dict[str, Any]] = []
    tried = 0
    for path in places(booster):
        for bad in BAD if path else ():
            mutant = changed(booster, path, bad)
            tried += 1
            if mutant == booster or not accepted(mutant):
                continue
            assert set(path) & {*FREE, "split_indices", "default_left", "num_parallel_tree"}, (path, bad)
            harmless.append(mutant)
    assert tried > 1_000
    lines = "\n".join(json.dumps(mutant) for mutant in harmless)
    ran = subprocess.run([sys.executable, "-c", LOAD], input=lines, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2_000:]
    assert ran.stdout.count("answered") == len(harmless) > 0


@pytest.mark.parametrize("path", [(), ("learner",), ("learner", "gradient_booster", "model", "trees", 0)])
def test_an_unknown_key_is_refused(path: tuple[Any, ...]) -> None:
    assert not accepted(changed(made(1), (*path, "another"), 1))
