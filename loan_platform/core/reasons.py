"""Reason codes: what lowered a score most, in the contract's own words.

A feature's part of the score is the sum of its columns' parts of the margin, turned into points. Features with one
`cause` in the contract are added up and named once, by the one that weighs most. Only what pushes towards default is a
reason.
"""

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loan_platform.core.contract import Feature
from loan_platform.core.models.base import Floats
from loan_platform.core.portable import sum_columns
from loan_platform.core.scoring import ScoringModel

MOST = 4  # as many as a lender is asked to give at most (12 CFR 1002.9, official interpretation 9(b)(2)-1)
LEAST_POINTS = 0.5  # less would be shown as none
CHUNK_ROWS = 4_096
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


@dataclass(frozen=True)
class Parts:
    """Each feature's part of each row's score.

    Attributes:
        features: names, in the order of the columns.
        points: [rows, features], positive is safer; with the average training loan's score they add up to the score.
    """

    features: tuple[str, ...]
    points: Floats


def score_parts(model: ScoringModel, features: pl.DataFrame) -> Parts:
    """Each feature's part of the score, of a features frame; the same bits for a row alone and in bulk."""
    matrix = model.design.matrix(features)
    columns = model.model.contributions(matrix)
    slope = _slope(model, model.model.margin(matrix), sum_columns(columns))
    owners = np.array([model.design.features.index(column.feature) for column in model.design.columns])
    by_feature = [sum_columns(columns[:, owners == i]) for i in range(len(model.design.features))]
    per_log_odds = -model.points.double / math.log(2)
    return Parts(model.design.features, np.stack(by_feature, axis=1) * slope[:, None] * per_log_odds)


def reasons(model: ScoringModel, features: pl.DataFrame, most: int = MOST) -> list[tuple[Reason, ...]]:
    """The principal reasons of each row, the weightiest first; none where nothing lowered the score.

    Args:
        model: that scored the rows.
        features: as `model.features` computes them.
        most: reasons of one row.
    """
    chunks = [features.slice(start, CHUNK_ROWS) for start in range(0, features.height, CHUNK_ROWS)]
    explain = partial(_reasons, model, most=most)
    if len(chunks) <= 1 or model.threads == 1:
        return [found for chunk in chunks for found in explain(chunk)]
    with ThreadPoolExecutor(model.threads) as pool:
        return [found for part in pool.map(explain, chunks) for found in part]


def _slope(model: ScoringModel, margin: Floats, moved: Floats) -> Floats:
    """Calibrated log-odds per unit of margin, from the average training loan to each row: so the parts add up."""
    average = margin - moved
    run = model.calibration.log_odds(margin) - model.calibration.log_odds(average)
    still = np.abs(moved) < 1e-9
    steep = model.calibration.log_odds(average + 1e-6) - model.calibration.log_odds(average)
    return np.where(still, steep / 1e-6, run / np.where(still, 1.0, moved))


def _reasons(model: ScoringModel, features: pl.DataFrame, most: int) -> list[tuple[Reason, ...]]:
    parts = score_parts(model, features)
    contract = {feature.name: feature for feature in model.contract.features}
    causes: dict[str, list[int]] = {}
    for i, name in enumerate(parts.features):
        causes.setdefault(contract[name].cause or f"feature {name}", []).append(i)
    together = np.stack([sum_columns(parts.points[:, members]) for members in causes.values()], axis=1)
    order = np.argsort(together, axis=1, kind="stable")[:, :most]
    weightiest = np.stack([np.array(m)[parts.points[:, m].argmin(axis=1)] for m in causes.values()], axis=1)
    named = [contract[name] for name in parts.features]
    values = features.select(parts.features).rows()
    return [tuple(_of_row(row, order[i], together[i], weightiest[i], named)) for i, row in enumerate(values)]


def _of_row(
    row: tuple[float | str | None, ...],
    order: NDArray[np.intp],
    points: Floats,
    weightiest: NDArray[np.int64],
    features: list[Feature],
) -> Iterator[Reason]:
    for cause in order:
        if points[cause] > -LEAST_POINTS:
            return
        at = weightiest[cause]
        feature, value, lost = features[at], row[at], round(float(points[cause]), 2)
        if value is None:
            text = feature.reason_not_known or f"{feature.name.replace('_', ' ').capitalize()} is not known"
            yield Reason(feature.name + NOT_KNOWN, text, None, lost)
        else:
            yield Reason(feature.name, feature.reason, value, lost)
