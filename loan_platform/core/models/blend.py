"""The blend: the mean of two models' log-odds. So their contributions average too."""

from typing import Literal

import numpy as np

from loan_platform.core.models.base import FittedModel, Floats, Matrix, Regions
from loan_platform.core.models.scorecard import ScorecardModel
from loan_platform.core.models.trees import TreeModel


class BlendModel(FittedModel):
    """Scorecard and gradient boosting with equal weights."""

    family: Literal["blend"] = "blend"  # pyright: ignore[reportIncompatibleVariableOverride]
    scorecard: ScorecardModel
    gradient_boosting: TreeModel

    def margin(self, matrix: Matrix) -> Floats:
        """Log-odds of default, before calibration."""
        return blended(self.scorecard.margin(matrix), self.gradient_boosting.margin(matrix))

    def contributions(self, matrix: Matrix) -> Floats:
        """The mean of both models' contributions."""
        return blended(self.scorecard.contributions(matrix), self.gradient_boosting.contributions(matrix))

    def regions(self, matrix: Matrix) -> Regions:
        """The regions of both models."""
        return np.hstack((self.scorecard.regions(matrix), self.gradient_boosting.regions(matrix)))

    @property
    def region_counts(self) -> tuple[int, ...]:
        """Number of regions of each partition of both models."""
        return self.scorecard.region_counts + self.gradient_boosting.region_counts

    def check(self, columns: int) -> None:
        """Raise ValueError unless both parts are sound."""
        self.scorecard.check(columns)
        self.gradient_boosting.check(columns)
        if self.gradient_boosting.family != "gradient_boosting" or len(self.importance) != columns:
            raise ValueError("the blend is not made of a scorecard and gradient boosting")


def blend(scorecard: ScorecardModel, gradient_boosting: TreeModel) -> BlendModel:
    """The blend of two fitted models."""
    pairs = np.array((scorecard.importance, gradient_boosting.importance)).mean(axis=0)
    return BlendModel(scorecard=scorecard, gradient_boosting=gradient_boosting, importance=tuple(pairs.tolist()))


def blended(scorecard: Floats, gradient_boosting: Floats) -> Floats:
    """Mean of log-odds, or of contributions to them."""
    return (scorecard + gradient_boosting) / 2
