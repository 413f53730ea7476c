"""AUC of a quick model, from which the promotion limits of the book are derived."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loan_platform.core.evaluation.leaks import single_feature_auc, strongest
from loan_platform.core.evaluation.metrics import auc

ROWS = 12_000
ROUNDS = 50
CARRIER = 0.1  # share of the gain
PARAMETERS = {
    "objective": "binary:logistic",
    "max_depth": 3,
    "eta": 0.12,
    "subsample": 1.0,
    "seed": 0,
    "tree_method": "hist",
}


@dataclass(frozen=True)
class Strength:
    """What the starter features can do.

    Attributes:
        auc: of a quick model on loans that it was not fitted to.
        feature: the feature that ranks these loans best alone; `feature_auc`: how well.
        carriers: features with a tenth of the model's gain and more, the largest first, with the AUC of each alone.
    """

    auc: float
    feature: str
    feature_auc: float
    carriers: tuple[tuple[str, float], ...] = ()


def strength(
    features: pl.DataFrame, target: NDArray[np.float64], fit: NDArray[np.int64], judged: NDArray[np.int64], threads: int
) -> Strength:
    """Fit on some rows, judge on others, of which both classes are known.

    Args:
        features: numbers Float64, categories String.
        target: 1 default, 0 repaid, for the rows of `fit` and `judged`.
        fit: row numbers.
        judged: row numbers.
        threads: cores used.
    """
    import xgboost

    rows = fit[:: -(-len(fit) // ROWS)]
    matrix = features.with_columns(pl.col(pl.String).rank("dense").cast(pl.Float64)).to_numpy().astype(np.float32)
    data = xgboost.DMatrix(matrix[rows], label=target[rows])
    model = xgboost.train({**PARAMETERS, "nthread": threads}, data, ROUNDS)
    area = auc(target[judged], model.predict(xgboost.DMatrix(matrix[judged])).astype(np.float64))
    alone = single_feature_auc(features[judged], target[judged])
    best = strongest(alone)
    gains: dict[str, float] = model.get_score(importance_type="total_gain")  # pyright: ignore[reportAssignmentType]
    ranked = sorted(((gain, int(name[1:])) for name, gain in gains.items()), key=lambda item: (-item[0], item[1]))
    names = [features.columns[at] for gain, at in ranked if gain >= CARRIER * sum(gains.values())]
    return Strength(area, best, alone[best].estimate, tuple((name, alone[name].estimate) for name in names))
