"""What became of the rows of a source, as a report."""

from pydantic import Field

from loan_platform.core.report import Report


class DroppedValues(Report):
    """Values of accepted rows that were dropped for one reason."""

    column: str
    reason: str
    rows: int


class StagingReport(Report):
    """Counts of one staging step; `rows_in == accepted + quarantined`.

    Attributes:
        by_reason: quarantined rows by the reason of their first error.
        nulled: dropped values by column and reason.
        rule_warnings: accepted rows that break each row rule with severity `warning`.
        missing_optional: optional columns that at least one file lacks.
        layouts: (file, layout) of files that fit a layout of the contract.
        resolved: accepted rows with a known outcome.
        target_rate: share of defaults among them; None without any.
    """

    rows_in: int
    accepted: int
    quarantined: int
    by_reason: dict[str, int]
    nulled: tuple[DroppedValues, ...]
    rule_warnings: dict[str, int] = Field(default_factory=dict[str, int])
    missing_optional: tuple[str, ...]
    layouts: tuple[tuple[str, str], ...] = ()
    resolved: int
    target_rate: float | None

    @property
    def values_dropped(self) -> int:
        """Number of dropped values over all columns."""
        return sum(value.rows for value in self.nulled)
