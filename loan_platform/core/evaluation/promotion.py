"""Decides whether a trained version becomes the champion, by the rules of the promotion policy."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from loan_platform.core.book.decision_policies import PromotionPolicy
from loan_platform.core.evaluation.gates.absolute_rules import Challenger, absolute_rules, is_calibrated
from loan_platform.core.evaluation.gates.champion_rules import ChampionComparison, champion_rules
from loan_platform.core.evaluation.gates.criterion import CriterionResult

Kind = Literal["model", "policy", "same_bytes", "no_change"]


@dataclass(frozen=True)
class Verdict:
    """The decision about a version.

    Attributes:
        promote: the version becomes the champion.
        reasons: the rules that were applied.
        kind: what was decided on. `model`: another model. `policy`: the champion's model with other cut-offs, points,
            economics or texts. `same_bytes`: the champion itself. `no_change`: the champion's model in another bundle
            that answers as the champion does.
    """

    promote: bool
    reasons: tuple[CriterionResult, ...]
    kind: Kind = "model"

    @property
    def unchanged(self) -> bool:
        """Whether the version answers as the champion does."""
        return self.kind in ("same_bytes", "no_change")

    @property
    def summary(self) -> str:
        """The decision and its reasons in one line."""
        if self.kind == "same_bytes":
            return "Nothing to do: this version's model is the champion's, byte for byte."
        told = " ".join(reason.sentence for reason in self.reasons)
        if self.kind == "no_change":
            return f"No change: {told}"
        if self.kind == "policy":
            return f"Applied as a policy version: {told}"
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
            "kind": self.kind,
            "summary": self.summary,
            "reasons": reasons,
        }


def decide(policy: PromotionPolicy, challenger: Challenger, champion: ChampionComparison | None) -> Verdict:
    """Apply the policy. Without a champion only the absolute rules apply."""
    if champion is None:
        return _of(absolute_rules(policy, challenger))
    if champion.sha256 == challenger.sha256:
        return Verdict(promote=False, reasons=(), kind="same_bytes")
    if champion.same_probabilities:
        return _without_new_probabilities(champion)
    repaired = not is_calibrated(policy, champion.calibration)
    return _of((*absolute_rules(policy, challenger), *champion_rules(policy, champion, repaired)))


def forbidden_verdict(reason: str) -> Verdict:
    """The verdict on a version that reads what the present contract forbids."""
    return _of((CriterionResult("contract_allows", False, 0.0, 1.0, reason),))


def withdrawn_verdict(withdrawn: str) -> Verdict:
    """What holds between a withdrawal and the decision about the next version."""
    return _of((CriterionResult("contract_allows", False, 0.0, 1.0, f"{withdrawn} No version was promoted since."),))


def policy_verdict(changed: Sequence[str], rows: int) -> Verdict:
    """The verdict on a version with the champion's model and other answers."""
    sentence = f"{_same(rows)}, and only {', '.join(changed)} changed."
    return Verdict(True, (CriterionResult("policy_change", True, float(len(changed)), 0.0, sentence),), "policy")


def _of(reasons: tuple[CriterionResult, ...]) -> Verdict:
    return Verdict(all(reason.passed for reason in reasons), reasons)


def _without_new_probabilities(champion: ChampionComparison) -> Verdict:
    """No rule about a model applies: cut-offs do not wait for a better AUC."""
    if champion.other_answers:
        return policy_verdict(champion.other_answers, champion.of_rows)
    unchanged = CriterionResult("no_change", False, 0.0, 0.0, f"{_same(champion.of_rows)}.")
    return Verdict(False, (unchanged,), "no_change")


def _same(rows: int) -> str:
    return f"the probability of default is the champion's on each of the {rows:,} test loans"


def _json(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
