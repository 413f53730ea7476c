"""The rules that a version must keep whether there is a champion or not. Each knows the size of the test set."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from loan_platform.core.book.decision_policies import PromotionPolicy
from loan_platform.core.evaluation.bootstrap import Interval
from loan_platform.core.evaluation.gates.calibration_evidence import CalibrationEvidence, calibration_evidence
from loan_platform.core.evaluation.gates.criterion import CriterionResult, at_least, at_most
from loan_platform.core.evaluation.intervals import auc_interval

CHANCE = 0.5  # AUC of a model that knows nothing
RATE_TOLERANCE = 1.25  # factor between observed and predicted rate that does not matter
SLOPES = (0.75, 1.35)  # calibration slopes that do not matter
ECE_SHARE = 0.25  # largest calibration error beyond chance, as a share of the default rate


@dataclass(frozen=True)
class Challenger:
    """A version on its test set.

    Attributes:
        auc: with its 95 % interval; `max_feature_auc` is that of the strongest feature alone.
        brier_of_others: Brier score of a model that gives each loan the default rate of the others.
    """

    sha256: str
    auc: Interval
    calibration: CalibrationEvidence
    brier: float
    brier_of_others: float
    max_feature_auc: Interval
    max_feature: str = "one feature"


def challenger_of(
    sha256: str, target: ArrayLike, probability: ArrayLike, max_feature_auc: Interval, max_feature: str
) -> Challenger:
    """The evidence about a version.

    Args:
        sha256: of its bundle.
        target: outcomes of the test loans, shape [n].
        probability: its probabilities of default, shape [n].
        max_feature_auc: AUC of the strongest feature alone; `max_feature`: its name.

    Raises:
        ValueError: empty, of different lengths, or fewer than two loans of a class.
    """
    y, p = np.asarray(target, np.float64), np.asarray(probability, np.float64)
    rate = float(y.mean())
    return Challenger(
        sha256=sha256,
        auc=auc_interval(y, p),
        calibration=calibration_evidence(y, p),
        brier=float(np.mean((p - y) ** 2)),
        brier_of_others=rate * (1 - rate) * (len(y) / (len(y) - 1)) ** 2,
        max_feature_auc=max_feature_auc,
        max_feature=max_feature,
    )


def absolute_rules(policy: PromotionPolicy, challenger: Challenger) -> tuple[CriterionResult, ...]:
    """All rules, in the order in which they are shown."""
    return (*ranking_rules(policy, challenger), *calibration_rules(policy, challenger.calibration))


def ranking_rules(policy: PromotionPolicy, challenger: Challenger) -> tuple[CriterionResult, ...]:
    """The rules of the AUC and of the Brier score. A version that breaks one is not registered."""
    area, alone = challenger.auc, challenger.max_feature_auc
    better = challenger.brier < challenger.brier_of_others
    return (
        _above_chance(area),
        at_least("auc_floor", "Test AUC", area.estimate, policy.min_auc),
        _no_leak("auc_ceiling", "Test AUC", area, policy),
        _no_leak("feature_auc_ceiling", f"AUC of {challenger.max_feature} alone", alone, policy),
        CriterionResult(
            "beats_base_rate",
            better,
            challenger.brier,
            challenger.brier_of_others,
            f"Brier score {challenger.brier:.4f} is {'below' if better else 'not below'} "
            f"{challenger.brier_of_others:.4f}, "
            "which the default rate alone gives.",
        ),
    )


def calibration_rules(policy: PromotionPolicy, found: CalibrationEvidence) -> tuple[CriterionResult, ...]:
    """The rules of the probabilities: their mean, their spread and their distance from the observed rates."""
    return (_rate(found), _rate_is_shown(policy, found), _slope(found), _ece(policy, found))


def is_calibrated(policy: PromotionPolicy, found: CalibrationEvidence) -> bool:
    """Whether a model in use would pass. That its rate is shown by many defaults is asked of a challenger alone."""
    return all(rule.passed for rule in (_rate(found), _slope(found), _ece(policy, found)))


def ece_limit(policy: PromotionPolicy, found: CalibrationEvidence) -> float:
    """The calibration error that chance gives in a test set like this one, plus what the policy allows."""
    allowed = min(policy.max_ece, ECE_SHARE * found.observed_rate)
    return max(found.chance_high, found.chance + allowed)


def _above_chance(area: Interval) -> CriterionResult:
    passed = area.low > CHANCE
    sentence = (
        f"Test AUC {area.estimate:.4f} has the 95 % interval {area.low:.4f} to {area.high:.4f}; its lower end "
        f"{'is above 0.5' if passed else 'is not above 0.5, so the model may rank no better than chance'}."
    )
    return CriterionResult("auc_above_chance", passed, area.low, CHANCE, sentence)


def _no_leak(rule: str, what: str, area: Interval, policy: PromotionPolicy) -> CriterionResult:
    name, ceiling = {
        "auc_ceiling": ("max_auc", policy.auc_ceiling),
        "feature_auc_ceiling": ("max_feature_auc", policy.feature_auc_ceiling),
    }[rule]
    passed = area.low <= ceiling
    alarm = "; this much is a leak, not a success" if not passed else ""
    keeps = "keeps" if passed else "is above"
    sentence = f"{what} {area.estimate:.4f} (at least {area.low:.4f}) {keeps} the ceiling {ceiling:.4f}{alarm}."
    why = f" The ceiling was raised: {policy.reason}" if policy.is_explained and name in policy.raised else ""
    return CriterionResult(rule, passed, area.low, ceiling, sentence + why)


def _rate(found: CalibrationEvidence) -> CriterionResult:
    ratio = found.rate_ratio
    shown = not ratio.low <= 1 <= ratio.high
    passed = 1 / RATE_TOLERANCE <= ratio.estimate <= RATE_TOLERANCE or not shown
    sentence = (
        f"{_rates(found)}: {ratio.estimate:.2f} times as many (95 % interval {ratio.low:.2f} to {ratio.high:.2f}"
        + (")." if passed else f"), which is beyond chance and beyond a factor of {RATE_TOLERANCE:g}.")
    )
    return CriterionResult("default_rate", passed, ratio.estimate, RATE_TOLERANCE, sentence)


def _rate_is_shown(policy: PromotionPolicy, found: CalibrationEvidence) -> CriterionResult:
    high, limit = found.rate_ratio.high, policy.max_rate_factor
    passed = high <= limit
    sentence = (
        f"Up to {high:.2f} times as many loans may default as predicted, by {found.defaults:,} test defaults; "
        + (
            f"that keeps the limit of {limit:g}."
            if passed
            else f"the limit is {limit:g}: probabilities that low may be wrong, or the test set needs more defaults."
        )
    )
    return CriterionResult("default_rate_shown", passed, high, limit, sentence)


def _slope(found: CalibrationEvidence) -> CriterionResult:
    slope, (low, high) = found.slope, SLOPES
    passed = low <= slope.estimate <= high or slope.low <= 1 <= slope.high
    sentence = (
        f"Calibration slope {slope.estimate:.2f} (99 % interval {slope.low:.2f} to {slope.high:.2f}), intercept "
        f"{found.intercept:+.2f}: the probabilities are {'well spread' if passed else _misspread(slope)}."
    )
    return CriterionResult("calibration_slope", passed, slope.estimate, low, sentence)


def _misspread(slope: Interval) -> str:
    if slope.estimate != slope.estimate:
        return "all equal, or separate the outcomes without an error, so no slope is defined"
    return "too far apart" if slope.estimate < 1 else "too close together"


def _ece(policy: PromotionPolicy, found: CalibrationEvidence) -> CriterionResult:
    why = f", where right probabilities have {found.chance:.4f} in {found.rows:,} loans"
    return at_most("ece_ceiling", "Calibration error (ECE)", found.ece, ece_limit(policy, found), why)


def _rates(found: CalibrationEvidence) -> str:
    return f"{found.observed_rate:.2%} of the test loans defaulted, {found.mean_probability:.2%} were predicted"
