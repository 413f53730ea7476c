"""The verdict of the promotion policy, as a report."""

from typing import Self

from loan_platform.core.evaluation.promotion import Verdict
from loan_platform.core.report import Report


class RuleReport(Report):
    """One rule of the policy: the value found, its limit and a sentence; None where the value is not a number."""

    rule: str
    passed: bool
    value: float | None
    limit: float | None
    sentence: str


class PromotionReport(Report):
    """What was decided about a version, and why."""

    promote: bool
    unchanged: bool
    summary: str
    reasons: tuple[RuleReport, ...]

    @classmethod
    def from_verdict(cls, verdict: Verdict) -> Self:
        """The report of a verdict."""
        return cls.model_validate(verdict.as_dict())
