"""Reason codes: what lowered a score most, in the contract's words.

A feature's contribution to the score is the sum of its columns' contributions to the margin, in points. Features of one
group in the contract are added up and named once, by the feature with the largest contribution. Only contributions
towards default are reasons.
"""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loan_platform.core.book.parts.features import Feature
from loan_platform.core.features.undefined import LARGEST
from loan_platform.core.models.base import Floats, Matrix
from loan_platform.core.models.calibration import Platt
from loan_platform.core.models.portable import sum_columns
from loan_platform.core.scoring.answer import MAX_REASONS, REASONS, Reason
from loan_platform.core.scoring.scoring_model import ScoringModel

MIN_POINTS = 0.5  # a smaller contribution would be shown as 0
CHUNK_ROWS = 8_192
EPSILON = 1e-6

Rows = NDArray[np.int64]
NOT_KNOWN = "_not_known"


class Explainer:
    """Explains the scores of one model. Make it once per model; threads may share it.

    Args:
        model: whose scores are explained.

    Attributes:
        features: names of the features that the model reads, as the columns of `parts`.
    """

    def __init__(self, model: ScoringModel) -> None:
        self.features = model.design.features
        self._model = model
        named = {feature.name: feature for feature in model.contract.features}
        read = [named[name] for name in self.features]
        self._codes = [*self.features, *(name + NOT_KNOWN for name in self.features)]
        self._texts = [*(feature.reason for feature in read), *map(_not_known, read)]
        self._of_features = _Sums([column.feature for column in model.design.columns], self.features)
        causes = [feature.reason_group or f"feature {feature.name}" for feature in read]
        self._of_causes = _Sums(causes, tuple(dict.fromkeys(causes)))
        # A missing value of these features is a fact, such as "no delinquency": it is no reason.
        self._silent = frozenset(at for at, feature in enumerate(read) if feature.missing_means is not None)

    def parts(self, features: pl.DataFrame) -> Floats:
        """Points that each feature adds to the score of the average training loan, shape [rows, features].

        Args:
            features: as `ScoringModel.features` computes them.
        """
        return self._parts(features).T[: features.height].copy()

    def reasons(
        self, features: pl.DataFrame, most: int = MAX_REASONS, known: tuple[Matrix, Floats] | None = None
    ) -> list[tuple[Reason, ...]]:
        """The principal reasons of each row, the largest first; none where nothing lowered the score.

        Args:
            features: as `ScoringModel.features` computes them.
            most: largest number of reasons of a row.
            known: matrix and margin of the rows, where the caller has them.
        """
        parts = self._parts(features, known)
        causes = self._of_causes(parts).T
        order = np.argsort(causes, axis=1, kind="stable").tolist()
        values = zip(*(features.get_column(name).to_list() for name in self.features), strict=True)
        found = (self._of_row(row, order[i], causes[i], parts[:, i]) for i, row in enumerate(values))
        return [reasons[:most] for reasons in found]

    def referrals(self, features: pl.DataFrame) -> list[tuple[Reason, ...]]:
        """The features that refer each row to a person, because training saw too little of their value. No points."""
        found = [list[Reason]() for _ in range(features.height)]
        for referred in self._model.referred(features).iter_columns():
            at, values = self.features.index(referred.name), features.get_column(referred.name)
            rows: list[int] = referred.arg_true().to_list()
            for row in rows:
                code = at + len(self.features) * (values[row] is None)
                found[row].append(Reason(self._codes[code], self._texts[code], _shown(values[row]), 0.0))
        return [tuple(row[:MAX_REASONS]) for row in found]

    def column(self, features: pl.DataFrame, most: int = MAX_REASONS) -> pl.Series:
        """`reasons` of many rows as a series of type `REASONS`, on several threads."""
        chunks = [features.slice(start, CHUNK_ROWS) for start in range(0, features.height, CHUNK_ROWS)]
        if not chunks:
            return pl.Series("reasons", [], REASONS)
        with ThreadPoolExecutor(self._model.threads) as pool:
            return pl.concat(pool.map(partial(self._column, most=most), chunks), rechunk=True)

    def _column(self, features: pl.DataFrame, most: int) -> pl.Series:
        parts = self._parts(features)[:, : features.height]
        causes = self._of_causes(parts)
        told, ordered = self._told(features, parts, causes)
        weightiest = np.array([members[told[members].argmin(axis=0)] for members in self._of_causes.members])
        heaviest = np.argsort(ordered.T, axis=1, kind="stable")[:, :most]
        row, place = np.nonzero(np.take_along_axis(ordered.T, heaviest, axis=1) <= -MIN_POINTS)
        cause = heaviest[row, place]
        feature = weightiest[cause, row]
        values = _as_text(features, row, feature, self.features)
        code = feature + len(self.features) * values["missing"].to_numpy()
        columns = {
            "code": pl.Series(self._codes).gather(code),
            "text": pl.Series(self._texts).gather(code),
            "value": values["value"],
            "points": causes[cause, row].round(2),
        }
        entries = pl.DataFrame({"row": row, **columns}).group_by("row", maintain_order=True)
        lists = entries.agg(reasons=pl.struct(list(columns)).cast(REASONS.inner))
        return align_lists(lists["row"], lists["reasons"], features.height)

    def _told(self, features: pl.DataFrame, parts: Floats, causes: Floats) -> tuple[Floats, Floats]:
        """Points by feature and by cause, with infinity where they are no reason; as `_of_row`."""
        silent = [at for at in self._silent if features[self.features[at]].null_count()]
        if not silent:
            return parts, causes
        told = parts.copy()
        for at in silent:
            told[at, features[self.features[at]].is_null().to_numpy()] = np.inf
        lowest = np.array([told[members].min(axis=0) for members in self._of_causes.members])
        ordered = np.where(lowest < 0, causes, np.inf)
        nothing = (ordered > -MIN_POINTS).all(axis=0)  # a missing value is then the only reason that there is
        return np.where(nothing, parts, told), np.where(nothing, causes, ordered)

    def _parts(self, features: pl.DataFrame, known: tuple[Matrix, Floats] | None = None) -> Floats:
        """Points, shape [features, rows]. A single row is doubled, so that it is summed in the order of the bulk."""
        matrix, margin = known or (self._model.design.matrix(features), None)
        if len(matrix) == 1:
            matrix = np.repeat(matrix, 2, axis=0)
            margin = None if margin is None else np.repeat(margin, 2)
        columns = self._model.model.contributions(matrix)
        per_margin = (
            -self._model.policy.scorecard.points_to_double_odds / math.log(2) * self._slope(matrix, columns, margin)
        )
        return self._of_features(columns.T) * per_margin

    def _slope(self, matrix: Matrix, columns: Floats, margin: Floats | None) -> Floats | float:
        """Change of calibrated log-odds per unit of margin, from the average training loan to each row.

        With this slope the contributions add up to the score.
        """
        calibration = self._model.calibration
        if isinstance(calibration, Platt):
            return calibration.slope
        margin = self._model.model.margin(matrix) if margin is None else margin
        moved = sum_columns(columns)
        average, still = margin - moved, np.abs(moved) < EPSILON
        end, step = np.where(still, average + EPSILON, margin), np.where(still, EPSILON, moved)
        both = calibration.log_odds(np.concatenate((average, end)))  # one call costs as much as each of two
        return (both[len(margin) :] - both[: len(margin)]) / step

    def _of_row(
        self, row: tuple[float | str | None, ...], order: list[int], causes: Floats, parts: Floats
    ) -> tuple[Reason, ...]:
        """The reasons of a row, the largest first. One that is a missing value is told only if there is no other."""
        silent = frozenset(at for at in self._silent if row[at] is None)
        told = tuple(self._reasons_of(row, order, causes, parts, silent))
        return told if told or not silent else tuple(self._reasons_of(row, order, causes, parts, frozenset()))

    def _reasons_of(
        self,
        row: tuple[float | str | None, ...],
        order: list[int],
        causes: Floats,
        parts: Floats,
        silent: frozenset[int],
    ) -> Iterator[Reason]:
        for cause in order:
            if causes[cause] > -MIN_POINTS:
                return
            members = self._of_causes.members[cause]
            if silent:
                members = np.array([at for at in members.tolist() if at not in silent], np.int64)
                if not members.size or parts[members].min() >= 0:
                    continue
            at = int(members[parts[members].argmin()])
            code = at + len(self.features) * (row[at] is None)
            yield Reason(self._codes[code], self._texts[code], _shown(row[at]), float(causes[cause].round(2)))


def align_lists(row: pl.Series, lists: pl.Series, rows: int) -> pl.Series:
    """A series with one list per row: the given lists at their row numbers, and empty lists elsewhere."""
    given = pl.DataFrame({"row": row.cast(pl.Int64), "reasons": lists})
    every = pl.DataFrame({"row": np.arange(rows)}).join(given, "row", "left", maintain_order="left")
    return every["reasons"].fill_null(pl.Series([[]], dtype=lists.dtype))


def _not_known(feature: Feature) -> str:
    if feature.reason_not_known:
        return feature.reason_not_known
    if feature.missing_means:
        return f"{feature.missing_means[:1].upper()}{feature.missing_means[1:]}"
    return f"Not known: {feature.description.partition(';')[0].strip().rstrip('.')}"


def _shown(value: float | str | None) -> float | str | None:
    """The value as it is told: an undefined one has none."""
    return None if isinstance(value, float) and abs(value) >= LARGEST else value


def _as_text(features: pl.DataFrame, row: Rows, feature: Rows, names: Sequence[str]) -> pl.DataFrame:
    """The values at these rows and features as text (`value`), as `_shown`, and which of them are `missing`."""
    order = np.argsort(feature, kind="stable")
    ends = np.searchsorted(feature[order], np.arange(len(names) + 1))
    texts = [pl.DataFrame(schema={"value": pl.String, "missing": pl.Boolean})]
    texts += [
        _texts(features[name].gather(row[order[start:end]]))
        for name, (start, end) in zip(names, pairwise(ends), strict=True)
        if end > start
    ]
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return pl.concat(texts)[back]


def _texts(values: pl.Series) -> pl.DataFrame:
    value = pl.col("value")
    told = pl.when(value.abs() < LARGEST).then(value) if values.dtype.is_float() else value
    return pl.DataFrame({"value": values}).select(told.cast(pl.String), missing=value.is_null())


class _Sums:
    """Sums the rows of an array by owner.

    Args:
        owners: the owner of each row.
        order: every owner, in the order of the result.
    """

    def __init__(self, owners: Sequence[str], order: Sequence[str]) -> None:
        place = {owner: at for at, owner in enumerate(order)}
        whose = np.array([place[owner] for owner in owners], np.int64)
        self._rows = np.argsort(whose, kind="stable")
        self._starts = np.searchsorted(whose[self._rows], np.arange(len(order)))
        self.members = [np.flatnonzero(whose == at) for at in range(len(order))]

    def __call__(self, values: Floats) -> Floats:
        return np.add.reduceat(np.ascontiguousarray(values).take(self._rows, axis=0), self._starts, axis=0)
