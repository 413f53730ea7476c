"""The performance of past predictions, as a report."""

from typing import Self

from loan_platform.core.performance.performance import LoanCounts, Performance, VersionPerformance
from loan_platform.core.performance.verdict import Verdict
from loan_platform.core.report import Report


class PerformanceReport(Report):
    """Verdict on the champion, and the performance of each version, newest first; `overall` counts all of them.

    `champion` is None after a withdrawal.
    """

    verdict: Verdict
    reason: str
    champion: int | None
    overall: LoanCounts
    in_sample_left_out: int
    versions: tuple[VersionPerformance, ...]

    @classmethod
    def from_performance(cls, found: Performance) -> Self:
        """The report of a performance."""
        return cls(
            verdict=found.verdict,
            reason=found.reason,
            champion=found.champion,
            overall=found.overall,
            in_sample_left_out=found.in_sample,
            versions=found.versions,
        )
