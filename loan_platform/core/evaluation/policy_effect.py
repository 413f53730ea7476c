"""What another decision policy does to the test loans of a model."""

from collections.abc import Iterable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loan_platform.core.evaluation.evaluation_report import ApprovedReport
from loan_platform.core.evaluation.intervals import auc_interval, gini_of
from loan_platform.core.report import Report
from loan_platform.core.scoring.decisions import APPROVED, DECISIONS

Floats = NDArray[np.float64]


class DecidedLoans(Report):
    """Test loans with one decision. `default_rate` is None without loans."""

    loans: int
    defaults: int
    default_rate: float | None


class PolicyEffect(Report):
    """Decisions about the test loans before and after a change; `moved` counts loans by `approve -> decline`."""

    loans: int
    before: dict[str, DecidedLoans]
    after: dict[str, DecidedLoans]
    moved: dict[str, int]

    @property
    def sentence(self) -> str:
        """Approved loans and their default rate, before and after."""
        was, now = self.before[APPROVED], self.after[APPROVED]
        return (
            f"Of {self.loans:,} test loans {was.loans:,} were approved ({_percent(was.default_rate)} defaulted), now "
            f"{now.loans:,} are ({_percent(now.default_rate)})."
        )


class PolicyReport(Report):
    """A policy version of the champion: who decided it and why, what changed, and what it does to the test loans."""

    summary: str
    decided_by: str
    why: str
    changed: tuple[str, ...]
    model_before: str
    model_after: str
    version_before: int
    version_after: int
    policy_before: str
    policy_after: str
    effect: PolicyEffect


def policy_effect(target: Iterable[float], before: Iterable[str], after: Iterable[str]) -> PolicyEffect:
    """Count the decisions of two policies.

    Args:
        target: 1 default, 0 repaid.
        before: decision on each loan by the first policy.
        after: by the second one.
    """
    table = pl.DataFrame({"target": list(target), "before": list(before), "after": list(after)})
    moved = table.filter(pl.col("before") != pl.col("after")).group_by("before", "after").len().sort("before", "after")
    return PolicyEffect(
        loans=table.height,
        before=_decided(table, "before"),
        after=_decided(table, "after"),
        moved={f"{row['before']} -> {row['after']}": row["len"] for row in moved.to_dicts()},
    )


def approved_loans(decisions: pl.Series, target: Floats, probability: Floats) -> ApprovedReport:
    """The loans that a version approves, and its Gini on them."""
    chosen = (decisions == APPROVED).to_numpy()
    rows, defaults = int(chosen.sum()), int(target[chosen].sum())
    both = 0 < defaults < rows
    gini = gini_of(auc_interval(target[chosen], probability[chosen])) if both else None
    return ApprovedReport(rows=rows, defaults=defaults, gini=gini)


def _decided(table: pl.DataFrame, column: str) -> dict[str, DecidedLoans]:
    found = table.group_by(column).agg(pl.len().alias("loans"), pl.col("target").sum().alias("defaults"))
    counts = {name: (loans, int(defaults)) for name, loans, defaults in found.iter_rows()}
    return {name: _loans(*counts.get(name, (0, 0))) for name in DECISIONS}


def _loans(loans: int, defaults: int) -> DecidedLoans:
    return DecidedLoans(loans=loans, defaults=defaults, default_rate=defaults / loans if loans else None)


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{share:.1%}"
