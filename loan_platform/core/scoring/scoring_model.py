"""The one path from a loan's columns to its probability of default. Batch, service and tests score here."""

import math
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loan_platform.core.book.constants import EXPOSURE
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.decision_policies import ScorecardPolicy
from loan_platform.core.book.parts.columns import Column, Layout, LayoutColumn
from loan_platform.core.book.sql import columns_read
from loan_platform.core.features.design_matrix import Design
from loan_platform.core.features.feature_set import FeatureSet
from loan_platform.core.features.row_rules import BrokenRulesError
from loan_platform.core.models.base import FittedModel
from loan_platform.core.models.calibration import Calibration
from loan_platform.core.models.portable import sigmoid
from loan_platform.core.scoring.decisions import REFERRED, AnswerPolicy

Floats = NDArray[np.float64]

CHUNK_ROWS = 32_768


@dataclass(frozen=True)
class ScoringModel:
    """A contract's features, a fitted model, its calibration and the answer policy. Threads may share it.

    `contract` holds only what the model needs (see `reduced_contract`). `threads` is for batches. No bit depends on it.
    """

    contract: Contract
    design: Design
    model: FittedModel
    calibration: Calibration
    policy: AnswerPolicy
    threads: int = 2

    @cached_property
    def feature_set(self) -> FeatureSet:
        """The features that the model reads."""
        return FeatureSet(self.contract, use_pricing=True)  # the contract holds only what the policy allows

    @property
    def family(self) -> str:
        """Name of the model family."""
        return self.model.family

    @property
    def inputs(self) -> tuple[Column, ...]:
        """Columns that features, exposure and critical row rules read, in contract order."""
        return self.feature_set.inputs

    @cached_property
    def importance(self) -> dict[str, float]:
        """Importance of each feature, largest first; the shares sum to 1."""
        shares = dict.fromkeys(self.design.features, 0.0)
        for column, share in zip(self.design.columns, self.model.importance, strict=True):
            shares[column.feature] += share
        return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))

    def features(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Features of typed columns, as `FeatureSet.compute` gives them."""
        return self.feature_set.compute(frame)

    def checked_features(self, frame: pl.DataFrame) -> pl.DataFrame:
        """As `features`, for rows that keep the contract's critical row rules.

        Raises:
            BrokenRulesError: with the rules that each row breaks.
        """
        features, broken = self.feature_set.compute_checked(frame)
        if broken:
            raise BrokenRulesError(broken)
        return features

    def score(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Score each row of typed columns.

        Returns:
            A frame of `SCORE_SCHEMA` (the fields of `Answer` without reasons), one row per input row in the same order.
            A row's bits are the same alone and in bulk.

        Raises:
            FeatureError: a column holds another type than the contract says.
        """
        return self._in_chunks(frame, lambda part: self._answers(self.feature_set.compute(part)))

    def score_features(self, features: pl.DataFrame) -> pl.DataFrame:
        """As `score`, for features that are computed already."""
        return self._in_chunks(features, self._answers)

    def log_odds(self, features: pl.DataFrame) -> Floats:
        """Calibrated log-odds of default of a features frame, shape [rows]."""
        return self.calibration.log_odds(self.model.margin(self.design.matrix(features)))

    @cached_property
    def referring(self) -> tuple[str, ...]:
        """Features that refer an application to a person where training did not see enough of their value."""
        wanted = {f.name for f in self.contract.features if f.when_missing == "refer"}
        return tuple(name for name in self.design.features if name in wanted)

    def referred(self, features: pl.DataFrame) -> pl.DataFrame:
        """For each feature of `referring`: whether its value refers the row to a person."""
        return pl.DataFrame({name: self.design.not_seen(features[name]) for name in self.referring})

    def decisions(self, features: pl.DataFrame, probability: Floats) -> pl.Series:
        """The decision on each row of a features frame, given its probability of default."""
        decisions = self.policy.decision.decisions(probability)
        if not self.referring:
            return decisions
        referred = self.referred(features).select(pl.any_horizontal(pl.all())).to_series()
        referrals = referred.replace_strict({True: REFERRED, False: None}, return_dtype=decisions.dtype)
        return referrals.zip_with(referred, decisions)

    def _in_chunks(self, frame: pl.DataFrame, answers: Callable[[pl.DataFrame], pl.DataFrame]) -> pl.DataFrame:
        if frame.height <= CHUNK_ROWS:
            return answers(frame)
        chunks = [frame.slice(start, CHUNK_ROWS) for start in range(0, frame.height, CHUNK_ROWS)]
        with ThreadPoolExecutor(self.threads) as pool:
            return pl.concat(pool.map(answers, chunks), rechunk=True)

    def _answers(self, features: pl.DataFrame) -> pl.DataFrame:
        log_odds, rule = self.log_odds(features), self.policy.decision
        probability = sigmoid(log_odds)
        return pl.DataFrame(
            {
                "probability": probability,
                "score": points(log_odds, self.policy.scorecard),
                "risk": rule.risks(probability),
                "decision": self.decisions(features, probability),
                "expected_loss": rule.expected_loss(probability, self.exposure(features)),
            }
        )

    def exposure(self, features: pl.DataFrame) -> pl.Series:
        """Exposure of each loan: 1 if the contract has none, null if the loan's is missing."""
        if self.contract.exposure is None:
            return pl.repeat(1.0, features.height, eager=True)
        if EXPOSURE not in features.columns:
            return pl.repeat(None, features.height, dtype=pl.Float64, eager=True)
        return features[EXPOSURE]


def points(log_odds: Floats, scale: ScorecardPolicy) -> Floats:
    """Points of calibrated log-odds of default: `scale.points` at odds of `scale.odds` good to bad.

    A fixed number of further points doubles the odds (N. Siddiqi, "Credit Risk Scorecards", 2006).
    """
    factor = scale.points_to_double_odds / math.log(2)
    return scale.points - factor * (log_odds + math.log(scale.odds))


def reduced_contract(contract: Contract, design: Design) -> Contract:
    """The part of a contract that a model needs: its features, its target, and every column of an application.

    Columns known at application stay even if no feature reads them. So a caller sends the same fields to every model.
    How files write these columns, and which files are linked, stays too: the service reads files of the lender.
    """
    features = tuple(f for f in contract.features if f.name in design.features)
    exposure = columns_read(contract.exposure.sql) if contract.exposure else frozenset[str]()
    read = exposure.union(*(f.columns for f in features)) | {contract.entity_key, contract.event_date}
    offered = {c.name for c in contract.columns if c.available_at == "application" and not c.protected}
    columns = tuple(c for c in contract.columns if c.name in read | offered)
    return Contract.model_validate(
        {
            **contract.model_dump(exclude={"layouts"}),
            "features": [f.model_dump() for f in features],
            "columns": [c.model_dump() for c in columns],
            "layouts": [_reduced_layout(layout, contract.entity_key, columns) for layout in contract.layouts],
            "forbidden_features": [n for n in contract.forbidden_features if n in {c.name for c in columns}],
        }
    )


def _reduced_layout(layout: Layout, key: str, columns: Iterable[Column]) -> dict[str, Any]:
    """A layout without other columns. One that has none left stays, because a later layout may fit its files too."""
    kept = [written for column in columns if (written := layout.by_name.get(column.name))]
    return {**layout.model_dump(), "columns": [w.model_dump() for w in kept or [LayoutColumn(name=key)]]}
