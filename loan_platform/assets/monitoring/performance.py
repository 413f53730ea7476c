"""Predictions are compared with the outcomes of their loans."""

from typing import Any

import dagster as dg

from loan_platform.assets.inference.predictions import HISTORY
from loan_platform.assets.monitoring.past_predictions import PastPredictions, Strangers
from loan_platform.assets.monitoring.served import SERVED
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.promotion_ledger import LedgerResource
from loan_platform.assets.resources.reports import ReportsResource
from loan_platform.assets.specs.book_assets import asset_key, book_asset
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.evaluation.evaluation_report import Evaluation
from loan_platform.core.evaluation.performance import Performance, performance
from loan_platform.core.evaluation.performance_report import PerformanceReport

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

        Each loan counts once, as it was decided. Responses of the service count too. Loans that a model was developed
        on are left out, and so are months of which too many outcomes are open.
        """
        champion, files = ledger.champion(book), reports.open()
        test = files.read(book.name, f"evaluation/{champion.model_sha256}.json", Evaluation).test
        past = PastPredictions(book, lake, ledger)
        found = performance(past.frame(), test.gini, book.drift, book.split.min_resolved)
        files.write(book.name, "performance.json", PerformanceReport.from_performance(found))
        context.log.info(f"{found.verdict}: {found.overall.reason}")
        return dg.MaterializeResult(metadata=_metadata(found), check_results=[_meet(past.strangers())])

    return performance_report


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
        "reason": overall.reason,
        "scored": overall.scored,
        "expected": overall.expected,
        "known": overall.known,
    }
    if overall.metrics is None:
        return metadata
    from loan_platform.adapters.reports.canvas import markdown_image
    from loan_platform.adapters.reports.plots import vintage_plot

    metadata |= {"auc": overall.metrics.auc, "ks": overall.metrics.ks, "ece": overall.metrics.ece}
    return metadata | {"by_vintage": dg.MarkdownMetadataValue(markdown_image(vintage_plot(found.to_frame())))}
