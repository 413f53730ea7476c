"""The champion answers by the policies that the book states now, without a training."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from loan_platform.adapters.storage.model_store import ModelStore, StoredModel
from loan_platform.assets.registry.withdrawal import AllowedChampion
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.mlflow_tracking import MlflowResource
from loan_platform.assets.resources.promotion_ledger import LedgerResource
from loan_platform.assets.resources.reports import ReportsResource
from loan_platform.assets.specs.book_assets import book_asset
from loan_platform.core.book.constants import TARGET
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.evaluation.evaluation_report import DecisionReport, Evaluation
from loan_platform.core.evaluation.policy_effect import PolicyEffect, PolicyReport, approved_loans, policy_effect
from loan_platform.core.evaluation.promotion import policy_verdict
from loan_platform.core.scoring.bundle import trained_sha256
from loan_platform.core.scoring.decisions import decision_table
from loan_platform.core.scoring.policy_change import changed_answers, restated_policy

if TYPE_CHECKING:  # imports SQLAlchemy
    from loan_platform.adapters.ledger.ledger import Champion, Ledger

NOTHING_TO_APPLY = "The champion answers by the present policies."
CALIBRATION_LOANS = "calibration_loans"


class PolicyConfig(dg.Config):
    """Who changed the policies, and why. Both stand in the ledger."""

    decided_by: str = Field(default="", description="Who decided the change, such as a name or a committee.")
    why: str = Field(default="", description="Why the policies changed, in a sentence.")


@dataclass(frozen=True)
class PolicyVersion:
    """The champion as it is, and with the present policies."""

    champion: "Champion"
    before: StoredModel
    after: StoredModel

    @cached_property
    def changed(self) -> list[str]:
        """What differs in the answers."""
        return changed_answers(self.before.bundle().model.policy, self.after.bundle().model.policy)

    @cached_property
    def effect(self) -> PolicyEffect:
        """Decisions about the champion's test loans, before and after. The model is the same, so it scores once."""
        rows, before = self.before.frame("test_rows"), self.before.bundle().model
        features = before.features(rows)
        scored = before.score_features(features)
        now = self.after.bundle().model.decisions(features, scored["probability"].to_numpy())
        return policy_effect(rows[TARGET], scored["decision"], now)


def policy_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`decision_policy`."""
    return [_decision_policy(book)]


def _decision_policy(book: Portfolio) -> dg.AssetsDefinition:
    @book_asset(book, "decision_policy", "policy", "mlflow", deps=["promoted_model"])
    def decision_policy(
        context: dg.AssetExecutionContext,
        config: PolicyConfig,
        lake: LakeResource,
        reports: ReportsResource,
        mlflow: MlflowResource,
        ledger: LedgerResource,
    ) -> dg.MaterializeResult:
        """The cut-offs, economics, risk bands and points by which the champion answers: those of the book's files now.

        Where they changed since, the champion becomes a new version with the same model and the new policies. Nothing
        is trained. The ledger keeps who decided, what changed, and the decisions on the test loans before and after.
        """
        models, book_ledger, epoch = lake.models(book), ledger.open(), ledger.open().epoch(book.name)
        withdrawn = AllowedChampion(book, lake, reports, mlflow, ledger, context.run.run_id).withdraw_forbidden()
        found = _policy_version(book, models, book_ledger)
        if found is None:
            why = f": {withdrawn}" if withdrawn else "."
            told = f"There is nothing to apply policies to. {book.name} has no champion{why}"
            context.log.warning(told)
            return dg.MaterializeResult(metadata={"applied": False, "summary": told})
        if found.before.sha256 == found.after.sha256:
            return dg.MaterializeResult(metadata=_metadata(found, NOTHING_TO_APPLY))
        version = _register(book, mlflow, found)
        report = _report(found, version, config)
        who = {"actor": config.decided_by or "policy", "run_id": context.run.run_id, "replaces": found.champion}
        verdict = policy_verdict(found.changed, found.effect.loans).as_dict()
        verdict |= {"summary": report.summary, "policy": report.model_dump(mode="json")}
        _write_evidence(book, reports, found, report)
        book_ledger.promote(book.name, version, found.after.sha256, expected_epoch=epoch, verdict=verdict, **who)
        mlflow.registry().reconcile(book_ledger, book.name)
        context.log.info(report.summary)
        return dg.MaterializeResult(metadata=_metadata(found, report.summary, report))

    return decision_policy


def _policy_version(book: Portfolio, models: ModelStore, ledger: "Ledger") -> PolicyVersion | None:
    """The champion and its version with the present policies; None without a champion."""
    champion = ledger.champion(book.name)
    if champion is None:
        return None
    before = models.get(champion.model_sha256)
    trained, policy = models.get(trained_sha256(before.bundle())), before.bundle().model.policy
    loans = trained.frame(CALIBRATION_LOANS) if trained.has_frame(CALIBRATION_LOANS) else None
    stated, profit = restated_policy(book.decision, book.scorecard, policy, before.training().profit, loans)
    after = before if stated == policy else models.with_policy(trained, stated, profit)
    return PolicyVersion(champion, before, after)


def _register(book: Portfolio, mlflow: MlflowResource, found: PolicyVersion) -> int:
    """Number of the policy version in the registry. A version with the same bundle is used again."""
    from loan_platform.adapters.tracking.model_logging import log_bundle
    from loan_platform.adapters.tracking.tracked_run import continued_run

    registry, sha256 = mlflow.registry(), found.after.sha256
    if known := registry.find(book.name, sha256):
        return known.version
    run_id = registry.version(book.name, found.champion.version).run_id
    if run_id is None:
        raise dg.Failure(f"version {found.champion.version} has no MLflow run to log its policy version to")
    bundle = found.after.bundle()
    with continued_run(mlflow.tracking(), run_id):
        example = bundle.golden.frame(bundle.model).head(5)
        uri = log_bundle(run_id, found.after.path / "bundle", sha256, bundle.model.inputs, example)
    return registry.register(book.name, uri, sha256, run_id, {"policy_of": str(found.champion.version)}).version


def _report(found: PolicyVersion, version: int, config: PolicyConfig) -> PolicyReport:
    effect, before, after = found.effect, found.before.bundle(), found.after.bundle()
    changed = found.changed
    return PolicyReport(
        summary=f"Policies applied to version {found.champion.version}, which is version {version} now. Changed: "
        f"{', '.join(changed)}. {effect.sentence}",
        decided_by=config.decided_by,
        why=config.why,
        changed=tuple(changed),
        model_before=before.sha256,
        model_after=after.sha256,
        version_before=found.champion.version,
        version_after=version,
        policy_before=before.model.policy.version,
        policy_after=after.model.policy.version,
        effect=effect,
    )


def _write_evidence(book: Portfolio, reports: ReportsResource, found: PolicyVersion, report: PolicyReport) -> None:
    """The version's own evaluation: the model's, with the decisions of the new policy."""
    files, after = reports.open(), found.after
    evaluation = files.read(book.name, f"evaluation/{found.before.sha256}.json", Evaluation)
    loans = after.frame("test_predictions")
    target, probability = loans[TARGET].to_numpy(), loans[evaluation.chosen].to_numpy()
    scoring = after.bundle().model
    decided = scoring.decisions(scoring.features(after.frame("test_rows")), probability)
    decisions = {name: DecisionReport(**row) for name, row in decision_table(decided, target, probability).items()}
    approved = approved_loans(decided, target, probability)
    changed = {"sha256": after.sha256, "decisions": decisions, "approved": approved}
    files.write(book.name, f"evaluation/{after.sha256}.json", evaluation.model_copy(update=changed))
    for name in (f"policy/{after.sha256}.json", "policy.json"):
        files.write(book.name, name, report)


def _metadata(found: PolicyVersion, summary: str, report: PolicyReport | None = None) -> dict[str, Any]:
    rule = found.after.bundle().model.policy
    stated: dict[str, Any] = {
        "applied": report is not None,
        "summary": summary,
        "champion_version": report.version_after if report else found.champion.version,
        "policy_version": rule.version,
        "approve_below": rule.decision.approve_below,
        "decline_from": rule.decision.decline_from,
    }
    return stated | ({"test_loans": dg.MarkdownMetadataValue(_table(report.effect))} if report else {})


def _table(effect: PolicyEffect) -> str:
    rows = [
        f"| {name} | {was.loans:,} | {_share(was.default_rate)} | {now.loans:,} | {_share(now.default_rate)} |"
        for name, was, now in ((name, effect.before[name], effect.after[name]) for name in effect.before)
    ]
    head = ["| decision | loans before | default rate | loans after | default rate |", "| --- |" + " ---: |" * 4]
    return "\n".join([*head, *rows])


def _share(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.1%}"
