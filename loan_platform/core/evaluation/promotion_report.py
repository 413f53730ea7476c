"""The verdict of the promotion policy, as a report."""

import math
from typing import Self

from loan_platform.core.evaluation.gates.criterion import CriterionResult
from loan_platform.core.evaluation.promotion import Verdict
from loan_platform.core.report import Report


class RuleReport(Report):
    """One rule of the policy: the value found, its limit and a sentence; None where the value is not a number."""

    rule: str
    passed: bool
    value: float | None
    limit: float | None
    sentence: str

    @classmethod
    def of(cls, result: CriterionResult) -> Self:
        """The report of a rule's result."""
        value, limit = (number if math.isfinite(number) else None for number in (result.value, result.limit))
        return cls(rule=result.rule, passed=result.passed, value=value, limit=limit, sentence=result.sentence)


class PromotionReport(Report):
    """What was decided about a version, and why. `withdrawn`: why the champion before it was withdrawn."""

    promote: bool
    unchanged: bool
    kind: str = "model"
    summary: str
    withdrawn: str | None = None
    reasons: tuple[RuleReport, ...]

    @classmethod
    def from_verdict(cls, verdict: Verdict, withdrawn: str | None = None) -> Self:
        """The report of a verdict."""
        return cls.model_validate({**verdict.as_dict(), "withdrawn": withdrawn})
