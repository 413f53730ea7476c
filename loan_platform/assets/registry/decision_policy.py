"""The champion answers by the policies that the book states now, without a training."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from loan_platform.adapters.reports.card_plots import card_plots
from loan_platform.adapters.storage.model_store import ModelStore, StoredModel
from loan_platform.assets.registry.ledger_mirror import card_name
from loan_platform.assets.registry.withdrawal import AllowedChampion
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.mlflow_tracking import MlflowResource
from loan_platform.assets.resources.promotion_ledger import LedgerResource
from loan_platform.assets.resources.reports import ReportsResource
from loan_platform.assets.specs.book_assets import book_asset
from loan_platform.core.book.constants import TARGET
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.evaluation.evaluation_report import DecisionReport, Evaluation
from loan_platform.core.evaluation.model_card import model_card
from loan_platform.core.evaluation.policy_effect import PolicyEffect, PolicyReport, approved_loans, policy_effect
from loan_platform.core.evaluation.promotion import policy_verdict
from loan_platform.core.scoring.bundle import trained_sha256
from loan_platform.core.scoring.decisions import decision_table
from loan_platform.core.scoring.policy_change import changed_answers, restated_policy

if TYPE_CHECKING:  # imports SQLAlchemy
    from loan_platform.adapters.ledger.entries import Champion
    from loan_platform.adapters.ledger.ledger import Ledger

CUT_OFFS_STAY = "The cut-offs stay: a model of an earlier release has no loans to derive them from. Train again."
NOTHING_TO_APPLY = "The champion answers by the present policies."
CALIBRATION_LOANS = "calibration_loans"


class PolicyConfig(dg.Config):
    """Who changed the policies, and why. Both stand in the ledger."""

    decided_by: str = Field(default="", description="Who decided the change, such as a name or a committee.")
    why: str = Field(default="", description="Why the policies changed, in a sentence.")


@dataclass(frozen=True)
class PolicyVersion:
    """The champion as it is, and with the present policies.

    `cut_offs_stay`: they were to be derived, and nothing is left that they can be derived from.
    """

    champion: "Champion"
    before: StoredModel
    after: StoredModel
    cut_offs_stay: bool = False

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
        allowed = AllowedChampion(book, lake, reports, mlflow, ledger, context.run.run_id)
        judged = allowed.judge()
        if judged.champion is None:
            allowed.mirror.reconcile()
            why = f": {judged.withdrawn}" if judged.withdrawn else "."
            told = f"There is nothing to apply policies to. {book.name} has no champion{why}"
            context.log.warning(told)
            return dg.MaterializeResult(metadata={"applied": False, "summary": told})
        found = _policy_version(book, lake.models(book), judged.champion)
        report = None
        if found.before.sha256 != found.after.sha256:
            report = _report(found, _register(book, mlflow, found, context.run.run_id), config)
            _write_evidence(book, reports, found)
            _promote(ledger.open(), found, report, judged.epoch, context.run.run_id)
        allowed.mirror.reconcile()
        told = report.summary if report else NOTHING_TO_APPLY
        context.log.info(told)
        return dg.MaterializeResult(metadata=_metadata(found, told, report))

    return decision_policy


def _policy_version(book: Portfolio, models: ModelStore, champion: "Champion") -> PolicyVersion:
    """The champion and its version with the present policies."""
    before = models.get(champion.model_sha256)
    trained, policy = models.get(trained_sha256(before.bundle())), before.bundle().model.policy
    loans = trained.frame(CALIBRATION_LOANS) if trained.has_frame(CALIBRATION_LOANS) else None
    stated, profit = restated_policy(book.decision, book.scorecard, policy, before.training().profit, loans)
    after = before if stated == policy else models.with_policy(trained, stated, profit)
    return PolicyVersion(champion, before, after, loans is None and book.decision.approve_below is None)


def _register(book: Portfolio, mlflow: MlflowResource, found: PolicyVersion, dagster_run: str) -> int:
    """Number of the policy version in the registry. A version with the same bundle is used again.

    It has an MLflow run of its own, below that of the champion. It is no challenger, so `staging` stays where it is.
    """
    from loan_platform.adapters.tracking.model_logging import log_bundle
    from loan_platform.adapters.tracking.tracked_run import run_below

    registry, sha256 = mlflow.registry(), found.after.sha256
    if known := registry.find(book.name, sha256):
        return known.version
    champion, bundle = found.champion.version, found.after.bundle()
    parent, name = registry.version(book.name, champion).run_id, f"{book.name} policy of version {champion}"
    with run_below(mlflow.tracking(), book.name, parent, name) as run_id:
        example = bundle.golden.frame(bundle.model).head(5)
        uri = log_bundle(run_id, found.after.path / "bundle", sha256, bundle.model.inputs, example)
    tags = {"policy_of": str(champion), "dagster_run_id": dagster_run}
    return registry.register(book.name, uri, sha256, run_id, tags, alias=None).version


def _promote(ledger: "Ledger", found: PolicyVersion, report: PolicyReport, epoch: int, run_id: str) -> None:
    """Record the change. It holds only if the champion is still the one that it was made from."""
    verdict = policy_verdict(found.changed, found.effect.loans).as_dict()
    verdict |= {"summary": report.summary, "policy": report.model_dump(mode="json")}
    ledger.promote(
        found.champion.portfolio,
        report.version_after,
        found.after.sha256,
        expected_epoch=epoch,
        actor=report.decided_by or "policy",
        run_id=run_id,
        verdict=verdict,
        step="decision_policy",
    )


def _report(found: PolicyVersion, version: int, config: PolicyConfig) -> PolicyReport:
    effect, before, after = found.effect, found.before.bundle(), found.after.bundle()
    changed = found.changed
    return PolicyReport(
        summary=f"Policies applied to version {found.champion.version}, which is version {version} now. Changed: "
        f"{', '.join(changed)}. {effect.sentence}{f' {CUT_OFFS_STAY}' if found.cut_offs_stay else ''}",
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


def _write_evidence(book: Portfolio, reports: ReportsResource, found: PolicyVersion) -> None:
    """The version's own evaluation and model card: the model's, with the decisions of the new policy."""
    files, after = reports.open(), found.after
    evaluation = files.read(book.name, f"evaluation/{found.before.sha256}.json", Evaluation)
    loans = after.frame("test_predictions")
    target, probability = loans[TARGET].to_numpy(), loans[evaluation.chosen].to_numpy()
    scoring = after.bundle().model
    decided = scoring.decisions(scoring.features(after.frame("test_rows")), probability)
    decisions = {name: DecisionReport(**row) for name, row in decision_table(decided, target, probability).items()}
    approved = approved_loans(decided, target, probability)
    changed = {"sha256": after.sha256, "decisions": decisions, "approved": approved}
    evaluation = evaluation.model_copy(update=changed)
    files.write(book.name, f"evaluation/{after.sha256}.json", evaluation)
    files.write(book.name, card_name(after.sha256), model_card(book, scoring, evaluation, card_plots(evaluation)))


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
    if found.cut_offs_stay:
        stated["cut_offs"] = CUT_OFFS_STAY
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
