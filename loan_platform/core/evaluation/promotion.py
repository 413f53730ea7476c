"""Decides whether a trained version becomes the champion, by the rules of the promotion policy."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from loan_platform.core.book.decision_policies import PromotionPolicy


@dataclass(frozen=True)
class Challenger:
    """Metrics of a version on its test set."""

    sha256: str
    auc: float
    ece: float
    max_feature_auc: float
    max_feature: str = "one feature"


@dataclass(frozen=True)
class ChampionComparison:
    """Metrics of the champion on the challenger's test rows.

    `auc_gain_low` and `auc_gain_high` bound the paired bootstrap interval of challenger minus champion AUC.
    """

    sha256: str
    auc: float
    ece: float
    auc_gain_low: float
    auc_gain_high: float


@dataclass(frozen=True)
class CriterionResult:
    """The result of one rule: the value, its limit, and a sentence for people."""

    rule: str
    passed: bool
    value: float
    limit: float
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """The decision. `unchanged`: the version is the champion already."""

    promote: bool
    unchanged: bool
    reasons: tuple[CriterionResult, ...]

    @property
    def summary(self) -> str:
        """The decision and its reasons in one line."""
        if self.unchanged:
            return "Nothing to do: this version's model is the champion's, byte for byte."
        if self.promote:
            return f"Promoted: all {len(self.reasons)} rules passed."
        failed = [reason.sentence for reason in self.reasons if not reason.passed]
        return f"Rejected, {len(failed)} of {len(self.reasons)} rules failed: " + " ".join(failed)

    def as_dict(self) -> dict[str, Any]:
        """The verdict as JSON values for ledger, tags and metadata. NaN and infinity become null."""
        reasons = [{key: _json(value) for key, value in asdict(r).items()} for r in self.reasons]
        return {
            "promote": self.promote,
            "unchanged": self.unchanged,
            "summary": self.summary,
            "reasons": reasons,
        }


def decide(policy: PromotionPolicy, challenger: Challenger, champion: ChampionComparison | None) -> Verdict:
    """Apply the policy. Without a champion only the floors and ceilings apply."""
    if champion is not None and champion.sha256 == challenger.sha256:
        return Verdict(promote=False, unchanged=True, reasons=())
    reasons = tuple(_absolute_rules(policy, challenger))
    if champion is not None:
        reasons += tuple(_champion_rules(policy, challenger, champion))
    return Verdict(all(reason.passed for reason in reasons), unchanged=False, reasons=reasons)


def _absolute_rules(policy: PromotionPolicy, challenger: Challenger) -> Iterator[CriterionResult]:
    auc = challenger.auc
    yield _at_least("auc_floor", "Test AUC", auc, policy.min_auc)
    yield _at_most("auc_ceiling", "Test AUC", auc, policy.max_auc, leak=True)
    name = f"AUC of {challenger.max_feature} alone"
    yield _at_most("feature_auc_ceiling", name, challenger.max_feature_auc, policy.max_feature_auc, leak=True)
    yield _at_most("ece_ceiling", "Calibration error (ECE)", challenger.ece, policy.max_ece)


def _champion_rules(
    policy: PromotionPolicy, challenger: Challenger, champion: ChampionComparison
) -> Iterator[CriterionResult]:
    interval = f"{champion.auc_gain_low:+.4f} to {champion.auc_gain_high:+.4f}"
    passed = champion.auc_gain_low > policy.min_auc_gain
    yield CriterionResult(
        rule="auc_gain",
        passed=passed,
        value=champion.auc_gain_low,
        limit=policy.min_auc_gain,
        sentence=f"AUC against the champion ({challenger.auc:.4f} against {champion.auc:.4f}) differs by "
        f"{interval}; the lower end {'is' if passed else 'is not'} above {policy.min_auc_gain:+.4f}.",
    )
    loss = challenger.ece - champion.ece
    yield _at_most("ece_loss", "Calibration error (ECE) lost to the champion", loss, policy.max_ece_loss)


def _at_least(rule: str, what: str, value: float, limit: float) -> CriterionResult:
    passed = value >= limit  # false for NaN, as is the comparison below: an unknown number passes no rule
    return CriterionResult(
        rule,
        passed,
        value,
        limit,
        f"{what} {value:.4f} {'reaches' if passed else 'is below'} the floor {limit:.4f}.",
    )


def _at_most(rule: str, what: str, value: float, limit: float, leak: bool = False) -> CriterionResult:
    passed = value <= limit
    alarm = "; this much is a leak, not a success" if leak and not passed else ""
    keeps = "keeps" if passed else "is above"
    return CriterionResult(rule, passed, value, limit, f"{what} {value:.4f} {keeps} the ceiling {limit:.4f}{alarm}.")


def _json(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
