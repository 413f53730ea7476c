"""The trained model on the test set: metrics with intervals, plots, gates, and the model card."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import dagster as dg

from loan_platform.adapters.tracking.runs import Tracking
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.mlflow_tracking import MlflowResource
from loan_platform.assets.resources.reports import ReportsResource
from loan_platform.assets.specs.book_assets import asset_key, book_asset
from loan_platform.assets.training.evaluate_model import evaluate_model
from loan_platform.assets.training.evaluation_plots import evaluation_plots
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.evaluation.evaluation_report import Evaluation
from loan_platform.core.evaluation.model_card import model_card

SHOWN = ("auc", "gini", "ks", "brier", "log_loss", "ece", "base_rate")


def evaluation_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`model_evaluation` and `model_card`."""
    return [_model_evaluation(book), _model_card(book)]


def _model_evaluation(book: Portfolio) -> dg.AssetsDefinition:
    specs = list(_check_specs(book))

    @book_asset(book, "model_evaluation", "training", "python", "mlflow", deps=["trained_model"], check_specs=specs)
    def model_evaluation(
        context: dg.AssetExecutionContext, lake: LakeResource, reports: ReportsResource, mlflow: MlflowResource
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        """The model's metrics on loans it has not seen, from later months where loans have dates.

        Each metric has a 95 % interval.
        """
        model = lake.models(book).newest()
        found = evaluate_model(book, model)
        plots = evaluation_plots(model, found)
        for name in (f"evaluation/{model.sha256}.json", "evaluation.json"):
            reports.open().write(book.name, name, found)
        _track(mlflow.tracking(), lake.models(book).load_run(model).run_id, found, plots)
        context.log.info(f"test set: AUC {found.test.auc:.4f}, ECE {found.test.ece:.4f}")
        yield dg.MaterializeResult(metadata=_metadata(found, plots))
        yield from _check_results(book, found)

    return model_evaluation


def _track(tracking: Tracking, run_id: str, found: Evaluation, plots: dict[str, bytes]) -> None:
    test = {f"test_{name}": value for name, value in asdict(found.test).items()}
    candidates = {f"test_auc_{c.family}": c.auc for c in found.candidates}
    files: dict[str, bytes | str] = {f"plots/{name}.png": png for name, png in plots.items()}
    files["evaluation.json"] = found.to_json()
    tracking.log(run_id, metrics=test | candidates, files=files)


def _metadata(found: Evaluation, plots: dict[str, bytes]) -> dict[str, Any]:
    from loan_platform.adapters.reports.canvas import markdown_image

    auc = found.intervals["auc"]
    return {
        "family": found.chosen,
        "dagster/row_count": found.test.rows,
        **{name: getattr(found.test, name) for name in SHOWN},
        "auc_interval": f"{auc.low:.4f} to {auc.high:.4f}",
        **{name: dg.MarkdownMetadataValue(markdown_image(png, name)) for name, png in plots.items()},
    }


def _check_specs(book: Portfolio) -> Iterator[dg.AssetCheckSpec]:
    policy, key = book.promotion, asset_key(book, "model_evaluation")
    leak = f"The test AUC is at most {policy.max_auc}, and that of each feature alone at most {policy.max_feature_auc}."
    floor = f"The test AUC is at least {policy.min_auc}."
    calibrated = f"The calibration error (ECE) is at most {policy.max_ece}."
    base_rate = "The Brier score is below that of a model that always predicts the default rate."
    yield dg.AssetCheckSpec("no_leak", asset=key, description=leak, blocking=True)
    yield dg.AssetCheckSpec("auc_above_floor", asset=key, description=floor, blocking=True)
    yield dg.AssetCheckSpec("calibrated", asset=key, description=calibrated)
    yield dg.AssetCheckSpec("beats_base_rate", asset=key, description=base_rate)


def _check_results(book: Portfolio, found: Evaluation) -> Iterator[dg.AssetCheckResult]:
    test, policy, warn = found.test, book.promotion, dg.AssetCheckSeverity.WARN
    leaks = "; ".join(found.leak_alarms) or "no alarm"
    yield dg.AssetCheckResult(check_name="no_leak", passed=not found.leak_alarms, description=leaks)
    yield dg.AssetCheckResult(
        check_name="auc_above_floor",
        passed=test.auc >= policy.min_auc,
        description=f"AUC {test.auc:.4f}, floor {policy.min_auc}",
    )
    yield dg.AssetCheckResult(
        check_name="calibrated",
        passed=test.ece <= policy.max_ece,
        severity=warn,
        description=f"ECE {test.ece:.4f}, at most {policy.max_ece}",
    )
    yield dg.AssetCheckResult(
        check_name="beats_base_rate",
        passed=test.brier < test.brier_base,
        severity=warn,
        description=f"Brier {test.brier:.4f}, base rate {test.brier_base:.4f}",
    )


def _model_card(book: Portfolio) -> dg.AssetsDefinition:
    @book_asset(book, "model_card", "training", "markdown", deps=["model_evaluation"])
    def model_card_page(lake: LakeResource, reports: ReportsResource) -> dg.MaterializeResult:
        """The model's page for risk and compliance: data, choice, metrics, inputs with their reasons, and limits."""
        bundle, files = lake.models(book).newest().bundle(), reports.open()
        found = files.read(book.name, f"evaluation/{bundle.sha256}.json", Evaluation)
        page = model_card(book, bundle.model, found)
        path = files.write(book.name, "model_card.md", page)
        return dg.MaterializeResult(
            metadata={"card": dg.MarkdownMetadataValue(page), "path": dg.PathMetadataValue(str(path))}
        )

    return model_card_page
