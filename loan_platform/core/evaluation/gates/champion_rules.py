"""The rules that compare a version with the champion, on loans that neither has seen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loan_platform.core.book.decision_policies import PromotionPolicy
from loan_platform.core.evaluation.bootstrap import Interval
from loan_platform.core.evaluation.gates.calibration_evidence import CalibrationEvidence, calibration_evidence
from loan_platform.core.evaluation.gates.criterion import CriterionResult, at_most
from loan_platform.core.evaluation.metrics import auc
from loan_platform.core.evaluation.paired_auc import auc_standard_error, paired_auc_interval

Floats = NDArray[np.float64]

MIN_PER_CLASS = 20  # defaulted and repaid loans for a comparison on a part of the test set


@dataclass(frozen=True)
class Gain:
    """Both models on the loans that neither was trained on.

    Attributes:
        interval: AUC of the challenger minus the champion's, paired, 95 %.
        challenger, champion: their AUCs; `error`: standard error of the champion's.
        chance_ece: ECE that chance alone can give the challenger on these loans.
    """

    interval: Interval
    challenger: float
    champion: float
    error: float
    challenger_ece: float
    champion_ece: float
    chance_ece: float


@dataclass(frozen=True)
class ChampionComparison:
    """The champion against a challenger on the challenger's test loans.

    Attributes:
        sha256: of the champion's bundle.
        rows: test loans that the champion was not trained on, `defaults` of them defaulted; `of_rows`: all test loans.
        gain: None where too few of them are left.
        calibration: of the champion on them, or on all test loans where too few are left.
        same_probabilities: the two are the same model, and give every test loan the same probability, to the bit.
        other_answers: what else differs in their answers, such as `the cut-offs`.
        edited: the contract was edited since the champion was trained.
    """

    sha256: str
    rows: int
    defaults: int
    of_rows: int
    gain: Gain | None
    calibration: CalibrationEvidence
    same_probabilities: bool
    other_answers: tuple[str, ...] = ()
    edited: bool = False


def compare(
    sha256: str,
    target: ArrayLike,
    challenger: ArrayLike,
    champion: ArrayLike,
    seen: ArrayLike,
    other_answers: tuple[str, ...] = (),
    edited: bool = False,
    same_model: bool = True,
) -> ChampionComparison:
    """Compare two models on test loans.

    Where loans that the champion was trained on are left out and fewer than 20 of a class remain, there is no `gain`.

    Args:
        sha256: of the champion's bundle.
        target: outcomes of the challenger's test loans, shape [n].
        challenger: its probabilities, shape [n]; `champion`: the champion's.
        seen: whether the champion was trained or calibrated on the loan, shape [n].
        other_answers: what else differs in the two models' answers.
        edited: whether the contract was edited since the champion was trained.
        same_model: whether features, model and calibration are the same. Equal probabilities of the test loans alone
            do not say what other loans get.

    Raises:
        ValueError: only one class in `target`.
    """
    y, new, old = (np.asarray(values, np.float64) for values in (target, challenger, champion))
    fair = ~np.asarray(seen, np.bool_)
    defaults = int(y[fair].sum())
    enough = bool(fair.all()) or min(defaults, int(fair.sum()) - defaults) >= MIN_PER_CLASS
    used = fair if enough else np.ones_like(fair)
    before = calibration_evidence(y[used], old[used])
    return ChampionComparison(
        sha256=sha256,
        rows=int(fair.sum()),
        defaults=defaults,
        of_rows=len(y),
        gain=_gain(y[used], new[used], old[used], before) if enough else None,
        calibration=before,
        same_probabilities=same_model and bool(np.array_equal(new, old)),
        other_answers=other_answers,
        edited=edited,
    )


def _gain(y: Floats, new: Floats, old: Floats, before: CalibrationEvidence) -> Gain:
    after = calibration_evidence(y, new)
    return Gain(
        interval=paired_auc_interval(y, new, old),
        challenger=auc(y, new),
        champion=auc(y, old),
        error=auc_standard_error(y, old),
        challenger_ece=after.ece,
        champion_ece=before.ece,
        chance_ece=after.chance_high,
    )


def champion_rules(policy: PromotionPolicy, champion: ChampionComparison, repairs: bool) -> tuple[CriterionResult, ...]:
    """The rules against the champion.

    A version of the same contract must be better. One of an edited contract, or one that `repairs` a champion whose
    probabilities no longer hold, must be as good.
    """
    if champion.gain is None:
        return (_too_few(champion),)
    gain = champion.gain
    ranks = _as_good(policy, champion, gain, repairs) if champion.edited or repairs else _better(policy, champion, gain)
    ceiling = max(gain.chance_ece, gain.champion_ece + policy.max_ece_loss)
    why = f" (the champion has {gain.champion_ece:.4f}, chance gives up to {gain.chance_ece:.4f})"
    what = "Calibration error (ECE) beside the champion's"
    return ranks, at_most("ece_loss", what, gain.challenger_ece, ceiling, why)


def _too_few(champion: ChampionComparison) -> CriterionResult:
    sentence = (
        f"The champion was trained on {champion.of_rows - champion.rows:,} of the {champion.of_rows:,} test loans. The "
        f"{champion.rows:,} others ({champion.defaults:,} defaults) are too few to compare, {MIN_PER_CLASS} of each "
        "outcome are needed: the absolute rules alone decide."
    )
    return CriterionResult("comparison", True, float(champion.rows), float(MIN_PER_CLASS), sentence)


def _better(policy: PromotionPolicy, champion: ChampionComparison, gain: Gain) -> CriterionResult:
    low, limit = gain.interval.low, policy.min_auc_gain
    passed = low > limit
    sentence = f"{_differs(champion, gain)}; the lower end {'is' if passed else 'is not'} above {limit:+.4f}."
    return CriterionResult("auc_gain", passed, low, limit, sentence)


def _as_good(policy: PromotionPolicy, champion: ChampionComparison, gain: Gain, repairs: bool) -> CriterionResult:
    """Non-inferiority: the loss may not reach one standard error of the champion's own AUC."""
    low, limit = gain.interval.low, -max(gain.error, -policy.min_auc_gain)
    passed = low > limit
    reason = "the champion's probabilities no longer hold" if repairs else "the contract was edited"
    allowed = "one standard error of the champion's AUC" if gain.error >= -policy.min_auc_gain else "min_auc_gain"
    sentence = (
        f"{_differs(champion, gain)}; {reason}, so it must be as good: the lower end {'is' if passed else 'is not'} "
        f"above {limit:+.4f}, {allowed}."
    )
    return CriterionResult("auc_not_worse", passed, low, limit, sentence)


def _differs(champion: ChampionComparison, gain: Gain) -> str:
    where = f"on {champion.rows:,} test loans"
    if champion.rows < champion.of_rows:
        where += f" that neither was trained on (of {champion.of_rows:,})"
    interval = f"{gain.interval.low:+.4f} to {gain.interval.high:+.4f}"
    return f"AUC against the champion ({gain.challenger:.4f} against {gain.champion:.4f}) {where} differs by {interval}"
