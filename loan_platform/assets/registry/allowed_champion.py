"""The step that asks whether the contract still allows the champion, whatever becomes of the next version."""

from hashlib import sha256

import dagster as dg

from loan_platform.assets.registry.withdrawal import AllowedChampion
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.mlflow_tracking import MlflowResource
from loan_platform.assets.resources.promotion_ledger import LedgerResource
from loan_platform.assets.resources.reports import ReportsResource
from loan_platform.assets.specs.book_assets import book_asset
from loan_platform.core.book.portfolio import Portfolio


def withdrawal_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`allowed_champion`."""
    return [_allowed_champion(book)]


def _allowed_champion(book: Portfolio) -> dg.AssetsDefinition:
    @book_asset(book, "allowed_champion", "withdrawal", "mlflow", code_version=_version(book))
    def allowed_champion(
        context: dg.AssetExecutionContext,
        lake: LakeResource,
        reports: ReportsResource,
        mlflow: MlflowResource,
        ledger: LedgerResource,
    ) -> dg.MaterializeResult:
        """The champion as far as the contract allows it. One that reads what the contract now forbids is withdrawn.

        It waits for no training, so a forbidden champion goes also where the next version is refused. The ledger keeps
        the reason, and MLflow's alias `production` is removed.
        """
        withdrawn = AllowedChampion(book, lake, reports, mlflow, ledger, context.run.run_id).withdraw_forbidden()
        champion = ledger.open().champion(book.name)
        if withdrawn:
            context.log.warning(withdrawn)
        version = champion.version if champion else 0
        return dg.MaterializeResult(metadata={"champion_version": version, "withdrawn": withdrawn or "none"})

    return allowed_champion


def _version(book: Portfolio) -> str:
    """Another one after each edit of what decides whether a model is allowed."""
    stated = f"{book.contract.model_dump_json()} use_pricing={book.training.use_pricing}"
    return sha256(stated.encode()).hexdigest()[:16]
