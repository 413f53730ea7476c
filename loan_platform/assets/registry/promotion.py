"""A version becomes the champion if the promotion policy allows it."""

from typing import TYPE_CHECKING, Any

import dagster as dg

from loan_platform.adapters.storage.model_store import ModelStore, StoredModel
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.mlflow_tracking import MlflowResource
from loan_platform.assets.resources.promotion_ledger import LedgerResource
from loan_platform.assets.resources.reports import ReportsResource
from loan_platform.assets.specs.book_assets import book_asset
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.errors import NotMaterializedError
from loan_platform.core.evaluation.bootstrap import auc_difference
from loan_platform.core.evaluation.evaluation_report import Evaluation
from loan_platform.core.evaluation.metrics import auc, ece
from loan_platform.core.evaluation.promotion import Challenger, ChampionComparison, Verdict, decide
from loan_platform.core.evaluation.promotion_report import PromotionReport

if TYPE_CHECKING:  # import SQLAlchemy
    from loan_platform.adapters.ledger.ledger import Champion, Ledger
    from loan_platform.adapters.tracking.registry import Registry

MAX_TAG_LENGTH = 4_000


def promotion_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`promoted_model`."""
    return [_promoted_model(book)]


def _promoted_model(book: Portfolio) -> dg.AssetsDefinition:
    @book_asset(book, "promoted_model", "promotion", "mlflow", deps=["registry_version"])
    def promoted_model(
        context: dg.AssetExecutionContext,
        lake: LakeResource,
        reports: ReportsResource,
        mlflow: MlflowResource,
        ledger: LedgerResource,
    ) -> dg.MaterializeResult:
        """The champion: the version that scores applications. No other asset moves the alias `production`.

        The newest version is compared with the champion on the same test loans. A rejected version changes nothing.
        The ledger keeps every verdict with its reasons.
        """
        models, book_ledger, registry = lake.models(book), ledger.open(), mlflow.registry()
        model, champion = models.newest(), book_ledger.champion(book.name)
        evaluation = reports.open().read(book.name, "evaluation.json", Evaluation)
        comparison = _comparison(book, models, model, champion)
        verdict = decide(book.promotion, _challenger(evaluation, model), comparison)
        context.log.info(verdict.summary)
        _record(book, book_ledger, registry, model, champion, verdict, context.run.run_id)
        present = registry.reconcile(book_ledger, book.name)
        reports.open().write(book.name, "promotion.json", PromotionReport.from_verdict(verdict))
        return dg.MaterializeResult(metadata=_metadata(present, verdict))

    return promoted_model


def _challenger(evaluation: Evaluation, model: StoredModel) -> Challenger:
    if evaluation.sha256 != model.sha256:
        raise dg.Failure("the newest model was not evaluated: materialize model_evaluation first")
    return Challenger(
        sha256=model.sha256,
        auc=evaluation.test.auc,
        ece=evaluation.test.ece,
        max_feature=evaluation.strongest_feature,
        max_feature_auc=evaluation.strongest_feature_auc,
    )


def _comparison(
    book: Portfolio, models: ModelStore, model: StoredModel, champion: "Champion | None"
) -> ChampionComparison | None:
    """The champion on the test loans of the newest model; None without a champion."""
    if champion is None:
        return None
    rows = model.frame("test_rows")
    target = rows["target"].to_numpy()
    current = models.get(champion.model_sha256).bundle().model
    if absent := sorted({column.name for column in current.inputs}.difference(rows.columns)):
        raise NotMaterializedError(f"the champion reads {', '.join(absent)}, which the contract no longer has")
    old = current.score(rows)["probability"].to_numpy()
    new = model.bundle().model.score(rows)["probability"].to_numpy()
    gain = auc_difference(target, new, old, book.training.seed)
    return ChampionComparison(
        sha256=champion.model_sha256,
        auc=auc(target, old),
        ece=ece(target, old),
        auc_gain_low=gain.low,
        auc_gain_high=gain.high,
    )


def _record(
    book: Portfolio,
    ledger: "Ledger",
    registry: "Registry",
    model: StoredModel,
    champion: "Champion | None",
    verdict: Verdict,
    run_id: str,
) -> None:
    """Write the decision to the ledger; it holds only if the champion is still the one that was compared."""
    if verdict.unchanged:
        return
    version = registry.find(book.name, model.sha256)
    if version is None:
        raise dg.Failure("the newest model is not registered: materialize registry_version first")
    who = {"actor": "policy", "run_id": run_id, "verdict": verdict.as_dict()}
    if verdict.promote:
        epoch = champion.epoch if champion else 0
        ledger.promote(book.name, version.version, model.sha256, expected_epoch=epoch, **who)
    else:
        ledger.reject(book.name, version.version, model.sha256, **who)
    registry.tag(book.name, version.version, {"verdict": verdict.summary[:MAX_TAG_LENGTH]})


def _metadata(champion: "Champion | None", verdict: Verdict) -> dict[str, Any]:
    rows = [f"| {'✓' if r.passed else '✗'} | {r.rule} | {r.sentence} |" for r in verdict.reasons]
    table = ["", "| | rule | finding |", "| --- | --- | --- |", *rows] if rows else []
    return {
        "champion_version": champion.version if champion else 0,
        "champion_sha256": champion.model_sha256 if champion else "none",
        "epoch": champion.epoch if champion else 0,
        "promoted": verdict.promote,
        "summary": verdict.summary,
        "verdict": dg.MarkdownMetadataValue("\n".join([f"**{verdict.summary}**", *table])),
    }
