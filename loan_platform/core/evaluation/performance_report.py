"""The performance of past predictions, as a report."""

from typing import Self

from loan_platform.core.evaluation.performance import Performance, Verdict, VintagePerformance
from loan_platform.core.report import Report


class PerformanceReport(Report):
    """Verdict on all vintages together (`overall`) and on each of them."""

    verdict: Verdict
    gini_floor: float
    in_sample_left_out: int
    overall: VintagePerformance
    vintages: tuple[VintagePerformance, ...]
    reason: str

    @classmethod
    def from_performance(cls, found: Performance) -> Self:
        """The report of a performance."""
        return cls(
            verdict=found.verdict,
            gini_floor=found.gini_floor,
            in_sample_left_out=found.in_sample,
            overall=found.overall,
            vintages=found.vintages,
            reason=found.overall.reason,
        )
