"""A version becomes the champion if the promotion policy allows it."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dagster as dg

from loan_platform.adapters.storage.model_store import ModelStore, StoredModel
from loan_platform.assets.registry.champion_evidence import challenger_evidence, comparison, why_forbidden
from loan_platform.assets.registry.ledger_mirror import MAX_TAG_LENGTH, REPORT
from loan_platform.assets.registry.withdrawal import AllowedChampion, Judged
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.mlflow_tracking import MlflowResource
from loan_platform.assets.resources.promotion_ledger import LedgerResource
from loan_platform.assets.resources.reports import ReportsResource
from loan_platform.assets.specs.book_assets import book_asset
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.evaluation.evaluation_report import Evaluation
from loan_platform.core.evaluation.gates.absolute_rules import Challenger
from loan_platform.core.evaluation.gates.criterion import CriterionResult
from loan_platform.core.evaluation.promotion import Verdict, decide, forbidden_verdict
from loan_platform.core.evaluation.promotion_report import PromotionReport
from loan_platform.core.plain_text import markdown_text

if TYPE_CHECKING:  # import SQLAlchemy
    from loan_platform.adapters.ledger.entries import Champion
    from loan_platform.adapters.ledger.ledger import Ledger
    from loan_platform.adapters.tracking.registry import Registry


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
        """The champion: the version that scores applications, with the alias `production` in MLflow.

        The newest version is compared with the champion on test loans that neither was trained on. A rejected version
        changes nothing. A champion that the contract no longer allows is withdrawn. The ledger keeps every verdict with
        its reasons.
        """
        models, run_id = lake.models(book), context.run.run_id
        allowed = AllowedChampion(book, lake, reports, mlflow, ledger, run_id)
        judged, model = allowed.judge(), models.newest()
        withdrawn, evaluation = judged.withdrawn, reports.open().read(book.name, "evaluation.json", Evaluation)
        verdict = _verdict(book, models, model, challenger_evidence(evaluation, model), judged)
        context.log.info(" ".join(filter(None, (withdrawn, verdict.summary))))
        why_not = [*filter(None, (withdrawn,)), *(evaluation.refusals or ("materialize registry_version first",))]
        _record(book, ledger.open(), mlflow.registry(), model, judged.epoch, verdict, run_id, " ".join(why_not))
        present = allowed.mirror.reconcile()
        reports.open().write(book.name, REPORT, PromotionReport.from_verdict(verdict, withdrawn))
        return dg.MaterializeResult(metadata=_metadata(present, verdict, withdrawn))

    return promoted_model


def _verdict(book: Portfolio, models: ModelStore, model: StoredModel, evidence: Challenger, judged: Judged) -> Verdict:
    """The decision about the newest model. What the contract forbids is not compared."""
    if reason := why_forbidden(book, model, "the version"):
        return forbidden_verdict(reason)
    champion = judged.readable
    verdict = decide(book.promotion, evidence, comparison(book, models, model, champion) if champion else None)
    if judged.unreadable is None:
        return verdict
    sentence = f"The champion cannot be compared, and the rules without one decide: {judged.unreadable}"
    return replace(verdict, reasons=(*verdict.reasons, CriterionResult("no_comparison", True, 0.0, 0.0, sentence)))


def _record(
    book: Portfolio,
    ledger: "Ledger",
    registry: "Registry",
    model: StoredModel,
    epoch: int,
    verdict: Verdict,
    run_id: str,
    why_not: str,
) -> None:
    """Write the decision to the ledger; it holds only if the champion is the one of `epoch`."""
    if verdict.kind == "same_bytes":
        return
    version = registry.find(book.name, model.sha256)
    if version is None:
        raise dg.Failure(f"the newest model is not registered: {why_not}")
    record = ledger.promote if verdict.promote else ledger.reject
    who = {"actor": "policy", "run_id": run_id, "verdict": verdict.as_dict()}
    record(book.name, version.version, model.sha256, expected_epoch=epoch, **who)
    registry.tag(book.name, version.version, {"verdict": verdict.summary[:MAX_TAG_LENGTH]})


def _metadata(champion: "Champion | None", verdict: Verdict, withdrawn: str | None) -> dict[str, Any]:
    rows = [f"| {'✓' if r.passed else '✗'} | {r.rule} | {markdown_text(r.sentence)} |" for r in verdict.reasons]
    lines = [
        f"**{markdown_text(verdict.summary)}**",
        *([f"The champion, {markdown_text(withdrawn)}"] if withdrawn else []),
    ]
    table = ["", "| | rule | finding |", "| --- | --- | --- |", *rows] if rows else []
    return {
        "champion_version": champion.version if champion else 0,
        "withdrawn": withdrawn or "none",
        "champion_sha256": champion.model_sha256 if champion else "none",
        "epoch": champion.epoch if champion else 0,
        "promoted": verdict.promote,
        "summary": verdict.summary,
        "verdict": dg.MarkdownMetadataValue("\n".join([*lines, *table])),
    }
