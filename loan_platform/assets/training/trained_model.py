"""Features become the trained, calibrated model."""

from typing import Any

import dagster as dg

from loan_platform.adapters.platform.code_version import code_version
from loan_platform.adapters.storage.model_store import StoredModel, TrainingRun
from loan_platform.adapters.tracking.model_logging import log_bundle
from loan_platform.adapters.tracking.runs import Dataset, Tracking
from loan_platform.adapters.tracking.tracked_run import tracked_run
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.mlflow_tracking import MlflowResource
from loan_platform.assets.specs.book_assets import asset_key, book_asset
from loan_platform.assets.training.stored_model import contract_sha256, store_model
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.plain_text import markdown_text
from loan_platform.core.training.splits import LoanSplit
from loan_platform.core.training.train import OPEN_LOANS_ADVICE, Candidate, TrainingResult, train

EXAMPLE_ROWS = 5
KNOWN = "outcomes_are_known"


def training_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`trained_model`."""
    return [_trained_model(book)]


def _trained_model(book: Portfolio) -> dg.AssetsDefinition:
    upstream = ["loan_features", "validated_loans"]
    known = dg.AssetCheckSpec(KNOWN, asset=asset_key(book, "trained_model"), description=_known_description(book))

    @book_asset(
        book, "trained_model", "training", "xgboost", "scikitlearn", "mlflow", deps=upstream, check_specs=[known]
    )
    def trained_model(
        context: dg.AssetExecutionContext, lake: LakeResource, mlflow: MlflowResource
    ) -> dg.MaterializeResult:
        """The best of the competing model families, tuned, fitted and calibrated.

        Families compete on earlier loans. A more complex one must beat the scorecard by the policy's margin.
        The test set has no part in the choice.
        """
        features, tracking = lake.open().read(book.name, "loan_features"), mlflow.tracking()
        with tracked_run(context, tracking, book.name) as run_id:
            result = train(book, features, context.log.info)
            model = store_model(lake, book, features, result)
            tracked = _track(lake, tracking, book, result, model, run_id)
        lake.models(book).save_run(tracked)
        checks = [_outcomes_are_known(book, result.split)]
        return dg.MaterializeResult(metadata=_metadata(result, model, tracked), check_results=checks)

    return trained_model


def _known_description(book: Portfolio) -> str:
    return (
        f"At least {book.split.min_resolved:.0%} of the outcomes are known where the split does not go by months, and "
        "open loans are like the known ones of the same months."
    )


def _outcomes_are_known(book: Portfolio, split: LoanSplit) -> dg.AssetCheckResult:
    """A warning where open loans were left out one by one, or are not like the known ones of their months.

    Loans that resolve early are mostly defaults.
    """
    share = 1 - split.unknown_outcome / split.rows
    told = f"{share:.1%} of the {split.rows:,} outcomes are known."
    by_months = book.split.kind == "out_of_time"
    passed = by_months or share >= book.split.min_resolved
    if by_months:
        told += " Months with many open loans are in no part of the split."
    elif not passed:
        told += (
            " The model was trained on resolved loans alone. Those that resolve early are mostly defaults, so its "
            "probabilities can be far too high. Give the contract an event_date, or loans old enough to be resolved."
        )
    unlike = split.report().unlike
    told += "".join(f" {sentence}." for sentence in unlike) + (
        f" {OPEN_LOANS_ADVICE[book.split.kind]}." if unlike else ""
    )
    return dg.AssetCheckResult(
        check_name=KNOWN,
        passed=passed and not unlike,
        severity=dg.AssetCheckSeverity.WARN,
        description=told,
        metadata={"known": share},
    )


def _track(
    lake: LakeResource, tracking: Tracking, book: Portfolio, result: TrainingResult, model: StoredModel, run_id: str
) -> TrainingRun:
    """Log parameters, metrics, data and the model itself to the MLflow run."""
    chosen = _chosen(result)
    tracking.log(
        run_id,
        params={"family": chosen.family, "portfolio": book.name, **chosen.params, **book.training.model_dump()},
        metrics=_metrics(result),
        tags={"bundle_sha256": model.sha256, "contract_sha256": contract_sha256(book.contract), **code_version()},
        datasets=_datasets(lake, book, result),
        files={"training.json": (model.path / "training.json").read_bytes()},
    )
    bundle = model.bundle()
    example = bundle.golden.frame(bundle.model).head(EXAMPLE_ROWS)
    uri = log_bundle(run_id, model.path / "bundle", model.sha256, bundle.model.inputs, example)
    return TrainingRun(model.sha256, run_id, uri)


def _chosen(result: TrainingResult) -> Candidate:
    return next(c for c in result.candidates if c.family == result.choice.family)


def _metrics(result: TrainingResult) -> dict[str, float]:
    """AUC on the folds and training time of each family."""
    aucs = {f"fold_auc_{c.family}": c.mean_auc for c in result.candidates}
    return aucs | {f"seconds_{c.family}": c.seconds for c in result.candidates}


def _datasets(lake: LakeResource, book: Portfolio, result: TrainingResult) -> list[Dataset]:
    used = lake.open().published(book.name, "loan_features")
    return [
        Dataset("loan_features", used.sha256, str(used.path), part.rows, context=name)
        for name, part in result.split.parts.items()
    ]


def _metadata(result: TrainingResult, model: StoredModel, tracked: TrainingRun) -> dict[str, Any]:
    rows = [
        f"| {'**' + c.family + '**' if c.family == result.choice.family else c.family} | {c.mean_auc:.4f} | "
        f"{c.trials} | {c.pruned} | {c.seconds:.1f} |"
        for c in result.candidates
    ]
    rows += [f"| {name} | not trained: {markdown_text(why)} | | | |" for name, why in result.not_trained.items()]
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
