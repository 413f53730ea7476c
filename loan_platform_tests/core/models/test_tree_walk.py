"""Margins of a few rows are XGBoost's own, bit for bit."""

import json

import numpy as np
import pytest
import xgboost

from loan_platform.core.models import tree_walk
from loan_platform.core.models.trees import TreeModel

COLUMNS = 6
SHAPES = {
    "boosted": ({"max_depth": 3, "learning_rate": 0.3}, 60),
    "deep": ({"max_depth": 8, "learning_rate": 0.1}, 20),
    "leaves alone": ({"max_depth": 3, "min_child_weight": 1e9}, 3),
    "forest": ({"max_depth": 7, "num_parallel_tree": 20, "subsample": 0.5, "colsample_bynode": 0.3}, 1),
}


def loans(rows: int, seed: int) -> np.ndarray:
    """Values that are often equal to each other and so to thresholds, some missing, some beyond all others."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(rows, COLUMNS)).round(1).astype(np.float32)
    values[random.random(values.shape) < 0.2] = np.nan
    values[random.random(values.shape) < 0.02] = 3e38
    values[random.random(values.shape) < 0.02] = -3e38
    return values


def fitted(shape: str) -> TreeModel:
    matrix, random = loans(2_000, 0), np.random.default_rng(1)
    near = np.nan_to_num(matrix).clip(-5, 5)
    target = (near[:, 0] + near[:, 1] * near[:, 2] + random.normal(size=2_000) > 0.7).astype(int)
    params, rounds = SHAPES[shape]
    base = {"objective": "binary:logistic", "base_score": float(target.mean()), "seed": 0, "nthread": 1}
    booster = xgboost.train({**base, **params}, xgboost.DMatrix(matrix, target), num_boost_round=rounds)
    raw = json.loads(bytes(booster.save_raw("json")))
    return TreeModel(family="gradient_boosting", booster=raw, importance=(1 / COLUMNS,) * COLUMNS)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_few_rows_have_the_bits_of_xgboost(shape: str, monkeypatch: pytest.MonkeyPatch):
    model, rows = fitted(shape), loans(2_000, 2)
    theirs = model.loaded.inplace_predict(rows, predict_type="margin").astype(np.float64)
    assert shape == "leaves alone" or len(set(theirs.tolist())) > 100
    monkeypatch.setattr(tree_walk, "MAX_STEPS", 10**9)
    monkeypatch.setattr(model.loaded, "inplace_predict", None)  # what follows is walked
    for some in (1, 7, 200):
        ours = np.concatenate([model.margin(rows[i : i + some]) for i in range(0, len(rows), some)])
        assert np.array_equal(ours, theirs)


def test_many_rows_are_left_to_xgboost(monkeypatch: pytest.MonkeyPatch):
    model, rows = fitted("boosted"), loans(5_000, 3)
    asked = list[int]()
    predict = model.loaded.inplace_predict
    monkeypatch.setattr(
        model.loaded, "inplace_predict", lambda some, **known: asked.append(len(some)) or predict(some, **known)
    )
    model.margin(rows[:1])
    model.margin(rows)
    assert asked == [5_000]
