"""Reason codes: what lowered a score most, in the contract's own words.

A feature's part of the score is the sum of its columns' parts of the margin, turned into points. Features with one
`cause` in the contract are added up and named once, by the one that weighs most. Only what pushes towards default is a
reason.
"""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
import polars as pl

from loan_platform.core.calibration import Platt
from loan_platform.core.models.base import Floats, Matrix
from loan_platform.core.portable import sum_columns
from loan_platform.core.scoring import ScoringModel

MOST = 4  # as many as a lender is asked to give at most (12 CFR 1002.9, official interpretation 9(b)(2)-1)
LEAST_POINTS = 0.5  # less would be shown as none
CHUNK_ROWS = 4_096
STILL = 1e-6
NOT_KNOWN = "_not_known"


class Reason(NamedTuple):
    """One reason.

    Attributes:
        code: the feature's name; with `_not_known` after it where the feature has no value.
        text: what the applicant is told.
        value: of the feature; None where it is not known.
        points: of score that it cost, against the average training loan; negative.
    """

    code: str
    text: str
    value: float | str | None
    points: float


class Explainer:
    """What a model's answers come from; made once for a model, safe to share among threads.

    Args:
        model: whose answers are explained.

    Attributes:
        features: names of the features that the model reads, as the columns of `parts`.
    """

    def __init__(self, model: ScoringModel) -> None:
        self.features = model.design.features
        self._model = model
        named = {feature.name: feature for feature in model.contract.features}
        self._named = [named[name] for name in self.features]
        self._of_features = _Sums([column.feature for column in model.design.columns], self.features)
        causes = [feature.cause or f"feature {feature.name}" for feature in self._named]
        self._of_causes = _Sums(causes, tuple(dict.fromkeys(causes)))

    def parts(self, features: pl.DataFrame) -> Floats:
        """Points of score that each feature adds [rows, features]; with the average training loan's they are the score.

        Args:
            features: as `ScoringModel.features` computes them.
        """
        return self._parts(features).T[: features.height].copy()

    def reasons(self, features: pl.DataFrame, most: int = MOST) -> list[tuple[Reason, ...]]:
        """The principal reasons of each row, the weightiest first; none where nothing lowered the score.

        Args:
            features: as `ScoringModel.features` computes them.
            most: reasons of one row.
        """
        chunks = [features.slice(start, CHUNK_ROWS) for start in range(0, features.height, CHUNK_ROWS)]
        if len(chunks) <= 1 or self._model.threads == 1:
            return [found for chunk in chunks for found in self._reasons(chunk, most)]
        with ThreadPoolExecutor(self._model.threads) as pool:
            return [found for part in pool.map(partial(self._reasons, most=most), chunks) for found in part]

    def _parts(self, features: pl.DataFrame) -> Floats:
        """Points [features, rows]; a row alone is there twice, or its sums would be in another order than in bulk."""
        matrix = self._model.design.matrix(features)
        if len(matrix) == 1:
            matrix = np.repeat(matrix, 2, axis=0)
        columns = self._model.model.contributions(matrix)
        per_margin = -self._model.policy.scorecard.double / math.log(2) * self._slope(matrix, columns)
        return self._of_features(columns.T) * per_margin

    def _slope(self, matrix: Matrix, columns: Floats) -> Floats | float:
        """Calibrated log-odds per unit of margin, from the average training loan to each row: so the parts add up."""
        calibration = self._model.calibration
        if isinstance(calibration, Platt):
            return calibration.slope
        margin, moved = self._model.model.margin(matrix), sum_columns(columns)
        average = margin - moved
        start = calibration.log_odds(average)
        still = np.abs(moved) < STILL
        steep = (calibration.log_odds(average + STILL) - start) / STILL
        return np.where(still, steep, (calibration.log_odds(margin) - start) / np.where(still, 1.0, moved))

    def _reasons(self, features: pl.DataFrame, most: int) -> list[tuple[Reason, ...]]:
        parts = self._parts(features)
        causes = self._of_causes(parts).T
        heaviest = np.argsort(causes, axis=1, kind="stable")[:, :most].tolist()
        values = features.select(self.features).rows()
        return [tuple(self._of_row(row, heaviest[i], causes[i], parts[:, i])) for i, row in enumerate(values)]

    def _of_row(
        self, row: tuple[float | str | None, ...], heaviest: list[int], causes: Floats, parts: Floats
    ) -> Iterator[Reason]:
        for cause in heaviest:
            if causes[cause] > -LEAST_POINTS:
                return
            members = self._of_causes.members[cause]
            at = int(members[parts[members].argmin()])
            feature, value, lost = self._named[at], row[at], round(float(causes[cause]), 2)
            if value is None:
                text = feature.reason_not_known or f"{feature.name.replace('_', ' ').capitalize()} is not known"
                yield Reason(feature.name + NOT_KNOWN, text, None, lost)
            else:
                yield Reason(feature.name, feature.reason, value, lost)


class _Sums:
    """Sums of rows by their owner, in the order of the owners.

    Args:
        owners: of each row.
        order: every owner.
    """

    def __init__(self, owners: Sequence[str], order: Sequence[str]) -> None:
        place = {owner: at for at, owner in enumerate(order)}
        whose = np.array([place[owner] for owner in owners], np.int64)
        self._rows = np.argsort(whose, kind="stable")
        self._starts = np.searchsorted(whose[self._rows], np.arange(len(order)))
        self.members = [np.flatnonzero(whose == at) for at in range(len(order))]

    def __call__(self, values: Floats) -> Floats:
        return np.add.reduceat(np.ascontiguousarray(values).take(self._rows, axis=0), self._starts, axis=0)
