"""The trained model on the test set: metrics with intervals, plots, gates, and the model card."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import dagster as dg

from loan_platform.adapters.reports.card_plots import card_plots
from loan_platform.adapters.tracking.runs import Tracking
from loan_platform.assets.registry.ledger_mirror import card_name
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.mlflow_tracking import MlflowResource
from loan_platform.assets.resources.reports import ReportsResource
from loan_platform.assets.specs.book_assets import asset_key, book_asset
from loan_platform.assets.training.evaluate_model import evaluate_model
from loan_platform.assets.training.evaluation_plots import evaluation_plots
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.evaluation.evaluation_report import Evaluation
from loan_platform.core.evaluation.model_card import model_card

CALIBRATION_RULES = ("default_rate", "default_rate_shown", "calibration_slope", "ece_ceiling")
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
        yield from _check_results(found)

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
    leak = (
        f"The test AUC is not surely above {policy.auc_ceiling}, and that of no feature alone above "
        f"{policy.feature_auc_ceiling} (lower end of the 95 % interval). No feature knows the outcome by single "
        "values, by being filled, or by the order of the file."
    )
    floor = f"The test AUC is at least {policy.min_auc}, and the lower end of its 95 % interval is above 0.5."
    calibrated = "Mean, spread and distances of the probabilities are right, beyond what chance gives."
    base_rate = "The Brier score is below that of a model that always predicts the default rate."
    yield dg.AssetCheckSpec("no_leak", asset=key, description=leak, blocking=True)
    yield dg.AssetCheckSpec("auc_above_floor", asset=key, description=floor, blocking=True)
    yield dg.AssetCheckSpec("calibrated", asset=key, description=calibrated)
    yield dg.AssetCheckSpec("beats_base_rate", asset=key, description=base_rate, blocking=True)


def _check_results(found: Evaluation) -> Iterator[dg.AssetCheckResult]:
    """Calibration only warns: the promotion policy refuses it, with a record in the ledger."""
    leaks, warn = "; ".join(found.leak_alarms) or "no alarm", dg.AssetCheckSeverity.WARN
    yield dg.AssetCheckResult(check_name="no_leak", passed=not found.leak_alarms, description=leaks)
    yield _check(found, "auc_above_floor", ("auc_above_chance", "auc_floor"))
    yield _check(found, "calibrated", CALIBRATION_RULES, warn)
    yield _check(found, "beats_base_rate", ("beats_base_rate",))


def _check(
    found: Evaluation,
    name: str,
    rules: tuple[str, ...],
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
) -> dg.AssetCheckResult:
    """One check for some rules: the sentences of those that failed, or of all."""
    results = [rule for rule in found.rules if rule.rule in rules]
    failed = [rule for rule in results if not rule.passed]
    told = " ".join(rule.sentence for rule in failed or results)
    return dg.AssetCheckResult(check_name=name, passed=not failed, severity=severity, description=told)


def _model_card(book: Portfolio) -> dg.AssetsDefinition:
    @book_asset(book, "model_card", "training", "markdown", deps=["model_evaluation"])
    def model_card_page(lake: LakeResource, reports: ReportsResource) -> dg.MaterializeResult:
        """The newest model's page for risk and compliance: data, choice, metrics, inputs with reasons, and limits.

        Each version keeps its own page, and `champion_card.md` is that of the champion.
        """
        bundle, files = lake.models(book).newest().bundle(), reports.open()
        found = files.read(book.name, f"evaluation/{bundle.sha256}.json", Evaluation)
        page = model_card(book, bundle.model, found, card_plots(found))
        files.write(book.name, card_name(bundle.sha256), page)
        path = files.write(book.name, "model_card.md", page)
        return dg.MaterializeResult(
            metadata={"card": dg.MarkdownMetadataValue(page), "path": dg.PathMetadataValue(str(path))}
        )

    return model_card_page
