"""What the rows of the ledger say: the champion, and why there is none. Each row was verified before."""

import json
from collections.abc import Sequence
from typing import Any

from loan_platform.adapters.ledger.entries import Champion, Decision, Standing, Withdrawal


def of_portfolio(rows: Sequence[Decision], portfolio: str) -> list[Decision]:
    """The rows of one portfolio, oldest first."""
    return [row for row in rows if row.portfolio == portfolio]


def standing(rows: Sequence[Decision], portfolio: str) -> Standing:
    """The present champion and the epoch."""
    row = last_change(rows, portfolio)
    if row is None:
        return Standing(0, None)
    promoted = row.action == "promoted"
    return Standing(row.epoch, Champion(portfolio, row.epoch, row.version, row.model_sha256) if promoted else None)


def last_change(rows: Sequence[Decision], portfolio: str) -> Decision | None:
    """The last promotion or withdrawal."""
    changes = [row for row in of_portfolio(rows, portfolio) if row.action in ("promoted", "withdrawn")]
    return max(changes, key=lambda row: (row.epoch, row.sequence), default=None)


def why_none(rows: Sequence[Decision], portfolio: str) -> str | None:
    """Why a portfolio has no champion: the last withdrawal, and the last rejection since; None without either."""
    told: dict[str, str] = {}
    for row in of_portfolio(rows, portfolio):
        why = f"version {row.version}: {_summary(row)}"
        kept = told if row.action == "rejected" else {}  # a change of the champion makes earlier words void
        told = {} if row.action == "promoted" else {**kept, row.action: why}
    return " ".join(told.values()) or None


def withdrawal(rows: Sequence[Decision], portfolio: str) -> Withdrawal | None:
    """The withdrawal since the last promotion; None where there was none."""
    row = last_change(rows, portfolio)
    if row is None or row.action == "promoted":
        return None
    reason = str(_summary(row)).removeprefix("Withdrawn: ")
    return Withdrawal(row.version, f"version {row.version} was withdrawn: {reason}")


def withdrawn_versions(rows: Sequence[Decision], portfolio: str) -> frozenset[int]:
    """Versions that were withdrawn, and not promoted again since."""
    last = {row.version: row.action for row in of_portfolio(rows, portfolio) if row.action != "rejected"}
    return frozenset(version for version, action in last.items() if action == "withdrawn")


def challenger(rows: Sequence[Decision], portfolio: str) -> dict[str, Any] | None:
    """The version that was rejected last, if no version was promoted since.

    Returns:
        `version`, `sha256`, `why` and `decided_at`.
    """
    own = of_portfolio(rows, portfolio)
    if not own or own[-1].action != "rejected":
        return None
    row = own[-1]
    return {"version": row.version, "sha256": row.model_sha256, "why": _summary(row), "decided_at": row.decided_at}


def _summary(row: Decision) -> Any:
    return json.loads(row.verdict).get("summary")
