"""The trained model on out-of-time loans: metrics with intervals, plots, gates, and the page about it."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import dagster as dg
import polars as pl

from loan_platform.adapters.storage.model_store import StoredModel
from loan_platform.assets.resources.platform import Platform
from loan_platform.assets.specs.graph import asset_of, key
from loan_platform.core.book.constants import TARGET
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.evaluation.bootstrap import intervals
from loan_platform.core.evaluation.leaks import leak_alarms, single_feature_auc
from loan_platform.core.evaluation.metrics import by_vintage, evaluate, lift_by_decile
from loan_platform.core.evaluation.model_card import model_card
from loan_platform.core.scoring.decisions import ProfitCurve, decision_table


def evaluation_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`model_evaluation` and `model_card`."""
    return [_model_evaluation(book), _model_card(book)]


def _model_evaluation(book: Portfolio) -> dg.AssetsDefinition:
    policy = book.promotion

    @asset_of(
        book,
        "model_evaluation",
        "python",
        "mlflow",
        deps=["trained_model"],
        check_specs=[
            _spec(
                book,
                "no_leak",
                f"No AUC is too good to be true: {policy.max_auc}, one feature {policy.max_feature_auc}.",
            ),
            _spec(book, "auc_above_floor", f"The out-of-time AUC is at least {policy.min_auc}."),
            _spec(book, "calibrated", f"The calibration error (ECE) is at most {policy.max_ece}.", blocking=False),
            _spec(book, "beats_base_rate", "The Brier score is below that of the base rate.", blocking=False),
        ],
    )
    def model_evaluation(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        """How the model does on loans of later months than it has ever seen, with 95 % bootstrap intervals."""
        models = platform.models(book)
        model = models.newest()
        found = _evaluate(book, model)
        plots = _plots(model, found)
        content = json.dumps(found, indent=1) + "\n"
        for name in (f"evaluation/{model.sha256}.json", "evaluation.json"):
            platform.write_report(book, name, content)
        _track(platform, models.load_run(model).run_id, found, plots)
        context.log.info(f"out of time: AUC {found['test']['auc']:.4f}, ECE {found['test']['ece']:.4f}")
        yield dg.MaterializeResult(metadata=_metadata(found, plots))
        yield from _results(book, found)

    return model_evaluation


def _evaluate(book: Portfolio, model: StoredModel) -> dict[str, Any]:
    training, predictions = model.training(), model.frame("test_predictions")
    target, probability = predictions[TARGET].to_numpy(), predictions[training["chosen"]].to_numpy()
    scoring = model.bundle().model
    features = scoring.features(model.frame("test_rows")).select(scoring.design.features)
    alone = single_feature_auc(features, target)
    strongest = max(alone, key=lambda name: alone[name])
    test = evaluate(target, probability)
    alarms = leak_alarms(test.auc, alone, book.promotion.max_auc, book.promotion.max_feature_auc)
    date = book.contract.event_date
    vintages = by_vintage(predictions[date], target, probability) if date else pl.DataFrame()
    return {
        "sha256": model.sha256,
        "chosen": training["chosen"],
        "choice": training["reason"],
        "split": training["split"],
        "test": asdict(test),
        "intervals": {name: asdict(i) for name, i in intervals(target, probability, book.training.seed).items()},
        "candidates": [_candidate(book, predictions, candidate) for candidate in training["candidates"]],
        "not_trained": training.get("not_trained", {}),
        "strongest_feature": strongest,
        "strongest_feature_auc": alone[strongest],
        "leak_alarms": [str(alarm) for alarm in alarms],
        "decisions": decision_table(scoring.policy.decision, target, probability),
        "lift": lift_by_decile(target, probability).to_dicts(),
        "vintages": vintages.with_columns(pl.col(pl.Date).dt.to_string("%Y-%m")).to_dicts(),
    }


def _candidate(book: Portfolio, predictions: pl.DataFrame, candidate: dict[str, Any]) -> dict[str, Any]:
    target, probability = predictions[TARGET].to_numpy(), predictions[candidate["family"]].to_numpy()
    test, area = evaluate(target, probability), intervals(target, probability, book.training.seed)["auc"]
    return {
        "family": candidate["family"],
        "fold_auc": candidate["mean_auc"],
        "gain": candidate["gain"],
        "auc": test.auc,
        "auc_low": area.low,
        "auc_high": area.high,
        "ks": test.ks,
        "ece": test.ece,
        "brier": test.brier,
    }


def _plots(model: StoredModel, found: dict[str, Any]) -> dict[str, bytes]:
    from loan_platform.adapters.reports import plots

    predictions = model.frame("test_predictions")
    target, probability = predictions[TARGET].to_numpy(), predictions[found["chosen"]].to_numpy()
    scoring = model.bundle().model
    drawn = {
        "roc": plots.roc_plot(target, probability),
        "precision_recall": plots.pr_plot(target, probability),
        "calibration": plots.calibration_plot(target, probability),
        "score_distribution": plots.score_plot(target, probability),
        "importance": plots.importance_plot(scoring.importance),
        "profit": plots.profit_plot(ProfitCurve.model_validate(model.training()["profit"]), scoring.policy.decision),
        "candidates": plots.candidates_plot(
            [(c["family"], c["auc"], c["auc_low"], c["auc_high"]) for c in found["candidates"]], found["chosen"]
        ),
    }
    if found["vintages"]:
        months = pl.DataFrame(found["vintages"]).with_columns(pl.col("vintage").str.to_date("%Y-%m"))
        drawn["auc_by_vintage"] = plots.vintage_plot(months)
    return drawn


def _track(platform: Platform, run_id: str, found: dict[str, Any], plots: dict[str, bytes]) -> None:
    test = {f"test_{name}": value for name, value in found["test"].items()}
    candidates = {f"test_auc_{c['family']}": c["auc"] for c in found["candidates"]}
    files: dict[str, bytes | str] = {f"plots/{name}.png": png for name, png in plots.items()}
    files["evaluation.json"] = json.dumps(found, indent=1)
    platform.tracking.log(run_id, metrics=test | candidates, files=files)


def _metadata(found: dict[str, Any], plots: dict[str, bytes]) -> dict[str, Any]:
    from loan_platform.adapters.reports.canvas import markdown_image

    test, auc = found["test"], found["intervals"]["auc"]
    shown = {name: test[name] for name in ("auc", "gini", "ks", "brier", "log_loss", "ece", "base_rate")}
    images = {name: dg.MarkdownMetadataValue(markdown_image(png, name)) for name, png in plots.items()}
    return {
        "family": found["chosen"],
        "dagster/row_count": test["rows"],
        **shown,
        "auc_interval": f"{auc['low']:.4f} to {auc['high']:.4f}",
        **images,
    }


def _spec(book: Portfolio, name: str, description: str, blocking: bool = True) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name, asset=key(book, "model_evaluation"), description=description, blocking=blocking)


def _results(book: Portfolio, found: dict[str, Any]) -> Iterator[dg.AssetCheckResult]:
    test, policy, warn = found["test"], book.promotion, dg.AssetCheckSeverity.WARN
    alarms = found["leak_alarms"]
    yield dg.AssetCheckResult(check_name="no_leak", passed=not alarms, description="; ".join(alarms) or "no alarm")
    yield dg.AssetCheckResult(
        check_name="auc_above_floor",
        passed=test["auc"] >= policy.min_auc,
        description=f"AUC {test['auc']:.4f}, floor {policy.min_auc}",
    )
    yield dg.AssetCheckResult(
        check_name="calibrated",
        passed=test["ece"] <= policy.max_ece,
        severity=warn,
        description=f"ECE {test['ece']:.4f}, at most {policy.max_ece}",
    )
    yield dg.AssetCheckResult(
        check_name="beats_base_rate",
        passed=test["brier"] < test["brier_base"],
        severity=warn,
        description=f"Brier {test['brier']:.4f}, base rate {test['brier_base']:.4f}",
    )


def _model_card(book: Portfolio) -> dg.AssetsDefinition:
    @asset_of(book, "model_card", "markdown", deps=["model_evaluation"])
    def model_card_page(platform: Platform) -> dg.MaterializeResult:
        """The page for risk and compliance: data, choice, metrics, inputs with their reasons, limits."""
        bundle = platform.models(book).newest().bundle()
        found = platform.read_report(book, f"evaluation/{bundle.sha256}.json")
        page = model_card(book, bundle.model, found)
        path = platform.write_report(book, "model_card.md", page)
        return dg.MaterializeResult(
            metadata={"card": dg.MarkdownMetadataValue(page), "path": dg.PathMetadataValue(str(path))}
        )

    return model_card_page
