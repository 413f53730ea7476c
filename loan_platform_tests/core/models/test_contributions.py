"""What each column adds to a margin: complete, exact, and the same alone as in bulk."""

import numpy as np
import pytest
import xgboost

from loan_platform.core.models import tree_shap
from loan_platform.core.models.base import FittedModel
from loan_platform.core.models.mlp import MlpModel
from loan_platform.core.models.tree_shap import TreeShap
from loan_platform.core.models.trees import TreeModel
from loan_platform_tests.support.lending import FAMILIES, every_candidate, odd_rows, trained


def fitted(family: str) -> FittedModel:
    return next(candidate for candidate in every_candidate() if candidate.family == family).model.model


def matrix() -> np.ndarray:
    model = trained().model
    return model.design.matrix(model.features(odd_rows()))


@pytest.mark.parametrize("family", FAMILIES)
def test_contributions_and_one_constant_are_the_margin(family: str):
    model, rows = fitted(family), matrix()
    parts = model.contributions(rows)
    assert parts.shape == rows.shape
    assert np.ptp(model.margin(rows) - parts.sum(axis=1)) < 1e-5
    assert parts.std() > 0.01


@pytest.mark.parametrize("family", FAMILIES)
def test_one_row_has_the_bits_of_the_bulk(family: str):
    model, rows = fitted(family), matrix()
    bulk = model.contributions(rows)
    assert np.array_equal(np.concatenate([model.contributions(rows[i : i + 1]) for i in range(len(rows))]), bulk)
    assert np.array_equal(np.concatenate([model.contributions(rows[i : i + 3]) for i in range(0, len(rows), 3)]), bulk)
    assert model.contributions(rows[:0]).shape == (0, rows.shape[1])


@pytest.mark.parametrize("family", ["gradient_boosting", "random_forest"])
def test_trees_agree_with_xgboost(family: str):
    model, rows = fitted(family), matrix()
    assert isinstance(model, TreeModel)
    theirs = model.loaded.predict(xgboost.DMatrix(rows), pred_contribs=True)
    assert np.abs(model.contributions(rows) - theirs[:, :-1]).max() < 1e-5


def test_trees_too_deep_for_tables_are_left_to_xgboost(monkeypatch: pytest.MonkeyPatch):
    rows, known = matrix(), fitted("random_forest")
    assert isinstance(known, TreeModel)
    trees = known.booster["learner"]["gradient_booster"]["model"]["trees"]
    assert TreeShap.from_trees(trees, rows.shape[1]) is not None
    monkeypatch.setattr(tree_shap, "MAX_ENTRIES", 100)
    assert TreeShap.from_trees(trees, rows.shape[1]) is None
    again = TreeModel(family="random_forest", booster=known.booster, importance=known.importance)
    assert np.abs(again.contributions(rows) - known.contributions(rows)).max() < 1e-5
    theirs = again.loaded.predict(xgboost.DMatrix(rows), pred_contribs=True)
    assert np.array_equal(again.contributions(rows), theirs[:, :-1])
    assert again.contributions(rows[:0]).shape == (0, rows.shape[1])


def test_a_network_is_explained_from_the_average_loan():
    """One unit, max(0, 2a + b - 1): along the line to (1, 1) it is active on the last two thirds."""
    network = MlpModel(
        low=(-9.0, -9.0),
        high=(9.0, 9.0),
        mean=(0.0, 0.0),
        scale=(1.0, 1.0),
        indicators=(1,),
        hidden=((2.0,), (1.0,), (0.5,)),
        hidden_bias=(-1.0,),
        output=(3.0,),
        output_bias=0.25,
        importance=(0.5, 0.5),
    )
    rows = np.array([[1, 1], [0, 0], [1, np.nan], [-1, 0]], np.float32)
    expected = [[4.0, 2.0], [0.0, 0.0], [3.6, 0.9], [0.0, 0.0]]
    assert network.contributions(rows) == pytest.approx(np.array(expected))
    assert network.contributions(rows).sum(axis=1) + 0.25 == pytest.approx(network.margin(rows))
