"""Chooses the candidate: the scorecard, unless another family beats it on the folds by the policy's margin."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from loan_platform.core.evaluation.bootstrap import Interval, mean_auc_difference
from loan_platform.core.models.base import Floats
from loan_platform.core.models.families import COMPLEXITY, SIMPLEST


@dataclass(frozen=True)
class FoldScores:
    """A candidate on the folds: margins and AUC of each fold's validation loans."""

    margins: tuple[Floats, ...]
    aucs: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean AUC over the folds."""
        return float(np.mean(self.aucs))


@dataclass(frozen=True)
class Choice:
    """The chosen family, the reason as a sentence, and each family's gain in AUC over the scorecard."""

    family: str
    reason: str
    gains: dict[str, Interval]


def choose(
    scores: Mapping[str, FoldScores],
    targets: tuple[Floats, ...],
    margin: float,
    seed: int,
) -> Choice:
    """Choose on the folds alone.

    Another family must beat the scorecard's mean AUC by at least `margin`. The best such family is chosen, and at equal
    AUC the simpler one. Without a scorecard the best family is chosen. The paired 95 % interval of a gain is shown but
    does not decide: on a small book it spans zero for every family.

    Args:
        scores: of each family, on the same folds.
        targets: outcomes of each fold's validation loans.
        margin: AUC by which a family must beat the scorecard.
        seed: of the bootstrap.
    """
    ranked = sorted(scores, key=lambda name: (-scores[name].mean, COMPLEXITY[name]))
    if SIMPLEST not in scores:
        best = ranked[0]
        return Choice(best, f"{best} has the highest mean AUC on the folds, {scores[best].mean:.4f}.", {})
    base = scores[SIMPLEST].margins
    gains = {
        name: mean_auc_difference(list(zip(targets, scores[name].margins, base, strict=True)), seed)
        for name in scores
        if name != SIMPLEST
    }
    others = [name for name in ranked if name != SIMPLEST]
    winners = [name for name in others if gains[name].estimate >= margin]
    mean = f"{SIMPLEST} (mean AUC {scores[SIMPLEST].mean:.4f} on the folds)"
    return Choice(winners[0] if winners else SIMPLEST, _reason(winners, others, gains, mean, margin), gains)


def _reason(winners: list[str], others: list[str], gains: Mapping[str, Interval], mean: str, margin: float) -> str:
    if winners:
        return f"{winners[0]} beats the {mean} by {_format_gain(gains[winners[0]])}; {margin:.4f} is asked."
    if not others:
        return f"{mean} is the only candidate."
    return (
        f"no family beats the {mean} by {margin:.4f}, so the simplest is chosen; "
        f"the best other one is {others[0]} with {_format_gain(gains[others[0]])}."
    )


def _format_gain(gain: Interval) -> str:
    return f"{gain.estimate:+.4f} AUC (95 % interval {gain.low:+.4f} to {gain.high:+.4f})"
