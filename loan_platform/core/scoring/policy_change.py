"""The answer policy that a book states now, for a model that was trained earlier."""

from collections.abc import Iterator

import polars as pl

from loan_platform.core.book.constants import EXPOSURE, TARGET
from loan_platform.core.book.decision_policies import DecisionPolicy, ScorecardPolicy
from loan_platform.core.scoring.decisions import AnswerPolicy, ProfitCurve, decision_rule, profit_curve


def restated_policy(
    decision: DecisionPolicy,
    scorecard: ScorecardPolicy,
    in_force: AnswerPolicy,
    profit: ProfitCurve,
    calibration_loans: pl.DataFrame | None,
) -> tuple[AnswerPolicy, ProfitCurve]:
    """Points, cut-offs and economics as the book states them now, and the profit curve of the cut-offs.

    Args:
        decision: of the book.
        scorecard: of the book.
        in_force: policy of the model.
        profit: curve that its cut-offs were derived from.
        calibration_loans: `probability`, `target` and `exposure` of the loans of that curve. None for a model of an
            earlier release: cut-offs that are not given stay as they are.
    """
    if calibration_loans is None:
        rule = in_force.decision
        if decision.approve_below is None:
            kept = {"approve_below": rule.approve_below, "decline_from": rule.decline_from}
            decision = decision.model_copy(update=kept)
    else:
        probability, target, exposure = (
            calibration_loans[name].to_numpy() for name in ("probability", TARGET, EXPOSURE)
        )
        profit = profit_curve(probability, target, exposure, decision)
    return AnswerPolicy(scorecard=scorecard, decision=decision_rule(decision, profit)), profit


def changed_answers(before: AnswerPolicy, after: AnswerPolicy) -> list[str]:
    """What differs between two policies, each in a few words."""
    return [told for told, differs in _differences(before, after) if differs]


def _differences(before: AnswerPolicy, after: AnswerPolicy) -> Iterator[tuple[str, bool]]:
    old, new = before.decision, after.decision
    cut_offs = (old.approve_below, old.decline_from) != (new.approve_below, new.decline_from)
    yield (
        f"the cut-offs (approve below {old.approve_below:g}, decline from {old.decline_from:g}; now "
        f"{new.approve_below:g} and {new.decline_from:g})",
        cut_offs,
    )
    yield "the loss given default", old.loss_given_default != new.loss_given_default
    yield "the risk bands", (old.medium_from, old.high_from) != (new.medium_from, new.high_from)
    yield "the points scale", before.scorecard != after.scorecard
