"""The promotion ledger: who made which model version the champion, when and why.

The table is append-only. Each row has the hash of the previous row, so `verify` finds a changed or missing row. A
decision names the epoch that it was made at. If the champion changed since, by a promotion or a withdrawal, it is
refused.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from loan_platform.adapters.ledger import history
from loan_platform.adapters.ledger.connections import begin_read, begin_write, exclusively, lock_for_append, open_engine
from loan_platform.adapters.ledger.entries import BrokenLedgerError, Champion, Decision, Standing, Withdrawal
from loan_platform.adapters.ledger.row_hash import START_HASH, canonical_json, find_unusable, row_hash
from loan_platform.adapters.ledger.schema import create_schema, is_current, promotions, signatures
from loan_platform.adapters.ledger.signing import LedgerKey
from loan_platform.adapters.ledger.verified_rows import VerifiedRows
from loan_platform.core.errors import ExplainedError
from loan_platform.settings.platform import LedgerSettings


class StalePromotionError(ExplainedError, RuntimeError):
    """The champion changed since the decision. Decide again against the present one."""


class Ledger:
    """Ledger of all portfolios in one database.

    Every method raises LedgerUnavailableError if the database does not answer, and BrokenLedgerError if a row that it
    reads was not written by the platform.

    Args:
        url: of the database, SQLite or PostgreSQL.
        clock: gives the time of a decision.
        key: signs new rows, and refuses rows without its signature. None: rows have only their hashes.

    Raises:
        ValueError: another kind of database.
    """

    def __init__(
        self, url: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC), key: LedgerKey | None = None
    ) -> None:
        self._engine = open_engine(url)
        self._clock, self._key = clock, key
        self._verified = VerifiedRows(key)

    @classmethod
    def from_settings(cls, settings: LedgerSettings) -> "Ledger":
        """The ledger at LOAN_LEDGER_URL, with the key of LOAN_LEDGER_KEY.

        Raises:
            LedgerKeyError: the key file cannot be used.
        """
        return cls(settings.ledger_url, key=LedgerKey.read(settings.ledger_key) if settings.ledger_key else None)

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
        return history.standing(self._rows(), portfolio)

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
            present = history.standing(self._verified.read(connection), portfolio)
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
            present = history.standing(self._verified.read(connection), portfolio)
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
            present = history.standing(self._verified.read(connection), champion.portfolio)
            if present.champion != champion:
                return False
            given = {"portfolio": champion.portfolio, "version": champion.version, "epoch": present.epoch + 1}
            given |= {"model_sha256": champion.model_sha256, "action": "withdrawn", "actor": actor, "run_id": run_id}
            self._append(connection, given, champion, {"promote": False, "summary": f"Withdrawn: {reason}"})
            return True

    def history(self, portfolio: str | None = None) -> list[Decision]:
        """All rows, of one portfolio or of all, oldest first."""
        rows = self._rows()
        return list(rows) if portfolio is None else history.of_portfolio(rows, portfolio)

    def why_none(self, portfolio: str) -> str | None:
        """Why a portfolio has no champion: the last withdrawal, and the last rejection since; None without either."""
        return history.why_none(self._rows(), portfolio)

    def withdrawal(self, portfolio: str) -> Withdrawal | None:
        """The withdrawal since the last promotion; None where there was none."""
        return history.withdrawal(self._rows(), portfolio)

    def withdrawn_versions(self, portfolio: str) -> frozenset[int]:
        """Versions that were withdrawn, and not promoted again since."""
        return history.withdrawn_versions(self._rows(), portfolio)

    def challenger(self, portfolio: str) -> dict[str, Any] | None:
        """The version that was rejected last, if no version was promoted since.

        Returns:
            `version`, `sha256`, `why` and `decided_at`.
        """
        return history.challenger(self._rows(), portfolio)

    def verify(self, expected_head: str | None = None) -> str:
        """Recompute the hash chain from its first row, and the signatures where there is a key.

        Args:
            expected_head: a hash of a last row that was stored outside the database. If it is not in the chain, rows
                at the end are missing.

        Returns:
            Hash of the last row.

        Raises:
            BrokenLedgerError: names the first row that was changed, removed, added or moved.
        """
        self._verified.forget()
        rows = self._rows()
        if expected_head not in (None, START_HASH) and expected_head not in {row.hash for row in rows}:
            raise BrokenLedgerError(f"ledger row {len(rows) + 1}: rows are missing at the end")
        return rows[-1].hash if rows else START_HASH

    def sign(self, key: LedgerKey) -> int:
        """Sign the rows that have no signature, after a person has looked at them. Returns their number.

        Raises:
            BrokenLedgerError: the chain is broken, or a row has the signature of another key.
        """
        with begin_write(self._engine) as connection:
            lock_for_append(connection)
            rows = VerifiedRows(None).read(connection)
            signed = {row.sequence: row.signature for row in connection.execute(sa.select(signatures))}
            for row in rows:
                if row.sequence in signed and not key.signed(row.hash, signed[row.sequence]):
                    raise BrokenLedgerError(f"ledger row {row.sequence}: it has the signature of another key")
            unsigned = [row for row in rows if row.sequence not in signed]
            for row in unsigned:
                connection.execute(signatures.insert().values(sequence=row.sequence, signature=key.sign(row.hash)))
        return len(unsigned)

    def sign_champion(self, champion: Champion) -> str | None:
        """What proves to a service with the key that this was the champion; None without a key."""
        if self._key is None:
            return None
        return self._key.sign_champion(champion.portfolio, champion.version, champion.model_sha256)

    def _rows(self) -> tuple[Decision, ...]:
        with begin_read(self._engine) as connection:
            return self._verified.read(connection)

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
        if why := find_unusable(row):
            raise ValueError(f"the decision cannot be recorded: {why}")
        connection.execute(promotions.insert().values(row))
        if self._key is not None:
            signature = self._key.sign(row["hash"])
            connection.execute(signatures.insert().values(sequence=row["sequence"], signature=signature))
        return Decision(**row)


def _require_epoch(present: Standing, expected: int, what: str, step: str) -> None:
    if present.epoch != expected:
        champion = f"version {present.champion.version}" if present.champion else "none"
        raise StalePromotionError(
            f"{what} was decided on at epoch {expected}, but the champion is {champion}, epoch {present.epoch}. "
            f"Materialize {step} again."
        )
