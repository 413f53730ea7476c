"""What the ledger holds: champions and decisions; and the error for one that was changed."""

from dataclasses import dataclass
from typing import Literal

from loan_platform.core.errors import ExplainedError


class BrokenLedgerError(ExplainedError, RuntimeError):
    """Something else than the platform changed the ledger. The message names the first inconsistent row."""


@dataclass(frozen=True)
class Champion:
    """The model version that serves a portfolio.

    Attributes:
        portfolio: its name.
        epoch: number of the change that made it champion, from 1.
        version: number in MLflow's registry.
        model_sha256: SHA-256 of its bundle.
    """

    portfolio: str
    epoch: int
    version: int
    model_sha256: str


@dataclass(frozen=True)
class Standing:
    """The champion and the epoch, read at one moment. A decision about them names this epoch.

    Attributes:
        epoch: number of changes of the champion so far: promotions and withdrawals. 0 before the first one.
        champion: None before the first promotion and after a withdrawal.
    """

    epoch: int
    champion: Champion | None


@dataclass(frozen=True)
class Withdrawal:
    """The version that was withdrawn, and a sentence that says so with the reason."""

    version: int
    told: str


@dataclass(frozen=True)
class Decision:
    """One row of the ledger.

    `epoch` counts the changes of the champion, with that of this row. A rejection changes nothing. Withdrawals of
    earlier releases have the epoch of their promotion.
    """

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
