"""The trained model becomes a version in the registry."""

import dagster as dg

from loan_platform.adapters.storage.model_store import StoredModel
from loan_platform.assets.registry.champion_evidence import challenger_evidence
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.mlflow_tracking import MlflowResource
from loan_platform.assets.resources.reports import ReportsResource
from loan_platform.assets.specs.book_assets import book_asset
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.evaluation.evaluation_report import Evaluation
from loan_platform.core.evaluation.gates.absolute_rules import ranking_rules


def version_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`registry_version`."""
    return [_registry_version(book)]


def _registry_version(book: Portfolio) -> dg.AssetsDefinition:
    @book_asset(book, "registry_version", "training", "mlflow", deps=["trained_model", "model_evaluation"])
    def registry_version(
        context: dg.AssetExecutionContext, lake: LakeResource, reports: ReportsResource, mlflow: MlflowResource
    ) -> dg.MaterializeResult:
        """The evaluated model as a version in MLflow's registry, with the alias `staging`.

        A model whose bytes are those of an existing version is that version. The champion stays as it is.
        """
        models = lake.models(book)
        model = models.newest()
        _require_passed(book, reports, model)
        tracked, tags = models.load_run(model), {"dagster_run_id": context.run.run_id}
        version = mlflow.registry().register(book.name, tracked.model_uri, model.sha256, tracked.run_id, tags)
        context.log.info(f"version {version.version} is staging")
        return dg.MaterializeResult(metadata={"version": version.version, "sha256": version.sha256, "uri": version.uri})

    return registry_version


def _require_passed(book: Portfolio, reports: ReportsResource, model: StoredModel) -> None:
    """Apply the blocking rules again, for a run of this asset alone: the policy may be another one since."""
    found = reports.open().read(book.name, f"evaluation/{model.sha256}.json", Evaluation)
    present = ranking_rules(book.promotion, challenger_evidence(found, model))
    if reasons := found.refusals or tuple(rule.sentence for rule in present if not rule.passed):
        raise dg.Failure("not registered: " + "; ".join(reasons), allow_retries=False)
