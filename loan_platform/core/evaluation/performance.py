"""How past predictions performed once their loans matured. Only out-of-sample loans count."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loan_platform.core.book.monitoring_policies import DriftPolicy
from loan_platform.core.evaluation.metrics import Metrics, evaluate

Verdict = Literal["ok", "degraded", "unknown"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class VintagePerformance:
    """One month of issue. It has metrics if enough outcomes, of both kinds, are known.

    `scored` counts out-of-sample predictions. `known` counts those whose outcome is known.
    """

    vintage: date | None
    scored: int
    known: int
    verdict: Verdict
    reason: str
    metrics: Metrics | None


@dataclass(frozen=True)
class Performance:
    """All vintages together (`overall`), and one by one in order of time."""

    overall: VintagePerformance
    vintages: tuple[VintagePerformance, ...]
    in_sample: int
    gini_floor: float

    @property
    def verdict(self) -> Verdict:
        """The verdict on all vintages together."""
        return self.overall.verdict

    def to_frame(self) -> pl.DataFrame:
        """Vintages with known metrics, in the form of `evaluation.by_vintage`."""
        known = [(v.vintage, v.metrics) for v in self.vintages if v.metrics is not None]
        rows = [(at, m.rows, m.base_rate, m.mean_probability, m.auc, m.ece) for at, m in known]
        names = ("observed", "predicted", "auc", "ece")
        schema = {"vintage": pl.Date, "rows": pl.Int64, **dict.fromkeys(names, pl.Float64)}
        return pl.DataFrame(rows, schema=schema, orient="row")


def performance(predictions: pl.DataFrame, champion_gini: float, policy: DriftPolicy) -> Performance:
    """Judge past predictions by the outcomes that are known.

    Loans on which the model was developed are left out and counted. The verdict is `degraded` if the Gini of the others
    is below the policy's share of the champion's Gini on its test set. It is `unknown` if too few outcomes are known,
    or only one kind.

    Args:
        predictions: one row per scored loan: `vintage` (date; null for a book without dates), `probability`,
            `outcome` (1 default, 0 repaid, null unknown), `in_sample` (the loan trained or calibrated the version that
            scored it).
        champion_gini: 2 AUC - 1 of the champion on its test set.
        policy: share of that Gini to keep, and number of known outcomes needed.

    Raises:
        ValueError: `in_sample` is null in a row.
    """
    if predictions["in_sample"].null_count():
        raise ValueError("in_sample is null: a prediction must say whether its loan was in the development data")
    fresh = predictions.filter(~pl.col("in_sample"))
    floor = champion_gini * policy.min_relative_gini
    months = fresh.with_columns(pl.col("vintage").cast(pl.Date).dt.truncate("1mo")).sort("vintage")
    parts = months.group_by("vintage", maintain_order=True)
    return Performance(
        overall=_judge(None, fresh, floor, policy),
        vintages=tuple(_judge(key[0], part, floor, policy) for key, part in parts if key[0] is not None),
        in_sample=len(predictions) - len(fresh),
        gini_floor=floor,
    )


def auc_error(auc: Floats, defaults: Floats, repaid: Floats) -> Floats:
    """Standard error of an AUC, from the counts of loans.

    J. A. Hanley and B. J. McNeil, "The meaning and use of the area under a receiver operating characteristic
    (ROC) curve", Radiology 143, 1982. Arguments and result have shape [n].
    """
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (defaults - 1) * (q1 - auc**2) + (repaid - 1) * (q2 - auc**2)
    return np.sqrt(np.maximum(variance, 0) / (defaults * repaid))


def _judge(vintage: date | None, scored: pl.DataFrame, floor: float, policy: DriftPolicy) -> VintagePerformance:
    known = scored.drop_nulls("outcome")
    kinds = known["outcome"].n_unique()
    if len(known) < policy.min_outcomes or kinds < 2:
        reason = f"{len(known)} outcomes are known, {policy.min_outcomes} are needed"
        if len(known) >= policy.min_outcomes:
            reason = f"all {len(known)} known outcomes are the same"
        return VintagePerformance(vintage, len(scored), len(known), "unknown", reason, None)
    metrics = evaluate(known["outcome"].to_numpy(), known["probability"].to_numpy())
    verdict = "ok" if metrics.gini >= floor else "degraded"
    reason = f"Gini {metrics.gini:.3f}, floor {floor:.3f}"
    return VintagePerformance(vintage, len(scored), len(known), verdict, reason, metrics)
