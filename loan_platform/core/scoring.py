"""The one path from a loan's columns to its probability of default: batch, service and tests all score here."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loan_platform.core.calibration import Isotonic, Platt
from loan_platform.core.contract import Column, Contract
from loan_platform.core.design import Design
from loan_platform.core.features import FeatureSet
from loan_platform.core.models.base import FittedModel
from loan_platform.core.policies import Scorecard
from loan_platform.core.portable import sigmoid

Floats = NDArray[np.float64]

CHUNK_ROWS = 32_768


@dataclass(frozen=True)
class ScoringModel:
    """A contract's features, a fitted model, its calibration and the points scale; safe to share among threads.

    `contract` holds only what the model needs (see `needed`). `threads` is for batches; one row takes one thread, and
    no bit depends on it.
    """

    contract: Contract
    design: Design
    model: FittedModel
    calibration: Platt | Isotonic
    points: Scorecard
    threads: int = 2

    @cached_property
    def feature_set(self) -> FeatureSet:
        """The features that the model reads."""
        return FeatureSet(self.contract, use_pricing=True)  # the contract was cut to what the policy allows

    @property
    def family(self) -> str:
        """Name of the model family."""
        return self.model.family

    @property
    def inputs(self) -> tuple[Column, ...]:
        """Columns that a caller states."""
        return self.feature_set.inputs

    @cached_property
    def importance(self) -> dict[str, float]:
        """Each feature's share of what the model has learned, largest first; sums to 1."""
        shares = dict.fromkeys(self.design.features, 0.0)
        for column, share in zip(self.design.columns, self.model.importance, strict=True):
            shares[column.feature] += share
        return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))

    def features(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Features of typed columns, as `FeatureSet.compute`."""
        return self.feature_set.compute(frame)

    def score(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Probability of default and score of each row of typed columns.

        Returns:
            Columns `probability` (calibrated, 0 to 1) and `score` (points, higher is safer, not rounded): one row per
            input row, in the same order, the same bits alone and in bulk.

        Raises:
            FeatureError: a column holds another type than the contract says.
        """
        return self._answer(self._in_chunks(frame, self._log_odds_of_columns))

    def score_features(self, features: pl.DataFrame) -> pl.DataFrame:
        """`score` where the features are computed already: the same bits."""
        return self._answer(self._in_chunks(features, self.log_odds))

    def log_odds(self, features: pl.DataFrame) -> Floats:
        """Calibrated log-odds of default of a features frame."""
        return self.calibration.log_odds(self.model.margin(self.design.matrix(features)))

    def _log_odds_of_columns(self, frame: pl.DataFrame) -> Floats:
        return self.log_odds(self.feature_set.compute(frame))

    def _in_chunks(self, frame: pl.DataFrame, log_odds: Callable[[pl.DataFrame], Floats]) -> Floats:
        if frame.height <= CHUNK_ROWS:
            return log_odds(frame)
        chunks = [frame.slice(start, CHUNK_ROWS) for start in range(0, frame.height, CHUNK_ROWS)]
        with ThreadPoolExecutor(self.threads) as pool:
            return np.concatenate(list(pool.map(log_odds, chunks)))

    def _answer(self, log_odds: Floats) -> pl.DataFrame:
        return pl.DataFrame({"probability": sigmoid(log_odds), "score": points(log_odds, self.points)})


def points(log_odds: Floats, scale: Scorecard) -> Floats:
    """Points of calibrated log-odds of default: `scale.points` at `scale.odds` good to bad, `double` for twice that."""
    factor = scale.double / math.log(2)
    return scale.points - factor * (log_odds + math.log(scale.odds))


def needed(contract: Contract, design: Design) -> Contract:
    """The part of a contract that a model needs: its features, the columns they read, key, date and target."""
    features = tuple(f for f in contract.features if f.name in design.features)
    read = frozenset[str]().union(*(f.columns for f in features)) | {contract.entity_key, contract.event_date}
    columns = tuple(c for c in contract.columns if c.name in read)
    return Contract.model_validate(
        {
            **contract.model_dump(exclude={"tables", "join"}),
            "features": [f.model_dump() for f in features],
            "columns": [c.model_dump() for c in columns],
            "forbidden_features": [n for n in contract.forbidden_features if n in {c.name for c in columns}],
        }
    )
