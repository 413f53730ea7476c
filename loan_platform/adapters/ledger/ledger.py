"""The promotion ledger: who made which model version the champion, when and why.

The table is append-only. Each row has the hash of the previous row, so `verify` finds a changed or missing row. A
promotion names the epoch that it was decided on. If another promotion came first, it is rejected.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa

from loan_platform.adapters.ledger.row_hash import START_HASH, canonical_json, find_problem, row_hash
from loan_platform.adapters.ledger.schema import (
    begin_read,
    begin_write,
    create_schema,
    is_current,
    lock_for_append,
    open_engine,
    promotions,
)
from loan_platform.core.errors import ExplainedError


class StalePromotionError(ExplainedError, RuntimeError):
    """Another promotion came first. Decide again against the present champion."""


class BrokenLedgerError(RuntimeError):
    """The ledger was changed. The message names the first inconsistent row."""


@dataclass(frozen=True)
class Champion:
    """The model version that serves a portfolio.

    Attributes:
        portfolio: its name.
        epoch: number of the promotion, from 1.
        version: number in MLflow's registry.
        model_sha256: SHA-256 of its bundle.
    """

    portfolio: str
    epoch: int
    version: int
    model_sha256: str


@dataclass(frozen=True)
class Decision:
    """One row of the ledger. `epoch` of a rejection or withdrawal is the number of promotions so far."""

    sequence: int
    portfolio: str
    epoch: int
    version: int
    model_sha256: str
    previous_version: int | None
    action: Literal["promoted", "rejected", "withdrawn"]
    actor: str
    run_id: str
    verdict: str
    decided_at: str
    previous_hash: str
    hash: str


class Ledger:
    """Ledger of all portfolios in one database. Every method raises LedgerUnavailableError if it does not answer.

    Args:
        url: of the database, SQLite or PostgreSQL.
        clock: gives the time of a decision.

    Raises:
        ValueError: another kind of database.
    """

    def __init__(self, url: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._engine = open_engine(url)
        self._clock = clock

    def create(self) -> None:
        """Create the missing parts of the schema. Several processes may do this at the same time."""
        create_schema(self._engine)

    def is_current(self) -> bool:
        """Whether `create` would have nothing to do."""
        return is_current(self._engine)

    def champion(self, portfolio: str) -> Champion | None:
        """The present champion; None before the first promotion and after a withdrawal."""
        with begin_read(self._engine) as connection:
            return _champion(connection, portfolio)

    def epoch(self, portfolio: str) -> int:
        """Number of promotions so far. A withdrawal does not change it."""
        with begin_read(self._engine) as connection:
            return _epoch(connection, portfolio)

    def promote(
        self,
        portfolio: str,
        version: int,
        model_sha256: str,
        *,
        expected_epoch: int,
        actor: str,
        run_id: str,
        verdict: Mapping[str, Any],
        replaces: Champion | None = None,
    ) -> Champion:
        """Make a version the champion, if no other promotion came first.

        Args:
            portfolio: its name.
            version: number in MLflow's registry.
            model_sha256: SHA-256 of its bundle.
            expected_epoch: `epoch` at which the version was compared, 0 before the first promotion.
            actor: who decided.
            run_id: Dagster run of the decision.
            verdict: the policy's verdict as JSON values.
            replaces: the champion that the version is a copy of; a withdrawal forbids the copy too. None: it is none.

        Raises:
            StalePromotionError: another promotion came first, or `replaces` was withdrawn; nothing was changed.
        """
        with begin_write(self._engine) as connection:
            lock_for_append(connection)
            champion, epoch = _champion(connection, portfolio), _epoch(connection, portfolio)
            if epoch != expected_epoch:
                present = f"version {champion.version}" if champion else "none"
                raise StalePromotionError(
                    f"{portfolio}: version {version} was compared at epoch {expected_epoch}, but the "
                    f"champion is {present}, epoch {epoch}. Materialize promoted_model again."
                )
            if replaces not in (None, champion):
                raise StalePromotionError(
                    f"{portfolio}: version {version} is version {replaces.version} with other policies, which was "
                    "withdrawn. Materialize promoted_model again."
                )
            given = {"portfolio": portfolio, "version": version, "model_sha256": model_sha256}
            given |= {"epoch": epoch + 1, "action": "promoted", "actor": actor, "run_id": run_id}
            self._append(connection, given, champion, verdict)
        return Champion(portfolio, epoch + 1, version, model_sha256)

    def reject(
        self,
        portfolio: str,
        version: int,
        model_sha256: str,
        *,
        actor: str,
        run_id: str,
        verdict: Mapping[str, Any],
    ) -> Decision:
        """Record that a version was rejected. The champion is unchanged. Arguments as of `promote`."""
        with begin_write(self._engine) as connection:
            lock_for_append(connection)
            champion = _champion(connection, portfolio)
            given = {"portfolio": portfolio, "version": version, "model_sha256": model_sha256}
            given |= {"epoch": _epoch(connection, portfolio), "action": "rejected"}
            return self._append(connection, given | {"actor": actor, "run_id": run_id}, champion, verdict)

    def withdraw(self, champion: Champion, *, actor: str, run_id: str, reason: str) -> bool:
        """Record that a champion may not be used any more. The portfolio has none until the next promotion.

        Args:
            champion: the one to withdraw.
            actor: who decided.
            run_id: Dagster run of the decision.
            reason: a sentence.

        Returns:
            False if it is not the champion any more; nothing was recorded.
        """
        with begin_write(self._engine) as connection:
            lock_for_append(connection)
            if _champion(connection, champion.portfolio) != champion:
                return False
            given = {"portfolio": champion.portfolio, "version": champion.version, "epoch": champion.epoch}
            given |= {"model_sha256": champion.model_sha256, "action": "withdrawn", "actor": actor, "run_id": run_id}
            self._append(connection, given, champion, {"promote": False, "summary": f"Withdrawn: {reason}"})
            return True

    def history(self, portfolio: str | None = None) -> list[Decision]:
        """All rows, of one portfolio or of all, oldest first."""
        query = sa.select(promotions).order_by(promotions.c.sequence)
        if portfolio is not None:
            query = query.where(promotions.c.portfolio == portfolio)
        with begin_read(self._engine) as connection:
            return [_entry(row) for row in connection.execute(query)]

    def why_none(self, portfolio: str) -> str | None:
        """Why a portfolio has no champion: the last withdrawal, and the last rejection since; None without either."""
        rows: dict[str, Decision] = {}
        for row in self.history(portfolio):
            rows = {**(rows if row.action == "rejected" else {}), row.action: row}
        told = [f"version {row.version}: {json.loads(row.verdict).get('summary')}" for row in rows.values()]
        return " ".join(told) or None

    def withdrawal(self, portfolio: str) -> str | None:
        """Which version was withdrawn since the last promotion, and why; None where none was."""
        rows = [row for row in self.history(portfolio) if row.action in ("promoted", "withdrawn")]
        if not rows or rows[-1].action == "promoted":
            return None
        reason = str(json.loads(rows[-1].verdict).get("summary")).removeprefix("Withdrawn: ")
        return f"version {rows[-1].version} was withdrawn: {reason}"

    def challenger(self, portfolio: str) -> dict[str, Any] | None:
        """The version that was rejected last, if no version was promoted since.

        Returns:
            `version`, `sha256`, `why` and `decided_at`.
        """
        newest = sa.select(promotions).where(promotions.c.portfolio == portfolio)
        with begin_read(self._engine) as connection:
            row = connection.execute(newest.order_by(promotions.c.sequence.desc()).limit(1)).first()
        if row is None or row.action != "rejected":
            return None
        why = json.loads(row.verdict).get("summary")
        return {"version": row.version, "sha256": row.model_sha256, "why": why, "decided_at": row.decided_at}

    def verify(self, expected_head: str | None = None) -> str:
        """Recompute the hash chain.

        Args:
            expected_head: a hash of a last row that was stored outside the database. If it is not in the chain, rows
                at the end are missing.

        Returns:
            Hash of the last row.

        Raises:
            BrokenLedgerError: names the first row that was changed, removed, added or moved.
        """
        rows = self.history()
        previous = START_HASH
        for sequence, row in enumerate(rows, start=1):
            if why := find_problem(asdict(row), sequence, previous):
                raise BrokenLedgerError(f"ledger row {sequence}: {why}")
            previous = row.hash
        if expected_head not in (None, START_HASH) and expected_head not in {row.hash for row in rows}:
            raise BrokenLedgerError(f"ledger row {len(rows) + 1}: rows are missing at the end")
        return previous

    def _append(
        self,
        connection: sa.Connection,
        given: Mapping[str, Any],
        champion: Champion | None,
        verdict: Mapping[str, Any],
    ) -> Decision:
        newest = sa.select(promotions.c.sequence, promotions.c.hash).order_by(promotions.c.sequence.desc())
        last = connection.execute(newest.limit(1)).first()
        row: dict[str, Any] = {
            **given,
            "sequence": last.sequence + 1 if last else 1,
            "previous_version": champion.version if champion else None,
            "verdict": canonical_json(verdict),
            "decided_at": self._clock().astimezone(UTC).isoformat(timespec="microseconds"),
            "previous_hash": last.hash if last else START_HASH,
        }
        row["hash"] = row_hash(row)
        connection.execute(promotions.insert().values(row))
        return Decision(**row)


def _champion(connection: sa.Connection, portfolio: str) -> Champion | None:
    table = promotions.c
    query = (
        sa.select(table.portfolio, table.epoch, table.version, table.model_sha256, table.action)
        .where(table.portfolio == portfolio, table.action.in_(("promoted", "withdrawn")))
        .order_by(table.epoch.desc(), table.sequence.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    if row is None or row.action == "withdrawn":
        return None
    return Champion(row.portfolio, row.epoch, row.version, row.model_sha256)


def _epoch(connection: sa.Connection, portfolio: str) -> int:
    promoted = (promotions.c.portfolio == portfolio, promotions.c.action == "promoted")
    return connection.execute(
        sa.select(sa.func.coalesce(sa.func.max(promotions.c.epoch), 0)).where(*promoted)
    ).scalar_one()


def _entry(row: sa.Row[Any]) -> Decision:
    return Decision(**row._mapping)  # pyright: ignore[reportPrivateUsage]  # public in SQLAlchemy
