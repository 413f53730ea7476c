"""Leak alarms: a model, or a single feature, predicts better than information at application allows."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from loan_platform.core.evaluation.metrics import auc

MAX_ROWS = 200_000


@dataclass(frozen=True)
class LeakAlarm:
    """An AUC above its ceiling. `feature` is None for the AUC of the model."""

    feature: str | None
    auc: float
    ceiling: float

    def __str__(self) -> str:
        what = "the test AUC" if self.feature is None else f"the AUC of feature {self.feature!r} alone"
        return f"{what} is {self.auc:.4f}, above the ceiling of {self.ceiling:.2f}: the outcome leaks into it"


def leak_alarms(
    test_auc: float, feature_aucs: dict[str, float], max_auc: float, max_feature_auc: float
) -> list[LeakAlarm]:
    """The AUCs above their ceilings: first the model's, then the features', largest first."""
    found = [LeakAlarm(None, test_auc, max_auc)] if test_auc > max_auc else []
    ranked = sorted(feature_aucs.items(), key=lambda item: -item[1])
    return found + [LeakAlarm(name, area, max_feature_auc) for name, area in ranked if area > max_feature_auc]


def single_feature_auc(features: pl.DataFrame, target: ArrayLike) -> dict[str, float]:
    """AUC of each feature alone, at least 0.5.

    A feature counts in its better direction, with missing values below or above all others. A category is ranked by its
    default rate. Above 200,000 loans every k-th loan in frame order is taken.

    Raises:
        ValueError: only one class.
    """
    y = np.asarray(target, np.float64)
    step = -(-features.height // MAX_ROWS)
    sample, y = features.gather_every(step), y[::step]
    return {name: _feature_auc(sample[name], y) for name in sample.columns}


def _feature_auc(values: pl.Series, y: NDArray[np.float64]) -> float:
    if values.dtype == pl.String:
        rates = pl.DataFrame({"level": values, "y": y}).select(pl.col("y").mean().over("level"))
        return auc(y, rates["y"])
    number = values.cast(pl.Float64)
    areas = [auc(y, number.fill_null(end)) for end in ((-np.inf, np.inf) if number.null_count() else (0.0,))]
    return max(max(area, 1 - area) for area in areas)
