"""Policies of scores and decisions: the points scale, the cut-offs, and what a version must show to be promoted."""

from collections.abc import Iterator
from typing import Self

from pydantic import AliasChoices, Field, model_validator

from loan_platform.core.book.book_errors import InconsistentError
from loan_platform.core.book.parts.strict import Share, Strict, Text, is_empty
from loan_platform.core.errors import Issue

# Highest ceilings that need no reason: applications seldom tell so much, and leaks mostly tell more.
USUAL_CEILINGS = {"max_auc": 0.90, "max_feature_auc": 0.85}
REASON_LETTERS = 10  # at least, of what explains anything


class ScorecardPolicy(Strict):
    """The points scale of the score, as odds of good to bad loans. A higher score means a lower risk.

    Example: with 600 points at odds of 30 and 20 points to double the odds, a score of 620 means odds of 60.
    """

    points: float = Field(default=600, description="Score at which the odds are `odds`.")
    odds: float = Field(default=30, gt=0, description="Number of good loans for each bad loan at a score of `points`.")
    points_to_double_odds: float = Field(
        default=20,
        gt=0,
        validation_alias=AliasChoices("points_to_double_odds", "double"),
        description="Points to double the odds (PDO): increase of the score that doubles the odds of good to bad.",
    )


class DecisionPolicy(Strict):
    """When an application is approved, referred to a person or declined.

    The cut-offs are probabilities of default (PD). Leave them out to derive them from the expected profit on the
    calibration set. A repaid loan earns `margin`. A defaulted loan loses `loss_given_default`. Each loan costs
    `cost_of_funds`. All three are shares of the exposure over the life of the loan.
    """

    approve_below: Share | None = Field(
        default=None,
        description="Applications with a lower PD are approved. Default: derived from the expected profit.",
    )
    decline_from: Share | None = Field(
        default=None,
        description="Applications with this PD or a higher one are declined. Between the two cut-offs they are "
        "referred to a person. Default: derived from the expected profit.",
    )
    loss_given_default: Share = Field(
        default=0.45, description="Share of the exposure that is lost in a default (LGD). 0.45 means 45 %."
    )
    margin: float = Field(
        default=0.2, ge=0, description="Interest and fees of a repaid loan, as a share of the exposure."
    )
    cost_of_funds: float = Field(default=0.05, ge=0, description="Cost of the money lent, as a share of the exposure.")
    profit_tolerance: float = Field(
        default=0.02,
        ge=0,
        lt=1,
        validation_alias=AliasChoices("profit_tolerance", "give_up"),
        description="Share of the best expected profit that a cut-off may lose and still count as equally good. "
        "Applications between the lowest and the highest such cut-off are referred. 0.02 means 2 %.",
    )
    medium_from: Share = Field(default=0.1, description="PD from which the risk is medium. Below it the risk is low.")
    high_from: Share = Field(default=0.2, description="PD from which the risk is high.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if issues := list(_decision_issues(self)):
            raise InconsistentError(issues, self)
        return self


def _decision_issues(policy: DecisionPolicy) -> Iterator[Issue]:
    low, high = policy.approve_below, policy.decline_from
    if (low is None) != (high is None):
        given, missing = ("approve_below", "decline_from") if high is None else ("decline_from", "approve_below")
        hint = f"Add {missing}, or remove {given}: both are then derived from the expected profit."
        yield Issue(given, f"is given without {missing}", hint, "missing_cut_off")
    if low is not None and high is not None and low > high:
        message = f"{low:g} is above decline_from, {high:g}: applications between them would be approved and declined"
        yield Issue("approve_below", message, "Lower it, or raise decline_from.", "wrong_order")
    if low is None and high is None and policy.margin <= policy.cost_of_funds:
        message = f"{policy.margin:g} is not above cost_of_funds, {policy.cost_of_funds:g}: no loan could earn anything"
        yield Issue("margin", message, "Raise it, or give approve_below and decline_from.", "wrong_order")
    if policy.medium_from > policy.high_from:
        message = f"{policy.medium_from:g} is above high_from, {policy.high_from:g}: no risk would be medium"
        yield Issue("medium_from", message, "Lower it, or raise high_from.", "wrong_order")


def _is_absent(value: str | None) -> bool:
    """Policies without the key have the same bytes as before it existed."""
    return value is None


class PromotionPolicy(Strict):
    """What a new version (the challenger) must show to become the version in use (the champion)."""

    min_auc: Share = Field(
        default=0.6,
        description="Lowest accepted AUC on the test set. Below it the model is of no use to the lender. Whatever it "
        "is, the lower end of the AUC's 95 % interval must be above 0.5.",
    )
    max_auc: Share = Field(
        default=0.75,
        description="Highest accepted AUC on the test set. It is taken for a leak when the lower end of its 95 % "
        "interval is above this value. Above 0.90 it counts only with a `reason`.",
    )
    max_feature_auc: Share = Field(
        default=0.7,
        description="Highest accepted AUC of any single feature. It is taken for a leak when the lower end of its 95 % "
        "interval is above this value. Above 0.85 it counts only with a `reason`.",
    )
    reason: Text | None = Field(
        default=None,
        exclude_if=_is_absent,
        description="Why `max_auc` is above 0.90, or `max_feature_auc` above 0.85: what the strong columns are, and "
        "how it is known that the lender has them when it decides, with 10 letters or more. It stands in evaluation, "
        "model card and ledger.",
    )
    accepted_signs: dict[str, Text] = Field(
        default={},
        exclude_if=is_empty,
        description="Features that show a sign of a leak and are honest, each with the reason: how it is known that "
        "the lender has its values when it decides, with 10 letters or more. The ceiling of a single feature still "
        "holds for them.",
    )
    max_ece: Share = Field(
        default=0.03,
        description="Highest accepted expected calibration error (ECE) on the test set beyond what chance gives in a "
        "test set of its size, in probability. 0.03 means 3 percentage points. It is never more than a quarter of the "
        "default rate.",
    )
    max_rate_factor: float = Field(
        default=2.0,
        gt=1,
        description="The test set must show that fewer than this many times as many loans default as predicted (upper "
        "end of the exact 95 % interval). About 15 test defaults show a factor of 2.",
    )
    min_auc_gain: float = Field(
        default=0.0,
        description="The lower end of the 95 % interval of the AUC gain (challenger minus champion) must exceed this "
        "value. A version of an edited contract may lose one standard error of the champion's AUC, or as much as this "
        "value if that is more.",
    )
    max_ece_loss: float = Field(
        default=0.005,
        ge=0,
        description="Largest accepted increase of the ECE over the champion where it is more than chance gives, in "
        "probability.",
    )

    @property
    def auc_ceiling(self) -> float:
        """The ceiling of the AUC that counts: `max_auc`, or the usual one where it is raised without a reason."""
        return self._ceiling("max_auc")

    @property
    def feature_auc_ceiling(self) -> float:
        """As `auc_ceiling`, of any single feature."""
        return self._ceiling("max_feature_auc")

    @property
    def is_explained(self) -> bool:
        """Whether there is a reason that says anything."""
        return _says_something(self.reason)

    @property
    def explained_signs(self) -> dict[str, str]:
        """The accepted signs with a reason that says anything; the others do not count."""
        return {name: why for name, why in self.accepted_signs.items() if _says_something(why)}

    @property
    def raised(self) -> tuple[str, ...]:
        """The ceilings above the usual ones."""
        return tuple(name for name, usual in USUAL_CEILINGS.items() if getattr(self, name) > usual)

    def _ceiling(self, name: str) -> float:
        value: float = getattr(self, name)
        return value if self.is_explained else min(value, USUAL_CEILINGS[name])

    @model_validator(mode="after")
    def _room_between(self) -> Self:
        if self.min_auc >= self.max_auc:
            message = f"{self.min_auc:g} is not below max_auc, {self.max_auc:g}: no model could pass"
            raise InconsistentError([Issue("min_auc", message, "Lower it, or raise max_auc.", "wrong_order")], self)
        return self


def _says_something(reason: str | None) -> bool:
    return sum(map(str.isalnum, reason or "")) >= REASON_LETTERS


def reason_issues(policy: PromotionPolicy) -> Iterator[Issue]:
    """Accepted signs whose reason says nothing. The file loads, and the sign is not accepted."""
    for name, why in policy.accepted_signs.items():
        if name not in policy.explained_signs:
            message = f"the reason {why!r} has fewer than {REASON_LETTERS} letters, so the sign is not accepted"
            hint = "Write how it is known that the lender has its values when it decides."
            yield Issue(f"accepted_signs.{name}", message, hint, "no_reason")


def ceiling_issues(policy: PromotionPolicy) -> Iterator[Issue]:
    """Raised ceilings without a reason. The file loads, and the gates apply the usual ceiling.

    Where it is not above `min_auc`, no model can pass.
    """
    if policy.auc_ceiling <= policy.min_auc < policy.max_auc:  # otherwise the policy says it of max_auc
        message = f"{policy.min_auc:g} is not below {policy.auc_ceiling:g}, which applies: no model could pass"
        yield Issue("min_auc", message, "Lower it, or write under `reason` why max_auc is higher.", "wrong_order")
    for name in () if policy.is_explained else policy.raised:
        usual = USUAL_CEILINGS[name]
        without = (
            "without a reason"
            if policy.reason is None
            else f"for a reason of fewer than {REASON_LETTERS} letters, {policy.reason!r}"
        )
        message = f"{getattr(policy, name):g} is above {usual:g} {without}, so {usual:g} applies"
        hint = "Lower it, or write under `reason` why columns that strong are known when the lender decides."
        yield Issue(name, message, hint, "no_reason")
