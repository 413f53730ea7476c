import json

import numpy as np
import polars as pl
import pytest

from loan_platform.core.models.base import FitContext, Sample, margins
from loan_platform.core.models.families import FITTED, model_from_json
from loan_platform.core.models.portable import sum_columns
from loan_platform.core.models.scorecard import ScorecardModel
from loan_platform.core.models.trees import TreeModel
from loan_platform.core.training.train import Candidate
from loan_platform_tests.support.lending import FAMILIES, every_candidate, odd_rows, trained


def _candidate(family: str) -> Candidate:
    return next(candidate for candidate in every_candidate() if candidate.family == family)


def _matrix() -> np.ndarray:
    model = trained().model
    return model.design.matrix(model.features(odd_rows()))


@pytest.mark.parametrize("family", FAMILIES)
def test_one_row_has_the_bits_of_the_bulk(family: str):
    model, matrix = _candidate(family).model.model, _matrix()
    bulk = model.margin(matrix)
    assert np.isfinite(bulk).all()
    alone = np.concatenate([model.margin(matrix[row : row + 1]) for row in range(len(matrix))])
    assert np.array_equal(alone, bulk)
    for rows in (7, 64, 333):
        parts = [model.margin(matrix[start : start + rows]) for start in range(0, len(matrix), rows)]
        assert np.array_equal(np.concatenate(parts), bulk)


@pytest.mark.parametrize("family", FAMILIES)
def test_threads_change_no_bit(family: str):
    model, matrix = _candidate(family).model.model, np.concatenate([_matrix()] * 40)
    assert np.array_equal(margins(model, matrix, 2), model.margin(matrix))


@pytest.mark.parametrize("family", FAMILIES)
def test_json_brings_the_same_model_back(family: str):
    model, matrix = _candidate(family).model.model, _matrix()
    again = model_from_json(json.dumps(model.to_json()))
    assert again == model
    assert np.array_equal(again.margin(matrix), model.margin(matrix))
    again.check(matrix.shape[1])
    with pytest.raises(ValueError, match="columns"):
        again.check(matrix.shape[1] + 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_importance_is_shared_among_the_features(family: str):
    importance = _candidate(family).model.importance
    assert sum(importance.values()) == pytest.approx(1)
    assert next(iter(importance)) in {"burden", "inquiries", "purpose", "income", "amount", "monthly_income"}


def test_scorecard_terms_and_intercept_are_the_margin():
    model, matrix = _candidate("scorecard").model.model, _matrix()
    assert isinstance(model, ScorecardModel)
    assert np.array_equal(sum_columns(model.contributions(matrix)) + model.intercept, model.margin(matrix))


def test_scorecard_pieces_are_the_fitted_spline():
    """Cubics meet at the knots in value and slope, and stay flat beyond the ends."""
    model = _candidate("scorecard").model.model
    assert isinstance(model, ScorecardModel)
    for term in (term for term in model.terms if len(term.pieces) > 1):
        for left, right, (a, b, c, d), after in zip(
            term.knots, term.knots[1:], term.pieces, term.pieces[1:], strict=False
        ):
            t = right - left
            assert ((a * t + b) * t + c) * t + d == pytest.approx(after[3], abs=1e-9)
            assert (3 * a * t + 2 * b) * t + c == pytest.approx(after[2], rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("family", ["scorecard", "random_forest", "gradient_boosting", "blend"])
@pytest.mark.parametrize(("feature", "sign"), [("income", -1), ("burden", 1), ("inquiries", 1)])
def test_no_probability_moves_against_a_feature_s_direction(family: str, feature: str, sign: int):
    model = _candidate(family).model
    features = model.features(odd_rows())
    values = np.quantile(features[feature].drop_nulls(), np.linspace(0, 1, 15))
    sweep = [model.score_features(features.with_columns(pl.lit(v).alias(feature)))["probability"] for v in values]
    moved = np.diff(np.array(sweep, np.float64), axis=0) * sign
    assert moved.shape == (14, 1_000)
    assert moved.min() >= -1e-12  # the last bits of a spline's flat parts
    assert moved.max() > 1e-3


def test_a_term_keeps_its_direction_against_the_loans():
    """Default falls, then rises: the increasing term is flat at first, the decreasing one at the end."""
    rng = np.random.default_rng(3)
    x = rng.uniform(-2, 2, (20_000, 1)).astype(np.float32)
    target = (rng.random(len(x)) < 1 / (1 + np.exp(2 - x[:, 0] ** 2))).astype(float)
    at = np.linspace(-1.9, 1.9, 401, dtype=np.float32)[:, None]

    def moves(direction: int) -> np.ndarray:
        context = FitContext(("x",), (direction,), seed=1, threads=1)
        return np.diff(FITTED["scorecard"].fit(Sample(x, target), context, {"knots": 7, "c": 1.0}).margin(at))

    either, rising, falling = moves(0), moves(1), moves(-1)
    assert either[:150].max() < 0 < either[-150:].min()
    assert rising.min() >= -1e-12
    assert falling.max() <= 1e-12
    assert abs(rising[:150].sum()) < 0.01
    assert rising[-150:].sum() > 1
    assert falling[:150].sum() < -1
    assert abs(falling[-150:].sum()) < 0.01


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("left_children", 0), 10**6, "impossible child"),
        (("left_children", 0), 0, "impossible child"),
        (("left_children", 0), -1, "impossible child"),
        (("split_indices", 0), 99, "does not exist"),
        (("split_indices", 0), -1, "does not exist"),
        (("parents", 1), 2, "impossible child"),
        (("split_conditions", 0), float("nan"), "finite"),
        (("split_conditions", 0), "x", "finite"),
        (("base_weights",), [], "per node"),
        (("split_type", 0), 1, "not numerical"),
        (("tree_param",), {"num_nodes": "-3"}, "nodes"),
        (("tree_param",), None, "not a tree"),
    ],
)
def test_unsound_trees_are_refused_before_xgboost_sees_them(path: tuple[str | int, ...], value: object, reason: str):
    model = _candidate("gradient_boosting").model.model
    assert isinstance(model, TreeModel)
    broken = json.loads(json.dumps(model.booster))
    place = broken["learner"]["gradient_booster"]["model"]["trees"][0]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(ValueError, match=reason):
        model.model_copy(update={"booster": broken}).check(len(model.importance))


def test_another_objective_is_refused():
    model = _candidate("gradient_boosting").model.model
    assert isinstance(model, TreeModel)
    broken = json.loads(json.dumps(model.booster))
    broken["learner"]["objective"]["name"] = "reg:squarederror"
    with pytest.raises(ValueError, match="objective is not what training writes"):
        model.model_copy(update={"booster": broken}).check(len(model.importance))


@pytest.mark.parametrize("text", ["{}", '{"family":"pickle"}', "[]", '{"family":"scorecard","intercept":1e999}', "nul"])
def test_json_that_is_no_model_is_refused(text: str):
    with pytest.raises(ValueError):  # noqa: PT011  # pydantic's message says which
        model_from_json(text)
