"""A champion that the present contract forbids is withdrawn by the first step that meets it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loan_platform.assets.registry.champion_evidence import why_withdraw
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.mlflow_tracking import MlflowResource
from loan_platform.assets.resources.promotion_ledger import LedgerResource
from loan_platform.assets.resources.reports import ReportsResource
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.evaluation.promotion import withdrawn_verdict
from loan_platform.core.evaluation.promotion_report import PromotionReport

if TYPE_CHECKING:  # imports SQLAlchemy
    from loan_platform.adapters.ledger.ledger import Champion, Ledger

REPORT = "promotion.json"


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

    def get(self) -> "Champion":
        """The champion.

        Raises:
            NotMaterializedError: the book has none, or it was withdrawn; with the last decisions.
        """
        self.withdraw_forbidden()
        return self.ledger.champion(self.book)

    def withdraw_forbidden(self) -> str | None:
        """Withdraw the champion if the contract forbids it: in the ledger, in MLflow's aliases and in the report.

        A second call changes nothing, and completes what an interrupted first one left undone.

        Returns:
            Which version was withdrawn since the last promotion, and why; None where none was.
        """
        ledger, name = self.ledger.open(), self.book.name
        while (champion := ledger.champion(name)) and (reason := self._why(champion)):
            if ledger.withdraw(champion, actor="contract", run_id=self.run_id, reason=reason):
                break  # otherwise another run replaced it: look at the present one
        withdrawal = ledger.withdrawal(name)
        if withdrawal is None:
            return None
        self._tell(ledger, withdrawal.told)
        return withdrawal.told

    def _why(self, champion: "Champion") -> str | None:
        return why_withdraw(self.book, self.lake.models(self.book), champion)

    def _tell(self, ledger: "Ledger", told: str) -> None:
        name, files = self.book.name, self.reports.open()
        self.mlflow.registry().reconcile(ledger, name)
        known = files.path(name, REPORT).is_file() and files.read(name, REPORT, PromotionReport).withdrawn == told
        if not known:
            files.write(name, REPORT, PromotionReport.from_verdict(withdrawn_verdict(told), told))
