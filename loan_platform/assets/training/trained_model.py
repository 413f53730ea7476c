"""Features become the trained, calibrated model."""

import hashlib
import json
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from loan_platform.adapters.platform.code_version import code_version
from loan_platform.adapters.storage.model_store import StoredModel, TrainingRun
from loan_platform.adapters.tracking.model_logging import log_bundle
from loan_platform.adapters.tracking.runs import Dataset
from loan_platform.adapters.tracking.tracked_run import tracked_run
from loan_platform.assets.resources.platform import Platform
from loan_platform.assets.specs.graph import asset_of
from loan_platform.core.book.constants import TARGET
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.errors import NotMaterializedError
from loan_platform.core.monitoring.reference import Reference
from loan_platform.core.scoring.bundle import write_bundle
from loan_platform.core.training.train import TrainingResult, train

GOLDEN_ROWS = 64
DEVELOPMENT_SAMPLE = 20_000


def training_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`trained_model`."""
    return [_trained_model(book)]


def _trained_model(book: Portfolio) -> dg.AssetsDefinition:
    @asset_of(book, "trained_model", "xgboost", "scikitlearn", "mlflow", deps=["loan_features", "validated_loans"])
    def trained_model(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
        """The winner of the candidate families, tuned, fitted and calibrated, as a verified bundle of JSON.

        Families compete on time-ordered folds of the training window; a more complex one must beat the
        scorecard by the policy's margin. The out-of-time loans decide nothing here.
        """
        features = platform.lake.read(book.name, "loan_features")
        with tracked_run(context, platform.tracking, book.name) as run_id:
            result = train(book, features, context.log.info)
            model = _store(platform, book, features, result)
            tracked = _track(platform, book, result, model, run_id)
        platform.models(book).save_run(tracked)
        return dg.MaterializeResult(metadata=_metadata(result, model, tracked))

    return trained_model


def _store(platform: Platform, book: Portfolio, features: pl.DataFrame, result: TrainingResult) -> StoredModel:
    """Publish the bundle with what evaluation, promotion and monitoring need of this training."""
    models, entity = platform.models(book), book.contract.entity_key
    development = features[result.split.training]
    scored = result.model.score_features(development)
    used = development.select(result.model.design.features)
    test_rows = _typed_rows(platform, book, result.test_predictions[entity])
    golden = _typed_rows(platform, book, _spread(development[entity], GOLDEN_ROWS))
    sample = pl.concat([used, scored.select("probability")], how="horizontal")
    with models.draft() as draft:
        reference = Reference.build(used, scored["probability"].to_numpy()).to_json()
        sha256 = write_bundle(draft / "bundle", result.model, reference, golden, _meta(book, result))
        _write(draft, "test_rows", test_rows)
        _write(draft, "test_predictions", result.test_predictions)
        _write(draft, "development", sample.gather_every(-(-sample.height // DEVELOPMENT_SAMPLE)))
        _write(draft, "development_keys", development.select(entity))
        (draft / "training.json").write_text(json.dumps(result.summary(), indent=1) + "\n")
        return models.publish(draft, sha256)


def _typed_rows(platform: Platform, book: Portfolio, keys: pl.Series) -> pl.DataFrame:
    """The loans' columns as the model takes them, with key, event date and target, in the order of `keys`."""
    contract = book.contract
    # Every column known by then: the champion that this model is compared with may read others than this one.
    names = [c.name for c in contract.columns if c.available_at != "after_origination"]
    about = [name for name in (contract.entity_key, contract.event_date, TARGET) if name]
    loans = platform.lake.scan(book.name, "validated_loans").select(list(dict.fromkeys([*about, *names])))
    chosen = loans.filter(pl.col(contract.entity_key).is_in(keys.implode())).collect(engine="streaming")
    if chosen.height != len(keys):
        raise NotMaterializedError(
            f"{len(keys) - chosen.height:,} loans of loan_features are not in validated_loans: "
            "materialize loan_features again"
        )
    return keys.to_frame().join(chosen, on=contract.entity_key, how="left", maintain_order="left")


def _spread(keys: pl.Series, count: int) -> pl.Series:
    return keys.gather_every(max(len(keys) // count, 1)).head(count)


def _write(folder: Path, name: str, frame: pl.DataFrame) -> None:
    frame.write_parquet(folder / f"{name}.parquet")


def _meta(book: Portfolio, result: TrainingResult) -> dict[str, Any]:
    chosen = next(c for c in result.candidates if c.family == result.choice.family)
    return {
        "contract_sha256": _hash_of(book.contract),
        "metrics": {"fold_auc": round(chosen.mean_auc, 6)},
        "portfolio": book.name,
        "family": result.model.family,
        "choice": result.choice.reason,
        "split": result.split.report(),
        "use_pricing": book.training.use_pricing,
        "drift": book.drift.model_dump(mode="json", include={"warning", "critical", "null_quantile", "min_rows"}),
    }


def _track(platform: Platform, book: Portfolio, result: TrainingResult, model: StoredModel, run_id: str) -> TrainingRun:
    """Parameters, fold metrics, data and the model itself into the MLflow run."""
    tracking, lake = platform.tracking, platform.lake
    used = lake.published(book.name, "loan_features")
    chosen = next(c for c in result.candidates if c.family == result.choice.family)
    parts = result.split.parts
    tracking.log(
        run_id,
        params={"family": chosen.family, "portfolio": book.name, **chosen.params, **book.training.model_dump()},
        metrics={f"fold_auc_{c.family}": c.mean_auc for c in result.candidates}
        | {f"seconds_{c.family}": c.seconds for c in result.candidates},
        tags={"bundle_sha256": model.sha256, "contract_sha256": _hash_of(book.contract), **code_version()},
        datasets=[
            Dataset("loan_features", used.sha256, str(used.path), part.rows, context=name)
            for name, part in parts.items()
        ],
        files={"training.json": (model.path / "training.json").read_bytes()},
    )
    bundle = model.bundle()
    uri = log_bundle(
        run_id, model.path / "bundle", model.sha256, bundle.model.inputs, bundle.golden.frame(bundle.model).head(5)
    )
    return TrainingRun(model.sha256, run_id, uri)


def _hash_of(contract: Contract) -> str:
    return hashlib.sha256(contract.model_dump_json().encode()).hexdigest()


def _metadata(result: TrainingResult, model: StoredModel, tracked: TrainingRun) -> dict[str, Any]:
    rows = [
        f"| {'**' + c.family + '**' if c.family == result.choice.family else c.family} | {c.mean_auc:.4f} | "
        f"{c.trials} | {c.pruned} | {c.seconds:.1f} |"
        for c in result.candidates
    ]
    rows += [f"| {name} | not trained: {why} | | | |" for name, why in result.not_trained.items()]
    table = ["| family | AUC on the folds | trials | pruned | seconds |", "| --- | --- | --- | --- | --- |", *rows]
    return {
        "family": result.choice.family,
        "choice": result.choice.reason,
        "candidates": dg.MarkdownMetadataValue("\n".join(table)),
        "sha256": model.sha256,
        "mlflow_run_id": tracked.run_id,
        "features": len(result.model.design.features),
        "training_rows": len(result.split.training),
        "bundle": dg.PathMetadataValue(str(model.path / "bundle")),
    }
