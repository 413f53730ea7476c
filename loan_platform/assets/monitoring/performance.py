"""Predictions are compared with the outcomes of their loans."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import dagster as dg

from loan_platform.adapters.storage.report_files import ReportFiles
from loan_platform.assets.inference.predictions import HISTORY
from loan_platform.assets.monitoring.past_predictions import PastPredictions, Strangers
from loan_platform.assets.monitoring.served import SERVED
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.promotion_ledger import LedgerResource
from loan_platform.assets.resources.reports import ReportsResource
from loan_platform.assets.specs.book_assets import asset_key, book_asset
from loan_platform.assets.training.evaluate_model import approved_of
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.errors import NotMaterializedError
from loan_platform.core.evaluation.bootstrap import Interval
from loan_platform.core.evaluation.evaluation_report import Evaluation
from loan_platform.core.performance.performance import Performance, performance
from loan_platform.core.performance.performance_report import PerformanceReport
from loan_platform.core.performance.same_model import AnsweringModel, answering_model
from loan_platform.core.performance.verdict import GiniReference
from loan_platform.core.scoring.manifest import BundleError

MEET = "outcomes_meet_answers"
OUTCOMES_MEET = "At least half of the outcomes are of loans that were scored."


def performance_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`performance_report`; none for a book without a source of outcomes."""
    return [_performance_report(book)] if "outcomes" in book.sources else []


def _performance_report(book: Portfolio) -> dg.AssetsDefinition:
    every_batch = dg.AssetDep(asset_key(book, HISTORY), partition_mapping=dg.AllPartitionMapping())

    meet = dg.AssetCheckSpec(MEET, asset=asset_key(book, "performance_report"), description=OUTCOMES_MEET)

    @book_asset(
        book, "performance_report", "monitoring", "polars", deps=[every_batch, SERVED, "outcomes"], check_specs=[meet]
    )
    def performance_report(
        context: dg.AssetExecutionContext, lake: LakeResource, reports: ReportsResource, ledger: LedgerResource
    ) -> dg.MaterializeResult:
        """How well past predictions match the known outcomes, by vintage. It is "unknown" until enough loans mature.

        Each loan counts once, as it was decided. Responses of the service count too. Each version is judged on its
        newest mature months. Loans that a model was developed on are left out. After a withdrawal there is no
        champion, and each version keeps its own verdict.
        """
        files, past = reports.open(), PastPredictions(book, lake, ledger)
        references = _references(book, lake, ledger, files)
        champion = ledger.open().champion(book.name)
        found = performance(
            past.frame(),
            references,
            champion.version if champion else None,
            book.drift,
            book.split.min_resolved,
            dict(_models(book, lake, ledger)),
        )
        files.write(book.name, "performance.json", PerformanceReport.from_performance(found))
        context.log.info(f"{found.verdict}: {found.reason}")
        return dg.MaterializeResult(metadata=_metadata(found), check_results=[_meet(past.strangers())])

    return performance_report


def _references(
    book: Portfolio, lake: LakeResource, ledger: LedgerResource, files: ReportFiles
) -> dict[int, GiniReference]:
    """Gini of each version on its test loans, of those that were evaluated."""
    found = dict[int, GiniReference]()
    for version, sha256 in ledger.versions(book).items():
        name = f"evaluation/{sha256}.json"
        if not files.path(book.name, name).is_file():
            continue
        report = files.read(book.name, name, Evaluation)
        gini = report.test.gini
        scored = report.intervals.get("gini", Interval(gini, gini, gini))
        approved = report.approved or approved_of(lake.models(book).get(sha256))  # reports of an earlier version
        found[version] = GiniReference(scored, approved.gini)
    return found


def _models(book: Portfolio, lake: LakeResource, ledger: LedgerResource) -> Iterator[tuple[int, AnsweringModel]]:
    """How each version answers, of those whose model is there in the present format. Others are judged alone."""
    for version, sha256 in ledger.versions(book).items():
        with suppress(BundleError, NotMaterializedError):
            yield version, answering_model(lake.models(book).get(sha256).path / "bundle")


def _meet(found: Strangers) -> dg.AssetCheckResult:
    """An error if no outcome meets an answer, a warning if most do not."""
    told = f"{found.unmet:,} of {found.outcomes:,} outcomes are of loans that were never scored"
    if found.unmet:
        scored = f"scored loans without an outcome, such as {', '.join(found.scored_keys) or 'none'}"
        told += f", such as {', '.join(found.unmet_keys)}; {scored}. Are the keys written alike?"
    none_meets = found.outcomes > 0 and found.unmet == found.outcomes
    return dg.AssetCheckResult(
        check_name=MEET,
        passed=found.unmet <= found.outcomes / 2,
        severity=dg.AssetCheckSeverity.ERROR if none_meets else dg.AssetCheckSeverity.WARN,
        description=told,
        metadata={"outcomes": found.outcomes, "never_scored": found.unmet},
    )


def _metadata(found: Performance) -> dict[str, Any]:
    overall = found.overall
    metadata: dict[str, Any] = {
        "verdict": found.verdict,
        "reason": found.reason,
        "scored": overall.scored,
        "expected": overall.expected,
        "known": overall.known,
    }
    of_champion = found.of_champion
    if of_champion is None or of_champion.window is None or (metrics := of_champion.window.metrics) is None:
        return metadata
    from loan_platform.adapters.reports.canvas import markdown_image
    from loan_platform.adapters.reports.plots import vintage_plot

    metadata |= {"auc": metrics.auc, "ks": metrics.ks, "ece": metrics.ece, "judged": of_champion.population}
    return metadata | {"by_vintage": dg.MarkdownMetadataValue(markdown_image(vintage_plot(of_champion.to_frame())))}
