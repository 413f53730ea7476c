"""How past predictions performed once their loans matured. Only out-of-sample loans count."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loan_platform.core.book.monitoring_policies import DriftPolicy
from loan_platform.core.evaluation.metrics import Metrics, evaluate

Verdict = Literal["ok", "degraded", "unknown"]
Floats = NDArray[np.float64]

CHANCE = 3.0  # standard errors of the number of defaults, if every probability were right


@dataclass(frozen=True)
class VintagePerformance:
    """One month of issue. It has metrics if enough outcomes, of both kinds, are known.

    `scored` counts out-of-sample predictions. `expected` counts those that became a loan, as far as is known: approved,
    or with a word of the lender about the outcome. `known` counts those whose outcome is known.
    """

    vintage: date | None
    scored: int
    expected: int
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


def performance(
    predictions: pl.DataFrame, champion_gini: float, policy: DriftPolicy, min_resolved: float = 0.9
) -> Performance:
    """Judge past predictions by the outcomes that are known.

    Loans on which the model was developed are left out and counted. The others are judged in mature months only: the
    first outcomes of a month are nearly all defaults. The verdict is `degraded` if their Gini is below the policy's
    share of the champion's Gini on its test set, or if more or fewer of them defaulted than was predicted, by the
    policy's factor and beyond chance. It is `unknown` if too few outcomes are known, or only one kind.

    Args:
        predictions: one row per scored loan: `vintage` (date; null for a book without dates), `probability`,
            `outcome` (1 default, 0 repaid, null unknown), `in_sample` (the loan trained or calibrated the version that
            scored it), `expected` (whether it became a loan, as far as is known).
        champion_gini: 2 AUC - 1 of the champion on its test set.
        policy: share of that Gini to keep, factor of the default rate, and number of known outcomes needed.
        min_resolved: share of a month's expected outcomes that must be known before the month is judged.

    Raises:
        ValueError: `in_sample` is null in a row.
    """
    if predictions["in_sample"].null_count():
        raise ValueError("in_sample is null: a prediction must say whether its loan was in the development data")
    fresh = predictions.filter(~pl.col("in_sample"))
    floor = champion_gini * policy.min_relative_gini
    months = fresh.with_columns(pl.col("vintage").cast(pl.Date).dt.truncate("1mo"))
    judged = _Judge(floor, policy, min_resolved)
    parts = {key[0]: part for key, part in months.sort("vintage").group_by("vintage", maintain_order=True)}
    mature = [vintage for vintage, part in parts.items() if _share_known(part) >= min_resolved]
    of_mature = months.filter(pl.col("vintage").is_in(mature, nulls_equal=True))
    overall = judged.of(None, of_mature if mature else months)
    counts = {"scored": fresh.height, "expected": int(fresh["expected"].sum()), "known": fresh["outcome"].count()}
    return Performance(
        overall=replace(overall, **counts),
        vintages=tuple(judged.of(vintage, part) for vintage, part in parts.items() if vintage is not None),
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


@dataclass(frozen=True)
class _Judge:
    floor: float
    policy: DriftPolicy
    min_resolved: float

    def of(self, vintage: date | None, scored: pl.DataFrame) -> VintagePerformance:
        """The verdict on some predictions."""
        known = scored.drop_nulls("outcome")
        counts = (vintage, len(scored), int(scored["expected"].sum()), len(known))
        if reason := self._too_early(scored, known):
            return VintagePerformance(*counts, "unknown", reason, None)
        metrics = evaluate(known["outcome"].to_numpy(), known["probability"].to_numpy())
        reason, verdict = f"Gini {metrics.gini:.3f}, floor {self.floor:.3f}", "ok"
        if off := self._rate_is_off(known):
            reason, verdict = f"{reason}; {off}", "degraded"
        return VintagePerformance(*counts, "degraded" if metrics.gini < self.floor else verdict, reason, metrics)

    def _too_early(self, scored: pl.DataFrame, known: pl.DataFrame) -> str | None:
        if len(known) < self.policy.min_outcomes:
            return f"{len(known)} outcomes are known, {self.policy.min_outcomes} are needed"
        if (share := _share_known(scored)) < self.min_resolved:
            return (
                f"{share:.1%} of the outcomes are known, and split.min_resolved needs {self.min_resolved:.1%}: those "
                "known first are mostly defaults"
            )
        return f"all {len(known)} known outcomes are the same" if known["outcome"].n_unique() < 2 else None

    def _rate_is_off(self, known: pl.DataFrame) -> str | None:
        """Whether more or fewer loans defaulted than was predicted, by the policy's factor and beyond chance."""
        probability = known["probability"]
        predicted, observed = float(probability.sum()), float(known["outcome"].sum())
        chance = CHANCE * float((probability * (1 - probability)).sum()) ** 0.5
        factor = max(observed, predicted) / max(min(observed, predicted), 1e-9)
        if abs(observed - predicted) <= chance or factor <= self.policy.max_rate_factor:
            return None
        rates = f"{observed / len(known):.1%} defaulted, {predicted / len(known):.1%} were predicted"
        return f"{rates}: a factor of {factor:.2f}, the limit is {self.policy.max_rate_factor:g}"


def _share_known(scored: pl.DataFrame) -> float:
    """Share of the predictions that became loans whose outcome is known."""
    expected = int(scored["expected"].sum())
    return scored["outcome"].count() / expected if expected else 0.0
