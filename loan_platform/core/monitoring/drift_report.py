"""The drift of one batch, as a report."""

from collections.abc import Iterable
from typing import Literal, Self

from loan_platform.core.monitoring.psi import DriftTable, Remedy, Status, VariableDrift
from loan_platform.core.report import Report

MAX_NAMED = 5
MOVED = 0.1  # rank shift from which the direction is told
SEVERITY: tuple[Status, ...] = ("unknown", "ok", "warning", "critical")


class BinReport(Report):
    """Shares of one bin, 0 to 1: `reference` of the development loans, `batch` of the batch."""

    bin: str
    reference: float
    batch: float


class VariableReport(Report):
    """Drift of the score or of one feature; `warning` and `critical` are the thresholds at this batch's size.

    `shift` is the rank shift, from -1 to 1: above 0 where values are higher than in development.
    `share` is the feature's share of the model, 0 to 1.
    """

    name: str
    role: Literal["score", "feature"]
    status: Status
    psi: float
    chance: float
    warning: float
    critical: float
    shift: float | None = None
    share: float | None = None
    bins: tuple[BinReport, ...]


class DriftReport(Report):
    """Drift of one batch against the development loans, the reason of its verdict, and what would mend it.

    `remedy` is None in a report of an earlier release.
    """

    batch: str
    reason: str
    rows: int
    reference_rows: int
    verdict: Status
    remedy: Remedy | None = None
    remedy_reason: str = ""
    variables: tuple[VariableReport, ...]

    @classmethod
    def from_table(cls, batch: str, table: DriftTable) -> Self:
        """The report of a batch."""
        return cls(
            batch=batch,
            reason=drift_reason(table),
            rows=table.rows,
            reference_rows=table.reference_rows,
            verdict=table.verdict,
            remedy=table.remedy,
            remedy_reason=table.remedy_reason,
            variables=tuple(_variable(variable) for variable in table.variables),
        )


def drift_reason(table: DriftTable) -> str:
    """Why the batch has its verdict, in one line: the drifting variables with their PSI."""
    if table.verdict == "unknown":
        return f"{table.rows:,} rows are too few for a verdict"
    drifting = [v for v in table.variables if v.status in ("warning", "critical")]
    named = ", ".join(
        f"{v.name} {v.psi:.2f}{_direction(v)}" for v in sorted(drifting, key=lambda v: -v.psi)[:MAX_NAMED]
    )
    more = f" and {len(drifting) - MAX_NAMED} more" if len(drifting) > MAX_NAMED else ""
    return f"PSI of {named}{more}" if drifting else f"score PSI {table.variables[0].psi:.3f}, no variable drifts"


def _direction(variable: VariableDrift) -> str:
    """Which way the values moved, where most of them did."""
    if variable.shift is None or abs(variable.shift) < MOVED:
        return ""
    return " (higher)" if variable.shift > 0 else " (lower)"


def worst_verdict(verdicts: Iterable[Status]) -> Status:
    """The most severe verdict; `unknown` without any."""
    found = set(verdicts) | {SEVERITY[0]}
    return next(verdict for verdict in reversed(SEVERITY) if verdict in found)


def _variable(variable: VariableDrift) -> VariableReport:
    bins = zip(variable.labels, variable.reference, variable.batch, strict=True)
    return VariableReport(
        name=variable.name,
        role=variable.role,
        status=variable.status,
        psi=variable.psi,
        chance=variable.chance,
        warning=variable.warning,
        critical=variable.critical,
        shift=variable.shift,
        share=variable.share,
        bins=tuple(BinReport(bin=label, reference=q, batch=p) for label, q, p in bins),
    )
