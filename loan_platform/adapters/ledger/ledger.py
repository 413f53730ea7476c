"""The promotion ledger: who made which model version the champion, when and why.

Rows are only ever added. Each holds the hash of the row before, so a changed or missing row is found. A
promotion names the epoch it was decided on; if another came first it is refused, never applied on top.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa

from loan_platform.adapters.ledger.schema import (
    begin_write,
    create_schema,
    lock_for_append,
    open_engine,
    promotions,
)
from loan_platform.core.errors import ExplainedError

_START = "0" * 64


class StalePromotionError(ExplainedError, RuntimeError):
    """Another promotion came first; decide again against the present champion."""


class BrokenLedgerError(RuntimeError):
    """The ledger was changed after the fact; the message names the first row that does not fit."""


@dataclass(frozen=True)
class Champion:
    """The version in force. `epoch` counts the promotions of the portfolio."""

    portfolio: str
    epoch: int
    version: int
    model_sha256: str


@dataclass(frozen=True)
class Entry:
    """One row of the ledger. `epoch` of a rejection is that of the champion that stayed (0: none)."""

    sequence: int
    portfolio: str
    epoch: int
    version: int
    model_sha256: str
    previous_version: int | None
    action: Literal["promoted", "rejected"]
    actor: str
    run_id: str
    verdict: str
    decided_at: str
    previous_hash: str
    hash: str


class Ledger:
    """Ledger of all portfolios in one database, SQLite or PostgreSQL."""

    def __init__(self, url: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._engine = open_engine(url)
        self._clock = clock

    def create(self) -> None:
        """Create what is missing in the database; any number of processes may do so at once."""
        create_schema(self._engine)

    def champion(self, portfolio: str) -> Champion | None:
        """The version in force; None before the first promotion."""
        with self._engine.connect() as connection:
            return _champion(connection, portfolio)

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
    ) -> Champion:
        """Make a version the champion, provided the epoch is still the one it was compared with (0: none).

        Raises:
            StalePromotionError: another promotion came first; nothing was changed.
        """
        with begin_write(self._engine) as connection:
            lock_for_append(connection)
            champion = _champion(connection, portfolio)
            epoch = champion.epoch if champion else 0
            if epoch != expected_epoch:
                present = f"version {champion.version}" if champion else "none"
                raise StalePromotionError(
                    f"{portfolio}: version {version} was compared at epoch {expected_epoch}, but the "
                    f"champion is {present}, epoch {epoch}. Compare again."
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
    ) -> Entry:
        """Record that a version was refused; the champion stays."""
        with begin_write(self._engine) as connection:
            lock_for_append(connection)
            champion = _champion(connection, portfolio)
            given = {"portfolio": portfolio, "version": version, "model_sha256": model_sha256}
            given |= {"epoch": champion.epoch if champion else 0, "action": "rejected"}
            return self._append(connection, given | {"actor": actor, "run_id": run_id}, champion, verdict)

    def history(self, portfolio: str | None = None) -> list[Entry]:
        """All rows, of one portfolio or of all, oldest first."""
        query = sa.select(promotions).order_by(promotions.c.sequence)
        if portfolio is not None:
            query = query.where(promotions.c.portfolio == portfolio)
        with self._engine.connect() as connection:
            return [_entry(row) for row in connection.execute(query)]

    def challenger(self, portfolio: str) -> dict[str, Any] | None:
        """The last version that was refused since the champion is one: version, sha256, why, and when."""
        newest = sa.select(promotions).where(promotions.c.portfolio == portfolio)
        with self._engine.connect() as connection:
            row = connection.execute(newest.order_by(promotions.c.sequence.desc()).limit(1)).first()
        if row is None or row.action != "rejected":
            return None
        why = json.loads(row.verdict).get("summary")
        return {"version": row.version, "sha256": row.model_sha256, "why": why, "decided_at": row.decided_at}

    def verify(self, expected_head: str | None = None) -> str:
        """Recompute the chain and return the hash of its last row.

        `expected_head` is a hash noted outside the database: it must be in the chain, which shows rows cut
        off at the end.

        Raises:
            BrokenLedgerError: names the first row that was changed, removed, added or moved.
        """
        rows = self.history()
        previous = _START
        for sequence, row in enumerate(rows, start=1):
            if why := _broken(row, sequence, previous):
                raise BrokenLedgerError(f"ledger row {sequence}: {why}")
            previous = row.hash
        if expected_head not in (None, _START) and expected_head not in {row.hash for row in rows}:
            raise BrokenLedgerError(f"ledger row {len(rows) + 1}: rows are missing at the end")
        return previous

    def _append(
        self,
        connection: sa.Connection,
        given: Mapping[str, Any],
        champion: Champion | None,
        verdict: Mapping[str, Any],
    ) -> Entry:
        newest = sa.select(promotions.c.sequence, promotions.c.hash).order_by(promotions.c.sequence.desc())
        last = connection.execute(newest.limit(1)).first()
        row: dict[str, Any] = {
            **given,
            "sequence": last.sequence + 1 if last else 1,
            "previous_version": champion.version if champion else None,
            "verdict": _canonical(verdict),
            "decided_at": self._clock().astimezone(UTC).isoformat(timespec="microseconds"),
            "previous_hash": last.hash if last else _START,
        }
        row["hash"] = _hash(row)
        connection.execute(promotions.insert().values(row))
        return Entry(**row)


def _champion(connection: sa.Connection, portfolio: str) -> Champion | None:
    table = promotions.c
    query = (
        sa.select(table.portfolio, table.epoch, table.version, table.model_sha256)
        .where(table.portfolio == portfolio, table.action == "promoted")
        .order_by(table.epoch.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    return Champion(**row._mapping) if row else None  # pyright: ignore[reportPrivateUsage]  # public in SQLAlchemy


def _entry(row: sa.Row[Any]) -> Entry:
    return Entry(**row._mapping)  # pyright: ignore[reportPrivateUsage]  # public in SQLAlchemy


def _broken(row: Entry, sequence: int, previous: str) -> str | None:
    if row.sequence != sequence:
        return f"missing, the next one is {row.sequence}"
    if row.previous_hash != previous:
        return "does not continue the row before"
    content = {key: value for key, value in asdict(row).items() if key != "hash"}
    return None if _hash(content) == row.hash else "its content does not match its hash"


def _hash(row: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(row).encode()).hexdigest()


def _canonical(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
