"""The promotion ledger: who made which model version the champion, when and why.

The table is append-only. Each row has the hash of the previous row, so `verify` finds a changed or missing row. A
decision names the epoch that it was made at. If the champion changed since, by a promotion or a withdrawal, it is
refused.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from loan_platform.adapters.ledger.connections import begin_read, begin_write, exclusively, lock_for_append, open_engine
from loan_platform.adapters.ledger.entries import Champion, Decision, Standing, Withdrawal
from loan_platform.adapters.ledger.row_hash import START_HASH, canonical_json, find_problem, row_hash
from loan_platform.adapters.ledger.schema import create_schema, is_current, promotions
from loan_platform.core.errors import ExplainedError


class StalePromotionError(ExplainedError, RuntimeError):
    """The champion changed since the decision. Decide again against the present one."""


class BrokenLedgerError(RuntimeError):
    """The ledger was changed. The message names the first inconsistent row."""


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
        return self.standing(portfolio).champion

    def epoch(self, portfolio: str) -> int:
        """Number of changes of the champion so far: promotions and withdrawals."""
        return self.standing(portfolio).epoch

    def standing(self, portfolio: str) -> Standing:
        """The present champion, and the epoch that a decision about it must name."""
        with begin_read(self._engine) as connection:
            return _standing(connection, portfolio)

    def exclusively(self, portfolio: str) -> AbstractContextManager[None]:
        """Exclude other runs that copy what the ledger says of a portfolio, on any machine, until the block ends.

        Read the ledger inside the block. Promotions and withdrawals do not wait; each is followed by a copy.
        """
        return exclusively(self._engine, portfolio)

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
        step: str = "promoted_model",
    ) -> Champion:
        """Make a version the champion, if the champion did not change since the decision.

        Args:
            portfolio: its name.
            version: number in MLflow's registry.
            model_sha256: SHA-256 of its bundle.
            expected_epoch: `epoch` at which it was decided, 0 before the first promotion.
            actor: who decided.
            run_id: Dagster run of the decision.
            verdict: the policy's verdict as JSON values.
            step: asset that decides again.

        Raises:
            StalePromotionError: another promotion or a withdrawal came first; nothing was changed.
        """
        with begin_write(self._engine) as connection:
            lock_for_append(connection)
            present = _standing(connection, portfolio)
            _require_epoch(present, expected_epoch, f"{portfolio}: version {version}", step)
            given = {"portfolio": portfolio, "version": version, "model_sha256": model_sha256}
            given |= {"epoch": present.epoch + 1, "action": "promoted", "actor": actor, "run_id": run_id}
            self._append(connection, given, present.champion, verdict)
        return Champion(portfolio, present.epoch + 1, version, model_sha256)

    def reject(
        self,
        portfolio: str,
        version: int,
        model_sha256: str,
        *,
        actor: str,
        run_id: str,
        verdict: Mapping[str, Any],
        expected_epoch: int | None = None,
        step: str = "promoted_model",
    ) -> Decision:
        """Record that a version was rejected. The champion is unchanged.

        Arguments and errors as of `promote`. Without `expected_epoch` the rejection holds whatever the champion is.
        """
        with begin_write(self._engine) as connection:
            lock_for_append(connection)
            present = _standing(connection, portfolio)
            if expected_epoch is not None:
                _require_epoch(present, expected_epoch, f"{portfolio}: version {version}", step)
            given = {"portfolio": portfolio, "version": version, "model_sha256": model_sha256}
            given |= {"epoch": present.epoch, "action": "rejected", "actor": actor, "run_id": run_id}
            return self._append(connection, given, present.champion, verdict)

    def withdraw(self, champion: Champion, *, actor: str, run_id: str, reason: str) -> bool:
        """Record that a champion may not be used any more. The portfolio has none until the next promotion.

        The epoch moves, so that no decision that was made about this champion is recorded after it.

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
            present = _standing(connection, champion.portfolio)
            if present.champion != champion:
                return False
            given = {"portfolio": champion.portfolio, "version": champion.version, "epoch": present.epoch + 1}
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
        table = promotions.c
        own = sa.select(table.action, table.version, table.verdict).where(table.portfolio == portfolio)
        last = sa.select(sa.func.max(table.sequence)).where(table.portfolio == portfolio, table.action == "promoted")
        since = own.where(table.sequence > sa.func.coalesce(last.scalar_subquery(), 0)).order_by(table.sequence)
        told: dict[str, str] = {}
        with begin_read(self._engine) as connection:
            for action, version, verdict in connection.execute(since):
                why = f"version {version}: {json.loads(verdict).get('summary')}"
                told = {**(told if action == "rejected" else {}), action: why}
        return " ".join(told.values()) or None

    def withdrawal(self, portfolio: str) -> Withdrawal | None:
        """The withdrawal since the last promotion; None where there was none."""
        with begin_read(self._engine) as connection:
            row = _last_change(connection, portfolio)
        if row is None or row.action == "promoted":
            return None
        reason = str(json.loads(row.verdict).get("summary")).removeprefix("Withdrawn: ")
        return Withdrawal(row.version, f"version {row.version} was withdrawn: {reason}")

    def withdrawn_versions(self, portfolio: str) -> frozenset[int]:
        """Versions that were withdrawn, and not promoted again since."""
        changes = promotions.c.action.in_(("promoted", "withdrawn"))
        query = sa.select(promotions.c.version, promotions.c.action).where(promotions.c.portfolio == portfolio, changes)
        with begin_read(self._engine) as connection:
            rows = connection.execute(query.order_by(promotions.c.sequence)).all()
        last = {row.version: row.action for row in rows}
        return frozenset(version for version, action in last.items() if action == "withdrawn")

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


def _last_change(connection: sa.Connection, portfolio: str) -> sa.Row[Any] | None:
    """The last promotion or withdrawal."""
    changes = promotions.c.action.in_(("promoted", "withdrawn"))
    newest = sa.select(promotions).where(promotions.c.portfolio == portfolio, changes)
    order = (promotions.c.epoch.desc(), promotions.c.sequence.desc())
    return connection.execute(newest.order_by(*order).limit(1)).first()


def _standing(connection: sa.Connection, portfolio: str) -> Standing:
    """Both from one row."""
    row = _last_change(connection, portfolio)
    if row is None:
        return Standing(0, None)
    promoted = row.action == "promoted"
    return Standing(row.epoch, Champion(portfolio, row.epoch, row.version, row.model_sha256) if promoted else None)


def _require_epoch(present: Standing, expected: int, what: str, step: str) -> None:
    if present.epoch != expected:
        champion = f"version {present.champion.version}" if present.champion else "none"
        raise StalePromotionError(
            f"{what} was decided on at epoch {expected}, but the champion is {champion}, epoch {present.epoch}. "
            f"Materialize {step} again."
        )


def _entry(row: sa.Row[Any]) -> Decision:
    return Decision(**row._mapping)  # pyright: ignore[reportPrivateUsage]  # public in SQLAlchemy
