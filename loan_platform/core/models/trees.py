"""Tree families: XGBoost's gradient boosting and its random forest, held as XGBoost's own JSON."""

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from loan_platform.core.models.base import FitContext, FittedModel, Floats, Matrix, Params, Regions, Sample, shares
from loan_platform.core.models.tree_check import check_booster
from loan_platform.core.models.tree_shap import TreeShap
from loan_platform.core.models.tree_walk import LEAF, MAX_STEPS, TreeWalk

if TYPE_CHECKING:
    import optuna
    import xgboost

FOREST_ROWS = 100_000  # deep trees cost rows x depth x trees; more rows gain little
BOOSTING_ROWS = 600_000  # the same
BINS = 256
BIN_ROWS = (
    100  # loans per bin: finer bins cost a third of a fit of 7,000 loans x 88 columns, and gained nothing on the folds
)


class TreeModel(FittedModel):
    """Fitted trees."""

    family: Literal["gradient_boosting", "random_forest"]  # pyright: ignore[reportIncompatibleVariableOverride]
    booster: dict[str, Any]

    def margin(self, matrix: Matrix) -> Floats:
        """Log-odds of default before calibration, shape [rows]. It takes one thread; callers may use several."""
        if not len(matrix):
            return np.zeros(0)
        if self._walk is not None and self._walk.suits(len(matrix)):
            return self._walk.margin(matrix).astype(np.float64)
        return _margin(self.loaded, matrix).astype(np.float64)

    def contributions(self, matrix: Matrix) -> Floats:
        """Exact Shapley values of the trees (TreeSHAP), shape [rows, columns]."""
        if self._shapley is not None:
            return self._shapley.values(matrix)
        if not len(matrix):
            return np.zeros(matrix.shape)
        import xgboost

        data = xgboost.DMatrix(matrix, nthread=1)
        return self.loaded.predict(data, pred_contribs=True)[:, :-1].astype(np.float64)

    def regions(self, matrix: Matrix) -> Regions:
        """The leaf of each tree."""
        import xgboost

        nodes = self.loaded.predict(xgboost.DMatrix(matrix, nthread=1), pred_leaf=True)
        leaves = nodes.reshape(len(matrix), -1).astype(np.int32)
        ranks = (np.cumsum(np.array(tree["left_children"]) == LEAF) - 1 for tree in self._trees)
        return np.stack([rank[leaves[:, at]] for at, rank in enumerate(ranks)], axis=1).astype(np.int32)

    @property
    def region_counts(self) -> tuple[int, ...]:
        """Number of leaves of each tree."""
        return tuple(tree["left_children"].count(LEAF) for tree in self._trees)

    def check(self, columns: int) -> None:
        """Raise ValueError unless the trees are sound. XGBoost itself would not notice, or would crash."""
        check_booster(self.booster, columns)
        if len(self.importance) != columns:
            raise ValueError(f"importance of {len(self.importance)} columns, of {columns}")

    @cached_property
    def _trees(self) -> list[dict[str, Any]]:
        return self.booster["learner"]["gradient_booster"]["model"]["trees"]

    @cached_property
    def _shapley(self) -> TreeShap | None:
        return TreeShap.from_trees(self._trees, len(self.importance))

    @cached_property
    def _walk(self) -> TreeWalk | None:
        if not 0 < sum(len(tree["left_children"]) for tree in self._trees) <= MAX_STEPS:
            return None
        anything = np.zeros((1, len(self.importance)), np.float32)
        return TreeWalk(self._trees, _margin(_loaded(_without_trees(self.booster)), anything)[0])

    @cached_property
    def loaded(self) -> "xgboost.Booster":
        """XGBoost's object."""
        return _loaded(self.booster)


def _loaded(booster: dict[str, Any]) -> "xgboost.Booster":
    import xgboost

    loaded: Any = xgboost.Booster()
    loaded.load_model(bytearray(json.dumps(booster), "ascii"))
    loaded.set_param({"nthread": 1})
    return loaded


def _margin(booster: "xgboost.Booster", matrix: Matrix) -> NDArray[np.float32]:
    return booster.inplace_predict(matrix, predict_type="margin")


def _without_trees(booster: dict[str, Any]) -> dict[str, Any]:
    """The booster before its first round. Its margin is the base, which the JSON holds as a probability."""
    learner = booster["learner"]
    boosted = learner["gradient_booster"]
    sizes = {**boosted["model"]["gbtree_model_param"], "num_trees": "0"}
    model = {**boosted["model"], "gbtree_model_param": sizes, "trees": [], "tree_info": [], "iteration_indptr": [0]}
    return {**booster, "learner": {**learner, "gradient_booster": {**boosted, "model": model}}}


class GradientBoostingFamily:
    """Gradient boosting with the contract's monotone constraints."""

    max_trials = 1_000

    def suggest(self, trial: "optuna.Trial | None") -> dict[str, Any]:
        """Shallow trees: they score and explain fast. Deeper ones gained nothing on the folds."""
        if trial is None:
            return {**BOOSTING_DEFAULTS}
        return {
            "max_depth": trial.suggest_int("max_depth", 2, 4),
            "learning_rate": trial.suggest_float("learning_rate", 0.03, 0.12, log=True),
            "min_child_weight": trial.suggest_float("min_child_weight", 3, 100, log=True),
            "subsample": trial.suggest_float("subsample", 0.5, 1.0),
            "colsample_bytree": trial.suggest_float("colsample_bytree", 0.3, 1.0),
            "reg_lambda": trial.suggest_float("reg_lambda", 0.3, 30, log=True),
            "rounds": trial.suggest_int("rounds", 100, 400, step=25),
        }

    def fit(self, sample: Sample, context: FitContext, params: Params) -> TreeModel:
        """Fit on at most 600,000 loans."""
        rest = {name: value for name, value in params.items() if name != "rounds"}
        return _fit(sample.capped(BOOSTING_ROWS), context, rest, params["rounds"], "gradient_boosting")


class RandomForestFamily:
    """XGBoost's random forest: one round of many parallel trees."""

    max_trials = 6  # ten found at most .0001 AUC more on the folds of three books

    def suggest(self, trial: "optuna.Trial | None") -> dict[str, Any]:
        """Deeper trees than boosting's, fewer columns at each split."""
        if trial is None:
            return {**FOREST_DEFAULTS}
        return {
            **FOREST_DEFAULTS,
            "max_depth": trial.suggest_int("max_depth", 5, 9),
            "min_child_weight": trial.suggest_float("min_child_weight", 1, 30, log=True),
            "subsample": trial.suggest_float("subsample", 0.4, 0.9),
            "colsample_bynode": trial.suggest_float("colsample_bynode", 0.1, 0.5),
        }

    def fit(self, sample: Sample, context: FitContext, params: Params) -> TreeModel:
        """Fit on at most 100,000 loans."""
        return _fit(sample.capped(FOREST_ROWS), context, {**params, "learning_rate": 1.0}, 1, "random_forest")


BOOSTING_DEFAULTS = {
    "max_depth": 3,
    "learning_rate": 0.06,
    "min_child_weight": 20.0,
    "subsample": 0.7,
    "colsample_bytree": 0.6,
    "reg_lambda": 3.0,
    "rounds": 250,
}
FOREST_DEFAULTS = {
    "num_parallel_tree": 64,
    "max_depth": 7,
    "min_child_weight": 5.0,
    "subsample": 0.6,
    "colsample_bynode": 0.25,
}


def _fit(
    sample: Sample,
    context: FitContext,
    params: Params,
    rounds: int,
    family: Literal["gradient_boosting", "random_forest"],
) -> TreeModel:
    import xgboost

    settings = {
        **params,
        "objective": "binary:logistic",
        "tree_method": "hist",
        "max_bin": _bins(sample),
        "monotone_constraints": context.monotone,
        "base_score": float(sample.target.mean()),
        "seed": context.seed,
        "nthread": context.threads,
    }
    booster: Any = xgboost.train(settings, _binned(sample, context.threads), num_boost_round=rounds)
    gains = booster.get_score(importance_type="total_gain")
    weights = np.array([float(np.sum(gains.get(f"f{j}", 0.0))) for j in range(len(context.columns))])
    raw = json.loads(bytes(booster.save_raw("json")))
    fitted = TreeModel(family=family, booster=raw, importance=shares(weights))
    booster.set_param({"nthread": 1})
    vars(fitted)["loaded"] = booster  # JSON keeps every bit: the object that would be read from it is at hand
    return fitted


def _bins(sample: Sample) -> int:
    return min(max(len(sample.target) // BIN_ROWS, 32), BINS)


def _binned(sample: Sample, threads: int) -> "xgboost.QuantileDMatrix":
    """The sample in bins. They take 15 to 28 % of a fit, and every trial of both families needs the same ones."""
    import xgboost

    if "bins" not in sample.derived:
        sample.derived["bins"] = xgboost.QuantileDMatrix(
            sample.matrix, sample.target, max_bin=_bins(sample), nthread=threads
        )
    return sample.derived["bins"]
