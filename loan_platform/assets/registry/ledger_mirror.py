"""What MLflow and the reports say of a book's champion follows the ledger."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loan_platform.assets.resources.mlflow_tracking import MlflowResource
from loan_platform.assets.resources.promotion_ledger import LedgerResource
from loan_platform.assets.resources.reports import ReportsResource
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.evaluation.policy_effect import PolicyReport
from loan_platform.core.evaluation.promotion import withdrawn_verdict
from loan_platform.core.evaluation.promotion_report import PromotionReport

if TYPE_CHECKING:  # import SQLAlchemy and MLflow
    from loan_platform.adapters.ledger.entries import Champion, Decision, Withdrawal
    from loan_platform.adapters.tracking.registry import Registry

REPORT, POLICY, CARD = "promotion.json", "policy.json", "champion_card.md"
MAX_TAG_LENGTH = 4_000


@dataclass(frozen=True)
class LedgerMirror:
    """Copies of what the ledger says of a book. They are written after the ledger, and only from it.

    | copy | says |
    | --- | --- |
    | MLflow's alias `production` | which version is champion |
    | tag `verdict` of that version | why |
    | `policy.json`, `policy/<sha256>.json` | the last change of the policies, and that of each version |
    | `champion_card.md` | the model card of the champion |
    | `promotion.json`, after a withdrawal | which version was withdrawn, and why |
    """

    book: Portfolio
    reports: ReportsResource
    mlflow: MlflowResource
    ledger: LedgerResource

    def reconcile(self) -> "Champion | None":
        """Write the copies that differ. A second call changes nothing, and completes what an interrupted one left.

        Returns:
            The champion; None where there is none.

        Raises:
            RegistryError: MLflow's registry lacks the champion's version, or has another bundle under its number.
        """
        ledger, registry, name = self.ledger.open(), self.mlflow.registry(), self.book.name
        try:
            champion = registry.reconcile(ledger, name)
        finally:  # the reports do not wait for a registry that cannot be read
            with ledger.exclusively(name):
                self._reports(ledger.history(name), ledger.withdrawal(name))
        if champion is not None:
            self._tag(registry, champion, ledger.history(name))
        return champion

    def _tag(self, registry: "Registry", champion: "Champion", rows: "Sequence[Decision]") -> None:
        promoted = next(row for row in reversed(rows) if row.action == "promoted" and row.epoch == champion.epoch)
        why = str(json.loads(promoted.verdict).get("summary", ""))[:MAX_TAG_LENGTH]
        if registry.version(champion.portfolio, champion.version).tags.get("verdict") != why:
            registry.tag(champion.portfolio, champion.version, {"verdict": why})

    def _reports(self, rows: "Sequence[Decision]", withdrawal: "Withdrawal | None") -> None:
        last = [row for row in rows if row.action != "rejected"][-1:]
        changes = [(row.model_sha256, found) for row in rows if (found := _policy(row))]
        self._keep(POLICY, _text(changes[-1][1]) if changes else None)
        for sha256, found in dict(changes).items():
            self._keep(policy_name(sha256), _text(found))
        self._keep(CARD, self._card(last[0].model_sha256) if last and last[0].action == "promoted" else None)
        if withdrawal is not None:
            self._tell(withdrawal.told)

    def _card(self, sha256: str) -> str | None:
        card = self.reports.open().path(self.book.name, card_name(sha256))
        return card.read_text() if card.is_file() else None

    def _tell(self, withdrawn: str) -> None:
        name, files = self.book.name, self.reports.open()
        known = files.path(name, REPORT).is_file() and files.read(name, REPORT, PromotionReport).withdrawn == withdrawn
        if not known:
            files.write(name, REPORT, PromotionReport.from_verdict(withdrawn_verdict(withdrawn), withdrawn))

    def _keep(self, report: str, content: str | None) -> None:
        files, name = self.reports.open(), self.book.name
        path = files.path(name, report)
        if content is None:
            files.remove(name, report)
        elif not path.is_file() or path.read_text() != content:
            files.write(name, report, content)


def card_name(sha256: str) -> str:
    """Report with the model card of a bundle."""
    return f"model_card/{sha256}.md"


def policy_name(sha256: str) -> str:
    """Report of the change that made a bundle."""
    return f"policy/{sha256}.json"


def _policy(row: "Decision") -> dict[str, Any] | None:
    """The policy report in a promotion; None where no policies were changed."""
    return json.loads(row.verdict).get("policy") if row.action == "promoted" else None


def _text(found: dict[str, Any]) -> str:
    """The report as the ledger has it, in the order of `PolicyReport`."""
    return (
        json.dumps({name: found[name] for name in PolicyReport.model_fields if name in found} | found, indent=1) + "\n"
    )
