"""From a probability of default to a decision, a risk band and an expected loss, and where the cut-offs come from."""

import json
from bisect import bisect_right
from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field, model_validator

from loan_platform.core.book.contract_parts import Strict
from loan_platform.core.book.policies import Decision, Scorecard, Share

Floats = NDArray[np.float64]

DECISIONS = ("approve", "refer", "decline")
DECLINED = DECISIONS[-1]
RISKS = ("low", "medium", "high")
CUT_OFFS = 200  # points of the profit curve
DIGITS = 4  # of a derived cut-off


class DecisionRule(Strict):
    """What a model's bundle carries of the decision policy: its cut-offs are resolved."""

    approve_below: Share
    decline_from: Share
    loss_given_default: Share
    medium_from: Share
    high_from: Share

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.approve_below > self.decline_from or self.medium_from > self.high_from:
            raise ValueError("cut-offs must not fall")
        return self

    def decision(self, probability: float) -> str:
        """`decisions` of one."""
        return DECISIONS[bisect_right((self.approve_below, self.decline_from), probability)]

    def risk(self, probability: float) -> str:
        """`risks` of one."""
        return RISKS[bisect_right((self.medium_from, self.high_from), probability)]

    def decisions(self, probability: Floats) -> pl.Series:
        """`approve`, `refer` or `decline` for each probability of default."""
        return _banded(probability, (self.approve_below, self.decline_from), DECISIONS)

    def risks(self, probability: Floats) -> pl.Series:
        """`low`, `medium` or `high` for each probability of default."""
        return _banded(probability, (self.medium_from, self.high_from), RISKS)

    def expected_loss(self, probability: Floats, exposure: pl.Series) -> pl.Series:
        """Probability of default times loss given default times exposure (PD x LGD x EAD), in the exposure's unit."""
        return pl.Series(probability) * self.loss_given_default * exposure


class AnswerPolicy(Strict):
    """How a model's probability is turned into an answer."""

    scorecard: Scorecard
    decision: DecisionRule

    @cached_property
    def version(self) -> str:
        """First twelve digits of the policy's SHA-256: answers name the policy by it."""
        return sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()[:12]


class ProfitCurve(Strict):
    """Profit of approving all loans below a cut-off, per unit of all that was applied for.

    Attributes:
        cut_offs: probabilities of default, rising; the last one is 1 and approves all.
        approved: share of the loans below each.
        expected: profit by the probabilities of default.
        realised: profit by how the loans went.
    """

    cut_offs: tuple[float, ...] = Field(min_length=2)
    approved: tuple[float, ...]
    expected: tuple[float, ...]
    realised: tuple[float, ...]


def profit_curve(probability: Floats, target: Floats, exposure: Floats, policy: Decision) -> ProfitCurve:
    """The profit curve of loans that the model has not seen.

    Args:
        probability: of default, of each loan.
        target: 1 default, 0 repaid.
        exposure: what was at stake; NaN, where a loan does not say, counts for nothing.
        policy: what a loan earns and loses.
    """
    order = np.argsort(probability, kind="stable")
    p, y, stake = probability[order], target[order], np.nan_to_num(exposure[order])
    cut_offs = np.unique(np.append(np.quantile(p, np.linspace(0, 1, CUT_OFFS)), (_break_even(policy), 1.0)))
    below = np.searchsorted(p, cut_offs, side="left")
    below[-1] = len(p)
    total = stake.sum() or 1.0

    def profit(default: Floats) -> tuple[float, ...]:
        of_each = stake * ((1 - default) * policy.margin - default * policy.loss_given_default - policy.cost_of_funds)
        return tuple((np.append(0.0, of_each.cumsum())[below] / total).tolist())

    return ProfitCurve(
        cut_offs=tuple(cut_offs.tolist()),
        approved=tuple((below / len(p)).tolist()),
        expected=profit(p),
        realised=profit(y),
    )


def decision_rule(policy: Decision, curve: ProfitCurve) -> DecisionRule:
    """The policy with its cut-offs resolved.

    Where they are not given, every cut-off whose expected profit is within `give_up` of the best is as good as the
    best: below the lowest of them loans are approved, from the highest on declined. The probability at which a loan
    breaks even lies between the two.
    """
    low, high = policy.approve_below, policy.decline_from
    if low is None or high is None:
        low, high = _flat_top(policy, curve)
    return DecisionRule(
        approve_below=low,
        decline_from=high,
        loss_given_default=policy.loss_given_default,
        medium_from=policy.medium_from,
        high_from=policy.high_from,
    )


def decision_table(rule: DecisionRule, target: Floats, probability: Floats) -> dict[str, Mapping[str, float]]:
    """Of each decision: share of the loans, their default rate and mean probability of default; 0 without loans."""
    table = pl.DataFrame({"decision": rule.decisions(probability), "target": target, "probability": probability})
    found = table.group_by("decision").agg(
        (pl.len() / table.height).alias("share"),
        pl.col("target").mean().alias("default_rate"),
        pl.col("probability").mean().alias("mean_probability"),
    )
    rows = {row.pop("decision"): row for row in found.to_dicts()}
    nothing = {"share": 0.0, "default_rate": 0.0, "mean_probability": 0.0}
    return {decision: rows.get(decision, nothing) for decision in DECISIONS}


def _flat_top(policy: Decision, curve: ProfitCurve) -> tuple[float, float]:
    even = _break_even(policy)
    cut_offs, expected = np.array(curve.cut_offs[:-1]), np.array(curve.expected[:-1])
    as_good = cut_offs[expected >= (1 - policy.give_up) * expected.max()] if expected.max() > 0 else np.array([even])
    return round(min(float(as_good[0]), even), DIGITS), round(max(float(as_good[-1]), even), DIGITS)


def _break_even(policy: Decision) -> float:
    """Probability of default at which a loan earns what it loses."""
    earned, at_stake = policy.margin - policy.cost_of_funds, policy.margin + policy.loss_given_default
    return min(max(earned / at_stake, 0.0), 1.0) if at_stake > 0 else 0.0


def _banded(values: Floats, cut_offs: tuple[float, float], names: tuple[str, ...]) -> pl.Series:
    return pl.Series(names, dtype=pl.Enum(names)).gather(np.searchsorted(cut_offs, values, side="right"))
