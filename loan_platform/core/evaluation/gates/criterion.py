"""The result of one rule of the promotion policy."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CriterionResult:
    """The result of one rule: the value, its limit, and a sentence for people."""

    rule: str
    passed: bool
    value: float
    limit: float
    sentence: str


def at_least(rule: str, what: str, value: float, limit: float) -> CriterionResult:
    """A floor. An unknown value (NaN) passes no rule."""
    passed = value >= limit
    verb = "reaches" if passed else "is below"
    return CriterionResult(rule, passed, value, limit, f"{what} {value:.4f} {verb} the floor {limit:.4f}.")


def at_most(rule: str, what: str, value: float, limit: float, why: str = "") -> CriterionResult:
    """A ceiling. An unknown value (NaN) passes no rule. `why` is told after the limit."""
    passed = value <= limit
    verb = "keeps" if passed else "is above"
    return CriterionResult(rule, passed, value, limit, f"{what} {value:.4f} {verb} the ceiling {limit:.4f}{why}.")
