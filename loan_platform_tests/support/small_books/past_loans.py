"""Past predictions with outcomes, and their performance."""

from collections.abc import Mapping
from datetime import date

import numpy as np
import polars as pl

from loan_platform.core.book.monitoring_policies import DriftPolicy
from loan_platform.core.evaluation.bootstrap import Interval
from loan_platform.core.evaluation.intervals import auc_interval, gini_of
from loan_platform.core.performance.performance import Performance, VersionPerformance, performance
from loan_platform.core.performance.same_model import AnsweringModel
from loan_platform.core.performance.verdict import GiniReference

POLICY = DriftPolicy(min_outcomes=200, min_relative_gini=0.7)
APPROVE_BELOW = 0.2
FEW = 0.06  # default rate of a book with few defaults, against 0.2


def predictions(
    rows: int = 3_000, strength: float = 1.0, seed: int = 1, months: int = 3, version: int = 1, rate: float = 0.2
) -> pl.DataFrame:
    """Loans from January 2018 on whose default follows the prediction with this strength. All are reported."""
    draw = np.random.default_rng(seed)
    base = np.log(rate / (1 - rate)) - 0.3
    logit = base + draw.normal(size=rows)
    truth = 1 / (1 + np.exp(-base - strength * (logit - base)))
    probability = 1 / (1 + np.exp(-logit))
    month = [date(2018 + i % months // 12, 1 + i % months % 12, 1 + i % 28) for i in range(rows)]
    return pl.DataFrame(
        {
            "vintage": month,
            "model_version": version,
            "probability": probability,
            "outcome": (draw.random(rows) < truth).astype(np.int8),
            "approved": probability < APPROVE_BELOW,
            "reported": True,
            "in_sample": False,
        }
    )


def gini(frame: pl.DataFrame) -> Interval:
    """Gini of the loans, with its interval."""
    return gini_of(auc_interval(frame["outcome"], frame["probability"]))


def reference(rate: float = 0.2) -> GiniReference:
    """Of a version whose test loans are 20,000 of the same book."""
    test = predictions(20_000, seed=99, rate=rate)
    return GiniReference(gini(test), gini(test.filter("approved")))


def judged(
    frame: pl.DataFrame,
    champion: int | None = 1,
    rate: float = 0.2,
    policy: DriftPolicy = POLICY,
    models: Mapping[int, AnsweringModel] | None = None,
) -> Performance:
    """Performance of all versions, each with the same reference."""
    return performance(frame, dict.fromkeys(range(1, 5), reference(rate)), champion, policy, models=models)


def one(frame: pl.DataFrame, policy: DriftPolicy = POLICY) -> VersionPerformance:
    """Performance of the only version."""
    found = judged(frame, policy=policy).of_champion
    assert found is not None
    return found


def without_declined(frame: pl.DataFrame) -> pl.DataFrame:
    """As a lender knows it who follows the decisions: no outcome of who was not approved."""
    outcome = pl.when("approved").then("outcome").alias("outcome")
    return frame.with_columns(outcome, reported=pl.col("approved"))


def after(frame: pl.DataFrame, months: int) -> pl.DataFrame:
    """The same loans, some months later."""
    return frame.with_columns(pl.col("vintage").dt.offset_by(f"{months}mo"))
