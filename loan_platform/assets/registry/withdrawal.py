"""A champion that the present contract forbids is withdrawn by the first step that meets it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loan_platform.assets.registry.champion_evidence import why_withdraw
from loan_platform.assets.registry.ledger_mirror import LedgerMirror
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.mlflow_tracking import MlflowResource
from loan_platform.assets.resources.promotion_ledger import LedgerResource
from loan_platform.assets.resources.reports import ReportsResource
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.errors import NotMaterializedError
from loan_platform.core.scoring.manifest import BundleError

if TYPE_CHECKING:  # imports SQLAlchemy
    from loan_platform.adapters.ledger.entries import Champion


@dataclass(frozen=True)
class Judged:
    """The champion that the contract was compared with, and the epoch that a decision about it must name.

    Attributes:
        epoch: of the ledger at that moment.
        champion: None where there is none, or none any more.
        withdrawn: which version was withdrawn since the last promotion, and why.
        unreadable: why the champion could not be compared: its bundle is lost or damaged.
    """

    epoch: int
    champion: "Champion | None"
    withdrawn: str | None = None
    unreadable: str | None = None

    @property
    def readable(self) -> "Champion | None":
        """The champion, if it can be compared with and changed."""
        return None if self.unreadable else self.champion


@dataclass(frozen=True)
class AllowedChampion:
    """The champion of a book, as far as the book's contract allows it.

    Every step that answers with the champion, compares with it or changes it asks here. So a forbidden one is withdrawn
    whatever became of the training by the edited contract.
    """

    book: Portfolio
    lake: LakeResource
    reports: ReportsResource
    mlflow: MlflowResource
    ledger: LedgerResource
    run_id: str

    @property
    def mirror(self) -> LedgerMirror:
        """What MLflow and the reports say of the champion."""
        return LedgerMirror(self.book, self.reports, self.mlflow, self.ledger)

    def get(self) -> "Champion":
        """The champion.

        Raises:
            NotMaterializedError: the book has none, or it was withdrawn; with the last decisions.
        """
        while (judged := self.judge()).champion is None:
            self.ledger.champion(self.book)  # raises, or another run has just promoted one
        return judged.champion

    def judge(self) -> Judged:
        """The champion and the epoch. A forbidden one is withdrawn first: in the ledger, in MLflow and in the report.

        A second call changes nothing, and completes what an interrupted first one left undone. A champion whose bundle
        is lost or damaged stays: the service may have a copy of it.
        """
        ledger, name, models = self.ledger.open(), self.book.name, self.lake.models(self.book)
        while (standing := ledger.standing(name)).champion:
            try:
                reason = why_withdraw(self.book, models, standing.champion)
            except (NotMaterializedError, BundleError) as error:
                return Judged(standing.epoch, standing.champion, unreadable=str(error))
            if reason is None:
                return Judged(standing.epoch, standing.champion)
            # Where another run replaced it meanwhile, nothing is recorded, and the present one is looked at.
            ledger.withdraw(standing.champion, actor="contract", run_id=self.run_id, reason=reason)
        withdrawal = ledger.withdrawal(name)
        if withdrawal is None:
            return Judged(standing.epoch, None)
        self.mirror.reconcile()
        return Judged(standing.epoch, None, withdrawal.told)
