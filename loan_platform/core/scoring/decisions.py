"""From a probability of default to a decision, a risk band and an expected loss; and how cut-offs are derived."""

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

from loan_platform.core.book.decision_policies import DecisionPolicy, ScorecardPolicy
from loan_platform.core.book.parts.strict import Share, Strict

Floats = NDArray[np.float64]

DECISIONS = ("approve", "refer", "decline")
DECLINED = DECISIONS[-1]
APPROVED = DECISIONS[0]
REFERRED = DECISIONS[1]
RISKS = ("low", "medium", "high")
CUT_OFFS = 200  # points of the profit curve
DIGITS = 4  # significant ones of a derived cut-off


class DecisionRule(Strict):
    """The decision policy of a bundle, with resolved cut-offs."""

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
        """The decision for one probability of default."""
        return DECISIONS[bisect_right((self.approve_below, self.decline_from), probability)]

    def risk(self, probability: float) -> str:
        """The risk band of one probability of default."""
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
    """How a probability becomes an answer."""

    scorecard: ScorecardPolicy
    decision: DecisionRule

    @cached_property
    def version(self) -> str:
        """First twelve digits of the policy's SHA-256. Answers name the policy by it."""
        values = self.model_dump(mode="json")
        scale = values["scorecard"]
        scale["double"] = scale.pop("points_to_double_odds")  # first name of the key: audit records hold this hash
        return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


class ProfitCurve(Strict):
    """Profit of approving all loans below a cut-off, as share of the exposure of all loans.

    Attributes:
        cut_offs: probabilities of default, rising. The last one is 1 and approves all loans.
        approved: share of the loans below each cut-off.
        expected: profit by the probabilities of default.
        realised: profit by the outcomes.
    """

    cut_offs: tuple[float, ...] = Field(min_length=2)
    approved: tuple[float, ...]
    expected: tuple[float, ...]
    realised: tuple[float, ...]


def profit_curve(probability: Floats, target: Floats, exposure: Floats, policy: DecisionPolicy) -> ProfitCurve:
    """The profit curve of loans that the model has not seen.

    Args:
        probability: of default, shape [loans].
        target: 1 default, 0 repaid, shape [loans].
        exposure: of each loan, shape [loans]; a missing one (NaN) counts as 0.
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


def decision_rule(policy: DecisionPolicy, curve: ProfitCurve) -> DecisionRule:
    """The policy with its cut-offs resolved.

    Without given cut-offs, all cut-offs whose expected profit is close to the best one count as good. Loans below the
    lowest of them are approved, and loans from the highest of them on are declined. The break-even probability always
    lies between the two (decision 12).
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


def decision_table(decisions: pl.Series, target: Floats, probability: Floats) -> dict[str, Mapping[str, float]]:
    """For each decision: share of the loans, their default rate and mean probability of default; 0 without loans."""
    table = pl.DataFrame({"decision": decisions, "target": target, "probability": probability})
    found = table.group_by("decision").agg(
        (pl.len() / table.height).alias("share"),
        pl.col("target").mean().alias("default_rate"),
        pl.col("probability").mean().alias("mean_probability"),
    )
    rows = {row.pop("decision"): row for row in found.to_dicts()}
    nothing = {"share": 0.0, "default_rate": 0.0, "mean_probability": 0.0}
    return {decision: rows.get(decision, nothing) for decision in DECISIONS}


def _flat_top(policy: DecisionPolicy, curve: ProfitCurve) -> tuple[float, float]:
    even = _break_even(policy)
    cut_offs, expected = np.array(curve.cut_offs[:-1]), np.array(curve.expected[:-1])
    enough = (1 - policy.profit_tolerance) * expected.max()
    as_good = cut_offs[expected >= enough] if expected.max() > 0 else np.array([even])
    return _rounded(min(float(as_good[0]), even)), _rounded(max(float(as_good[-1]), even))


def _rounded(cut_off: float) -> float:
    return float(f"{cut_off:.{DIGITS}g}")


def _break_even(policy: DecisionPolicy) -> float:
    """Probability of default at which the expected profit of a loan is 0."""
    earned, at_stake = policy.margin - policy.cost_of_funds, policy.margin + policy.loss_given_default
    return min(max(earned / at_stake, 0.0), 1.0) if at_stake > 0 else 0.0


def _banded(values: Floats, cut_offs: tuple[float, float], names: tuple[str, ...]) -> pl.Series:
    return pl.Series(names, dtype=pl.Enum(names)).gather(np.searchsorted(cut_offs, values, side="right"))
