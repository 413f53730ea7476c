"""How often the rules of promotion are wrong, by simulated scores and outcomes of known truth."""

import numpy as np
import pytest

from loan_platform.core.book.decision_policies import PromotionPolicy
from loan_platform.core.evaluation.bootstrap import Interval
from loan_platform.core.evaluation.gates.absolute_rules import challenger_of
from loan_platform.core.evaluation.gates.champion_rules import compare
from loan_platform.core.evaluation.promotion import decide

POLICY = PromotionPolicy(min_auc=0.5, max_auc=0.90, max_feature_auc=0.85)  # as a draft of noise has them
FEATURE = Interval(0.6, 0.6, 0.6)


def promoted(target: np.ndarray, probability: np.ndarray, champion: np.ndarray | None = None) -> bool:
    challenger = challenger_of("new", target, probability, FEATURE, "one")
    unseen = np.zeros(len(target), bool)
    other = None if champion is None else compare("old", target, probability, champion, unseen)
    return decide(POLICY, challenger, other).promote


def loans(rng: np.random.Generator, count: int, centre: float) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes with at least two of each, and their true probabilities."""
    while True:
        p = 1 / (1 + np.exp(-centre - 0.95 * rng.normal(size=count)))
        y = (rng.random(count) < p).astype(float)
        if 2 <= y.sum() <= count - 2:
            return y, p


@pytest.mark.thorough
@pytest.mark.parametrize("centre", [-2.7, -1.6])
def test_noise_is_hardly_ever_promoted(centre: float) -> None:
    rng = np.random.default_rng(21)
    drawn = [loans(rng, 80, centre) for _ in range(200)]
    found = [promoted(y, rng.permutation(p)) for y, p in drawn]
    level = [promoted(y, np.full(80, y.mean()) * rng.uniform(0.9, 1.1, 80)) for y, _ in drawn]
    assert sum(found) <= 10
    assert sum(level) <= 10


@pytest.mark.thorough
@pytest.mark.parametrize(("count", "centre", "most"), [(300, -2.5, 0.1), (1_000, -1.6, 0.05)])
def test_right_probabilities_are_hardly_ever_refused(count: int, centre: float, most: float) -> None:
    rng = np.random.default_rng(22)
    drawn = [loans(rng, count, centre) for _ in range(200)]
    assert np.mean([not promoted(y, p) for y, p in drawn]) <= most
    assert np.mean([promoted(y, p / 2) for y, p in drawn]) <= 0.025


@pytest.mark.thorough
@pytest.mark.parametrize(("count", "centre"), [(300, -1.6), (3_000, -3.3)])
def test_an_equal_challenger_is_hardly_ever_promoted(count: int, centre: float) -> None:
    rng = np.random.default_rng(23)
    won = 0
    for _ in range(200):
        signals = rng.normal(size=(3, count))  # two models know a half of the truth each
        y = (rng.random(count) < 1 / (1 + np.exp(-centre - 0.6 * signals.sum(axis=0)))).astype(float)
        if not 2 <= y.sum() <= count - 2:
            continue
        new, old = (1 / (1 + np.exp(-centre - 0.1 - 0.55 * (signals[0] + s))) for s in signals[1:])
        won += promoted(y, new, old)
    assert won <= 14  # 5 % of 200, and 1.3 standard errors
