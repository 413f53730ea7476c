"""Chooses policies by the number of loans and the strength of the features."""

from dataclasses import dataclass
from math import sqrt

from loan_platform.core.book.decision_policies import USUAL_CEILINGS, PromotionPolicy
from loan_platform.core.book.monitoring_policies import PartitionPolicy
from loan_platform.core.book.training_policies import Family, TrainingPolicy
from loan_platform.core.drafting.judging.strength import Strength
from loan_platform.core.drafting.judging.windows import ChosenSplit
from loan_platform.core.training.splits import Part

SMALL, LARGE = 5_000, 30_000
MIN_DEFAULTS_FOR_FOREST = 500  # defaults for a family that needs many
DEFAULT_PROMOTION = PromotionPolicy()
MIN_FLOOR = 0.5
AUC_TOLERANCE = 0.05  # that a tuned model may be above the quick one, or below


@dataclass(frozen=True)
class ChosenPolicies:
    """Policies of the draft, with the figures behind them."""

    split: ChosenSplit
    training: TrainingPolicy
    promotion: PromotionPolicy
    partitions: PartitionPolicy
    strength: Strength


def training_for(rows: int, defaults: int) -> TrainingPolicy:
    """Families and trials that take about a minute on two cores for 100,000 loans.

    Args:
        rows: loans with a known outcome.
        defaults: of them.
    """
    families: tuple[Family, ...] = ("scorecard", "gradient_boosting", "blend")
    if SMALL < rows <= LARGE and defaults > MIN_DEFAULTS_FOR_FOREST:
        families = ("scorecard", "random_forest", "gradient_boosting", "blend")
    return TrainingPolicy(families=families, trials=6 if rows <= LARGE else 4, tuning_rows=20_000)


def promotion_for(found: Strength, split: ChosenSplit) -> PromotionPolicy:
    """A floor below what a quick model reached, and the usual ceilings, whatever it reached: a leak reaches much.

    The quick model was judged on the calibration set, so the doubt of both sets is allowed for. The gate of the
    calibration error allows itself for what chance gives in a test set.
    """
    test, judged = split.rows.parts["test"], split.rows.parts["calibration"]
    doubt = 3 * sqrt(_variance(test) + _variance(judged))
    return PromotionPolicy(
        min_auc=_floor(found.auc - doubt - AUC_TOLERANCE),
        max_auc=USUAL_CEILINGS["max_auc"],
        max_feature_auc=USUAL_CEILINGS["max_feature_auc"],
    )


def _variance(part: Part) -> float:
    """About that of an AUC near 0.7 (Hanley and McNeil 1982): the rarer class decides."""
    return 0.05 / max(min(part.defaults, part.rows - part.defaults), 1)


def _floor(value: float) -> float:
    return min(DEFAULT_PROMOTION.min_auc, max(MIN_FLOOR, int(value * 100) / 100))
