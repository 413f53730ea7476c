"""What is stored of a training: the bundle, and the files that evaluation, promotion and monitoring read."""

import hashlib
from pathlib import Path
from typing import Any

import polars as pl

from loan_platform.adapters.storage.lake import Lake
from loan_platform.adapters.storage.model_store import StoredModel
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.core.book.constants import SOURCE_LOCATION, TARGET
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.errors import NotMaterializedError
from loan_platform.core.evaluation.gates.contract_changes import CONTRACT_MEANING, meaning_sha256
from loan_platform.core.evaluation.row_sample import sampled_rows
from loan_platform.core.monitoring.reference import Reference
from loan_platform.core.scoring.bundle import write_bundle
from loan_platform.core.scoring.golden_choice import covering_rows
from loan_platform.core.scoring.scoring_model import ScoringModel
from loan_platform.core.training.train import TrainingResult

GOLDEN_ROWS = 64  # spread over the loans
COVERING_ROWS = 900  # beside them, so that leaves, pieces, levels and decisions have a loan; a request takes 1,000
COVERED_LOANS = 100_000
DEVELOPMENT_SAMPLE = 20_000


def store_model(lake: LakeResource, book: Portfolio, features: pl.DataFrame, result: TrainingResult) -> StoredModel:
    """Publish a trained model.

    Args:
        lake: where the model goes, with the validated loans.
        book: contract and policies.
        features: the frame that the model was trained on.
        result: what training made of it.

    Raises:
        NotMaterializedError: `features` has loans that are not in `validated_loans`.
    """
    models, files, entity = lake.models(book), lake.open(), book.contract.entity_key
    development = features[result.split.training]
    scored = result.model.score_features(development)
    used = development.select(result.model.design.features)
    test_rows = _typed_rows(files, book, result.test_predictions[entity], SOURCE_LOCATION)
    golden = _typed_rows(files, book, _golden_keys(development, result.model, entity))
    sample = pl.concat([used, scored.select("probability")], how="horizontal")
    with models.draft() as draft:
        reference = Reference.build(used, scored["probability"].to_numpy()).to_json()
        sha256 = write_bundle(draft / "bundle", result.model, reference, golden, _meta(book, result))
        _write(draft, "test_rows", test_rows)
        _write(draft, "test_predictions", result.test_predictions)
        _write(draft, "development", sample.gather_every(-(-sample.height // DEVELOPMENT_SAMPLE)))
        _write(draft, "development_keys", development.select(entity))
        _write(draft, "calibration_loans", result.calibration_loans)
        (draft / "training.json").write_text(result.report().to_json())
        return models.publish(draft, sha256)


def contract_sha256(contract: Contract) -> str:
    """SHA-256 of the contract that a model was trained by."""
    return hashlib.sha256(contract.model_dump_json().encode()).hexdigest()


def _typed_rows(lake: Lake, book: Portfolio, keys: pl.Series, more: tuple[str, ...] = ()) -> pl.DataFrame:
    """The loans' columns as the model takes them, with key, event date, target and `more`, in the order of `keys`."""
    contract = book.contract
    # Every column known at the decision: the champion of a later comparison may read others than this model.
    names = [c.name for c in contract.columns if c.available_at != "after_origination"]
    about = [name for name in (contract.entity_key, contract.event_date, TARGET) if name]
    loans = lake.scan(book.name, "validated_loans").select(list(dict.fromkeys([*about, *names, *more])))
    chosen = loans.filter(pl.col(contract.entity_key).is_in(keys.implode())).collect(engine="streaming")
    if chosen.height != len(keys):
        raise NotMaterializedError(
            f"{len(keys) - chosen.height:,} loans of loan_features are not in validated_loans: "
            "materialize loan_features again"
        )
    return keys.to_frame().join(chosen, on=contract.entity_key, how="left", maintain_order="left")


def _golden_keys(development: pl.DataFrame, model: ScoringModel, entity: str) -> pl.Series:
    """Keys of loans that are spread over all, then of those that reach what these do not."""
    pool = development[sampled_rows(development.height, COVERED_LOANS)]
    covering = pool[covering_rows(model, pool, COVERING_ROWS)][entity]
    return pl.concat([_spread(development[entity], GOLDEN_ROWS), covering]).unique(maintain_order=True)


def _spread(keys: pl.Series, count: int) -> pl.Series:
    return keys.gather_every(max(len(keys) // count, 1)).head(count)


def _write(folder: Path, name: str, frame: pl.DataFrame) -> None:
    frame.write_parquet(folder / f"{name}.parquet")


def _meta(book: Portfolio, result: TrainingResult) -> dict[str, Any]:
    """What the bundle's manifest says of the training."""
    chosen = next(c for c in result.candidates if c.family == result.choice.family)
    return {
        "contract_sha256": contract_sha256(book.contract),
        CONTRACT_MEANING: meaning_sha256(book.contract, book.training.use_pricing),
        "metrics": {"fold_auc": round(chosen.mean_auc, 6)},
        "portfolio": book.name,
        "family": result.model.family,
        "choice": result.choice.reason,
        "split": result.split.report().model_dump(mode="json"),
        "use_pricing": book.training.use_pricing,
        "drift": book.drift.model_dump(
            mode="json", include={"warning", "critical", "null_quantile", "min_rows", "min_feature_share"}
        ),
    }
