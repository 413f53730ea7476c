"""The trained model becomes a registry version, and by policy the champion."""

import json
from typing import TYPE_CHECKING, Any

import dagster as dg

from loan_platform.adapters.storage.model_store import StoredModel
from loan_platform.assets.resources.platform import Platform
from loan_platform.assets.specs.graph import asset_of
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.errors import NotMaterializedError
from loan_platform.core.evaluation.bootstrap import auc_difference
from loan_platform.core.evaluation.metrics import auc, ece
from loan_platform.core.evaluation.promotion import Challenger, ChampionComparison, Verdict, decide

if TYPE_CHECKING:
    from loan_platform.adapters.ledger.ledger import Champion


def registry_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`registry_version` and `promoted_model`."""
    return [_registry_version(book), _promoted_model(book)]


def _registry_version(book: Portfolio) -> dg.AssetsDefinition:
    @asset_of(book, "registry_version", "mlflow", deps=["trained_model", "model_evaluation"])
    def registry_version(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
        """The evaluated model as a version in MLflow's registry, behind alias `staging`.

        A model with the bytes of an existing version is that version. The champion does not change here.
        """
        models = platform.models(book)
        model = models.newest()
        _require_evaluated(platform, book, model)
        tracked = models.load_run(model)
        version = platform.registry.register(
            book.name, tracked.model_uri, model.sha256, tracked.run_id, {"dagster_run_id": context.run.run_id}
        )
        context.log.info(f"version {version.version} is staging")
        return dg.MaterializeResult(metadata={"version": version.version, "sha256": version.sha256, "uri": version.uri})

    return registry_version


def _require_evaluated(platform: Platform, book: Portfolio, model: StoredModel) -> None:
    """The blocking checks again, for a run of this asset alone."""
    found = platform.read_report(book, f"evaluation/{model.sha256}.json")
    if found["leak_alarms"]:
        raise dg.Failure("not registered: " + "; ".join(found["leak_alarms"]), allow_retries=False)
    if found["test"]["auc"] < book.promotion.min_auc:
        why = f"not registered: AUC {found['test']['auc']:.4f} is below the floor {book.promotion.min_auc}"
        raise dg.Failure(why, allow_retries=False)


def _promoted_model(book: Portfolio) -> dg.AssetsDefinition:
    @asset_of(
        book,
        "promoted_model",
        "mlflow",
        deps=["registry_version"],
        automation_condition=dg.AutomationCondition.eager() & dg.AutomationCondition.all_deps_blocking_checks_passed(),
    )
    def promoted_model(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
        """The champion: the version that policy lets answer. Only this asset moves the alias `production`.

        The newest version is compared with the champion on the same out-of-time loans. A version that is
        refused changes nothing; the verdict with every reason goes to the ledger either way.
        """
        model, before = platform.models(book).newest(), platform.ledger.champion(book.name)
        challenger = _challenger(platform.read_report(book, "evaluation.json"), model)
        verdict = decide(book.promotion, challenger, _comparison(platform, book, model, before))
        context.log.info(verdict.summary)
        _record(context, platform, book, model, before, verdict)
        champion = platform.registry.reconcile(platform.ledger, book.name)
        platform.write_report(book, "promotion.json", json.dumps(verdict.as_dict(), indent=1) + "\n")
        return dg.MaterializeResult(metadata=_metadata(champion, verdict))

    return promoted_model


def _challenger(evaluation: dict[str, Any], model: StoredModel) -> Challenger:
    if evaluation["sha256"] != model.sha256:
        raise dg.Failure("the newest model was not evaluated: materialize model_evaluation first")
    return Challenger(
        sha256=model.sha256,
        auc=evaluation["test"]["auc"],
        ece=evaluation["test"]["ece"],
        max_feature=evaluation["strongest_feature"],
        max_feature_auc=evaluation["strongest_feature_auc"],
    )


def _comparison(
    platform: Platform, book: Portfolio, model: StoredModel, champion: "Champion | None"
) -> ChampionComparison | None:
    if champion is None:
        return None
    rows = model.frame("test_rows")
    target = rows["target"].to_numpy()
    current = platform.models(book).get(champion.model_sha256).bundle().model
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
    context: dg.AssetExecutionContext,
    platform: Platform,
    book: Portfolio,
    model: StoredModel,
    before: "Champion | None",
    verdict: Verdict,
) -> None:
    """Write the decision to the ledger; it holds only if the champion is still the one that was compared."""
    if verdict.unchanged:
        return
    version = platform.registry.find(book.name, model.sha256)
    if version is None:
        raise dg.Failure("the newest model is not registered: materialize registry_version first")
    who = {"actor": "policy", "run_id": context.run.run_id, "verdict": verdict.as_dict()}
    if verdict.promote:
        epoch = before.epoch if before else 0
        platform.ledger.promote(book.name, version.version, model.sha256, expected_epoch=epoch, **who)
    else:
        platform.ledger.reject(book.name, version.version, model.sha256, **who)
    platform.registry.tag(book.name, version.version, {"verdict": verdict.summary[:4000]})


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
