"""How often the rules of promotion are wrong, by loans and default rate: simulated scores and outcomes, no training.

A borrower's true log-odds are a + 0.95 z, z standard normal, with a for the default rate: an AUC of about 0.74. Two
models see the truth with an error of their own. A better challenger has a smaller one. Both are calibrated exactly.
"""

import argparse
from collections.abc import Iterator

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from loan_platform.core.book.decision_policies import PromotionPolicy
from loan_platform.core.evaluation.bootstrap import Interval
from loan_platform.core.evaluation.gates.absolute_rules import challenger_of
from loan_platform.core.evaluation.gates.champion_rules import compare
from loan_platform.core.evaluation.promotion import decide

POLICY = PromotionPolicy(min_auc=0.5, max_auc=0.90, max_feature_auc=0.85)
FEATURE = Interval(0.6, 0.6, 0.6)
SPREAD, KNOWN, NODES = 0.95, 0.8, 401
GAINS = (0.0, 0.01, 0.02)  # AUC of a challenger minus the champion's
EDITED_GAINS = (0.0, -0.02)  # the same, of challengers that belong to an edited contract
LOANS, RATES = (300, 1_000, 3_000, 20_000), (0.02, 0.05, 0.2)


def promoted(target: np.ndarray, probability: np.ndarray) -> bool:
    """Whether a first version is promoted; one outcome alone cannot be judged, so it is not."""
    if min(target.sum(), len(target) - target.sum()) < 2:
        return False
    return decide(POLICY, challenger_of("new", target, probability, FEATURE, "one"), None).promote


def replaces(target: np.ndarray, new: np.ndarray, old: np.ndarray, edited: bool = False) -> bool:
    """Whether a challenger replaces the champion on loans that neither has seen; `edited`: of an edited contract."""
    if min(target.sum(), len(target) - target.sum()) < 2:
        return False
    champion = compare("old", target, new, old, np.zeros(len(target), bool), edited=edited)
    return decide(POLICY, challenger_of("new", target, new, FEATURE, "one"), champion).promote


class World:
    """Loans of one default rate. `share` is the part of the variance of the true log-odds that a model knows."""

    def __init__(self, rate: float) -> None:
        points, weights = np.polynomial.hermite_e.hermegauss(101)
        self._points, self._weights = points, weights / weights.sum()
        self.rate = rate
        self.base = float(brentq(lambda a: self._mean(a, SPREAD) - rate, -15, 5))  # pyright: ignore[reportArgumentType]
        self.shares = [self._share_for(gain) for gain in (*GAINS, *EDITED_GAINS)]

    def draw(self, rng: np.random.Generator, loans: int) -> tuple[np.ndarray, ...]:
        """Outcomes, true probabilities, the champion's, and one challenger's for each gain and each edited one."""
        truth = rng.normal(size=loans)
        seen = [self._seen(rng, truth, share) for share in (KNOWN, *self.shares)]
        p = expit(self.base + SPREAD * truth)
        return ((rng.random(loans) < p).astype(float), p, *seen)

    def _seen(self, rng: np.random.Generator, truth: np.ndarray, share: float) -> np.ndarray:
        """The exact probability, given a signal that has `share` of the truth's variance."""
        signal = np.sqrt(share) * truth + np.sqrt(1 - share) * rng.normal(size=len(truth))
        grid = np.linspace(-6, 6, NODES)
        mean = self.base + SPREAD * np.sqrt(share) * grid
        exact = np.array([self._mean(m, SPREAD * np.sqrt(1 - share)) for m in mean])
        return np.interp(signal, grid, exact)

    def _mean(self, centre: float, spread: float) -> float:
        return float(self._weights @ expit(centre + spread * self._points))

    def _share_for(self, gain: float) -> float:
        if not gain:
            return KNOWN
        wanted = self._auc(KNOWN) + gain
        ends = (KNOWN, 0.9999) if gain > 0 else (0.05, KNOWN)
        return float(brentq(lambda share: self._auc(share) - wanted, *ends))  # pyright: ignore[reportArgumentType]

    def _auc(self, share: float) -> float:
        """AUC of a signal, by the exact probabilities on a fine grid of it."""
        grid = np.linspace(-6, 6, 2_001)
        density = np.exp(-(grid**2) / 2)
        spread = SPREAD * np.sqrt(1 - share)
        p = np.array([self._mean(self.base + SPREAD * np.sqrt(share) * g, spread) for g in grid])
        bad, good = density * p / (density @ p), density * (1 - p) / (density @ (1 - p))
        return float(bad @ (np.cumsum(good) - good / 2))


def shares_of(rate: float, loans: int, repeats: int, seed: int) -> tuple[float, ...]:
    """Share of the repeats: a perfect model refused, then halved, noise, each challenger and each edited promoted."""
    world, rng = World(rate), np.random.default_rng(seed)
    counts = np.zeros(3 + len(GAINS) + len(EDITED_GAINS))
    for _ in range(repeats):
        y, p, old, *new = world.draw(rng, loans)
        first = (not promoted(y, p), promoted(y, p / 2), promoted(y, rng.permutation(p)))
        better = [replaces(y, challenger, old) for challenger in new[: len(GAINS)]]
        as_good = [replaces(y, challenger, old, edited=True) for challenger in new[len(GAINS) :]]
        counts += [*first, *better, *as_good]
    return tuple((counts / repeats).tolist())


def table(repeats: int) -> Iterator[str]:
    """The operating curve as lines of Markdown; a fifth of the repeats at 20,000 loans."""
    first = "perfect refused | twice too low promoted | noise promoted"
    edited = "edited: equal promoted | edited: -.02 AUC"
    yield f"| test loans | default rate | {first} | equal promoted | +.01 AUC | +.02 AUC | {edited} |"
    yield "|" + " ---: |" * 10
    for loans in LOANS:
        for rate in RATES:
            found = shares_of(rate, loans, repeats // 5 if loans > 3_000 else repeats, seed=loans)
            yield f"| {loans:,} | {rate:.0%} | " + " | ".join(f"{share:.1%}" for share in found) + " |"


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--repeats", type=int, default=500, help="simulated test sets of each cell")
    for line in table(arguments.parse_args().repeats):
        print(line, flush=True)
