"""Policies that suit the size and the strength of the loans at hand."""

from dataclasses import dataclass
from math import ceil, sqrt

from loan_platform.core.book.policies import Family, Partitions, Promotion, Training
from loan_platform.core.drafting.judging.strength import Strength
from loan_platform.core.drafting.judging.windows import ChosenSplit
from loan_platform.core.training.splits import Part

SMALL, LARGE = 5_000, 30_000
ENOUGH = 500  # defaults for a family that needs many
USUAL = Promotion()
LEAST_FLOOR = 0.5
BETTER = 0.05  # that a tuned model may be above the quick one, or below


@dataclass(frozen=True)
class ChosenPolicies:
    """Policies of the draft, with the figures behind them."""

    split: ChosenSplit
    training: Training
    promotion: Promotion
    partitions: Partitions
    strength: Strength


def training_for(rows: int, defaults: int) -> Training:
    """Families and trials that take about a minute on two cores for 100,000 loans.

    Args:
        rows: loans with a known outcome.
        defaults: of them.
    """
    families: tuple[Family, ...] = ("scorecard", "gradient_boosting", "blend")
    if SMALL < rows <= LARGE and defaults > ENOUGH:
        families = ("scorecard", "random_forest", "gradient_boosting", "blend")
    return Training(families=families, trials=6 if rows <= LARGE else 4, tuning_rows=20_000)


def promotion_for(found: Strength, split: ChosenSplit) -> Promotion:
    """Floors and ceilings around what a quick model and the strongest feature reached.

    The quick model was judged on the calibration set, so the doubt of both sets is allowed for. A ceiling is never
    below the platform's own; the calibration error allows for what chance alone gives in a test set of this size.
    """
    test, judged = split.rows.parts["test"], split.rows.parts["calibration"]
    rate = test.default_rate
    noise = sqrt(rate * (1 - rate) * 10 / test.rows)  # of the default rate in each of ten bins
    doubt = 3 * sqrt(_variance(test) + _variance(judged))
    return Promotion(
        min_auc=_floor(found.auc - doubt - BETTER),
        max_auc=_ceiling(found.auc + doubt + BETTER, USUAL.max_auc),
        max_feature_auc=_ceiling(found.feature_auc + doubt, USUAL.max_feature_auc),
        max_ece=max(USUAL.max_ece, round(0.015 + 1.2 * noise, 3)),
    )


def _variance(part: Part) -> float:
    """About that of an AUC near 0.7 (Hanley and McNeil 1982): the rarer class decides."""
    return 0.05 / max(min(part.defaults, part.rows - part.defaults), 1)


def _floor(value: float) -> float:
    return min(USUAL.min_auc, max(LEAST_FLOOR, int(value * 100) / 100))


def _ceiling(value: float, usual: float) -> float:
    return min(0.99, max(usual, ceil(value * 100) / 100))
