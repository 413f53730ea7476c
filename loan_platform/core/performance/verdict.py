"""The verdict on one window of loans."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from loan_platform.core.book.monitoring_policies import DriftPolicy
from loan_platform.core.evaluation.bootstrap import Interval
from loan_platform.core.evaluation.intervals import difference
from loan_platform.core.performance.window import Population, Window, can_tell
from loan_platform.core.training.open_loans import UNLIKE

Verdict = Literal["ok", "degraded", "unknown"]

CHANCE = 3.0  # standard errors of the number of defaults, if every probability were right
OF_TEST = {"scored": "on the test loans", "approved": "on the test loans that it approves"}


@dataclass(frozen=True)
class GiniReference:
    """Gini of a version on its test loans: of all, and of those that its policy approves; None where unknown."""

    scored: Interval | None
    approved: Interval | None

    def of(self, population: Population) -> Interval | None:
        """The Gini on loans of this population."""
        return self.scored if population == "scored" else self.approved


@dataclass(frozen=True)
class Judge:
    """Judges a window against the Gini of the same population of the test loans."""

    policy: DriftPolicy
    population: Population
    reference: Interval | None

    @property
    def floor(self) -> float | None:
        """The share of the reference that the policy asks for."""
        return None if self.reference is None else self.reference.estimate * self.policy.min_relative_gini

    def verdict(self, window: Window) -> tuple[Verdict, str]:
        """The verdict with its reason."""
        needed = self.policy.min_outcomes
        if window.known < needed:
            return "unknown", f"{window.known} outcomes of mature months are known, {needed} are needed"
        rate = self._rate(window)
        gini = self._gini(window)
        found = [verdict for verdict, _ in (gini, rate)]
        reason = "; ".join(text for text in (gini[1], rate[1], _unlike(window)) if text)
        worst: Verdict = "degraded" if "degraded" in found else gini[0]
        return worst, f"{_months(window.first, window.last)}{reason}"

    def _gini(self, window: Window) -> tuple[Verdict, str]:
        """Degraded if the whole interval of the Gini less its floor is below 0."""
        if window.gini is None:
            return "unknown", f"all {window.known} known outcomes are the same"
        loans = f"{window.known:,} {self.population} loans with {window.defaults:,} defaults"
        told = f"Gini {_interval(window.gini)} on {loans}"
        if self.reference is None or self.floor is None:
            why = "it was not evaluated, or they have one kind of outcome"
            return "unknown", f"{told}; its Gini {OF_TEST[self.population]} is not known: {why}"
        share = self.policy.min_relative_gini
        told += f", floor {self.floor:.3f}: {share:.0%} of {self.reference.estimate:.3f} {OF_TEST[self.population]}"
        if difference(window.gini, self.reference, share).high < 0:
            return "degraded", told
        if not can_tell(window.defaults, window.known - window.defaults, self.floor):
            return "unknown", f"{told}; too few defaults to tell a model without any ranking from this floor"
        return "ok", told

    def _rate(self, window: Window) -> tuple[Verdict, str]:
        """Degraded if more or fewer loans defaulted than predicted, by the policy's factor and beyond chance.

        The first outcomes of loans are mostly defaults. So open loans count as repaid where too many defaulted.
        """
        observed = window.defaults / window.known
        expected = window.predicted / window.known
        at_least = window.defaults / (window.known + window.open_loans)
        compared = max(expected, at_least) if observed > expected else observed
        factor = max(compared, expected) / max(min(compared, expected), 1e-9)
        rates = f"{observed:.1%} defaulted, {expected:.1%} were predicted"
        if abs(compared - expected) * window.known <= CHANCE * window.chance or factor <= self.policy.max_rate_factor:
            return "ok", rates
        return "degraded", f"{rates}: a factor of {factor:.2f}, the limit is {self.policy.max_rate_factor:g}"


def trend(found: Interval | None) -> str:
    """The change of the Gini as the end of a sentence; empty where it is not known."""
    return "" if found is None else f"; change of the Gini since the months before {_interval(found)}"


def _unlike(window: Window) -> str:
    """That the loans with known outcomes are not like the open ones, if so: the figures may change as those end."""
    found = window.open_rank
    if found is None or found.low <= 0.5 <= found.high or abs(found.estimate - 0.5) < UNLIKE:
        return ""
    side = "riskier" if found.estimate > 0.5 else "safer"
    return f"the {window.open_loans:,} open loans of these months are {side} than the known ones by their predictions"


def _interval(found: Interval) -> str:
    return f"{found.estimate:.3f} ({found.low:.3f} to {found.high:.3f})"


def _months(first: date | None, last: date | None) -> str:
    if first is None or last is None:
        return ""
    return f"{first:%Y-%m}: " if first == last else f"{first:%Y-%m} to {last:%Y-%m}: "
