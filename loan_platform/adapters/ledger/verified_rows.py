"""The rows of the ledger as they are read: none is used before its place in the chain is verified."""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import asdict

import sqlalchemy as sa

from loan_platform.adapters.ledger.entries import BrokenLedgerError, Decision
from loan_platform.adapters.ledger.row_hash import START_HASH, find_problem
from loan_platform.adapters.ledger.schema import promotions, signatures
from loan_platform.adapters.ledger.signing import LedgerKey

_RESTORE = "Nothing is read from it. Compare it with its backup, and restore that"


class VerifiedRows:
    """Rows that were verified once, and those that came since. A poll reads and verifies only the new ones.

    Args:
        key: that signs rows; None if they need no signature.
    """

    def __init__(self, key: LedgerKey | None) -> None:
        self._key = key
        self._known: tuple[Decision, ...] = ()
        self._reading = threading.Lock()

    def read(self, connection: sa.Connection) -> tuple[Decision, ...]:
        """All rows, oldest first.

        Raises:
            BrokenLedgerError: a row was changed, removed, added or moved, or is not signed.
        """
        with self._reading:
            known = self._known
            last = known[-1] if known else None
            found = _rows_from(connection, last.sequence if last else None)
            if last is not None:
                if not found or found[0] != last:
                    raise BrokenLedgerError(
                        f"ledger row {last.sequence}: it was read before, and is missing or changed now. {_RESTORE}. "
                        "If a backup was restored, start this process again."
                    )
                found = found[1:]
            verify_rows(found, last)
            if self._key is not None:
                _verify_signatures(connection, self._key, found)
            self._known = (*known, *found)
            return self._known

    def forget(self) -> None:
        """Verify everything again at the next reading."""
        with self._reading:
            self._known = ()


def verify_rows(rows: Iterable[Decision], after: Decision | None = None) -> None:
    """Recompute the hashes of rows that follow one another.

    Raises:
        BrokenLedgerError: names the first row that was changed, removed, added or moved.
    """
    sequence, previous = (after.sequence, after.hash) if after else (0, START_HASH)
    for row in rows:
        sequence += 1
        if why := find_problem(asdict(row), sequence, previous):
            raise BrokenLedgerError(f"ledger row {sequence}: {why}. {_RESTORE}.")
        previous = row.hash


def _verify_signatures(connection: sa.Connection, key: LedgerKey, rows: Sequence[Decision]) -> None:
    if not rows:
        return
    query = sa.select(signatures.c.sequence, signatures.c.signature).where(signatures.c.sequence >= rows[0].sequence)
    signed = {row.sequence: row.signature for row in connection.execute(query)}
    for row in rows:
        if row.sequence not in signed:
            raise BrokenLedgerError(
                f"ledger row {row.sequence}: it has no signature, so a process without LOAN_LEDGER_KEY wrote it. "
                "If it is the platform's own, sign it with `loan-platform ledger sign`."
            )
        if not key.signed(row.hash, signed[row.sequence]):
            raise BrokenLedgerError(
                f"ledger row {row.sequence}: its signature is not that of this LOAN_LEDGER_KEY. {_RESTORE}, or use "
                "the key that signed it."
            )


def _rows_from(connection: sa.Connection, sequence: int | None) -> tuple[Decision, ...]:
    query = sa.select(promotions).order_by(promotions.c.sequence)
    if sequence is not None:
        query = query.where(promotions.c.sequence >= sequence)
    return tuple(Decision(**row._mapping) for row in connection.execute(query))  # pyright: ignore[reportPrivateUsage]  # public in SQLAlchemy
