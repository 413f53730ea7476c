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
        the reason, and MLflow's alias `production` is removed. What MLflow and the reports say of the champion is set
        as the ledger has it.
        """
        from loan_platform.adapters.tracking.registry import RegistryError

        allowed = AllowedChampion(book, lake, reports, mlflow, ledger, context.run.run_id)
        judged, problems = allowed.judge(), list[str]()
        if judged.unreadable:
            problems.append(f"The champion cannot be compared with the contract: {judged.unreadable}")
        try:
            allowed.mirror.reconcile()
        except RegistryError as error:  # the remedy is a promotion, which may need the training of this run
            problems.append(str(error))
        for told in filter(None, (judged.withdrawn, *problems)):
            context.log.warning(told)
        version = judged.champion.version if judged.champion else 0
        metadata = {"champion_version": version, "withdrawn": judged.withdrawn or "none"}
        return dg.MaterializeResult(metadata=metadata | {"problems": " ".join(problems) or "none"})

    return allowed_champion


def _version(book: Portfolio) -> str:
    """Another one after each edit of what decides whether a model is allowed."""
    stated = f"{book.contract.model_dump_json()} use_pricing={book.training.use_pricing}"
    return sha256(stated.encode()).hexdigest()[:16]
