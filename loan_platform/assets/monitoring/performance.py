"""Predictions are compared with the outcomes of their loans."""

from typing import Any

import dagster as dg

from loan_platform.assets.inference.predictions import HISTORY
from loan_platform.assets.monitoring.past_predictions import PastPredictions
from loan_platform.assets.monitoring.served import SERVED
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.promotion_ledger import LedgerResource
from loan_platform.assets.resources.reports import ReportsResource
from loan_platform.assets.specs.book_assets import asset_key, book_asset
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.evaluation.evaluation_report import Evaluation
from loan_platform.core.evaluation.performance import Performance, performance
from loan_platform.core.evaluation.performance_report import PerformanceReport


def performance_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`performance_report`; none for a book without a source of outcomes."""
    return [_performance_report(book)] if "outcomes" in book.sources else []


def _performance_report(book: Portfolio) -> dg.AssetsDefinition:
    every_batch = dg.AssetDep(asset_key(book, HISTORY), partition_mapping=dg.AllPartitionMapping())

    @book_asset(book, "performance_report", "monitoring", "polars", deps=[every_batch, SERVED, "outcomes"])
    def performance_report(
        context: dg.AssetExecutionContext, lake: LakeResource, reports: ReportsResource, ledger: LedgerResource
    ) -> dg.MaterializeResult:
        """How well past predictions match the known outcomes, by vintage. It is "unknown" until enough loans mature.

        Responses of the service count too. Loans that a model was developed on are left out.
        """
        champion, files = ledger.champion(book), reports.open()
        test = files.read(book.name, f"evaluation/{champion.model_sha256}.json", Evaluation).test
        found = performance(PastPredictions(book, lake, ledger).frame(), test.gini, book.drift)
        files.write(book.name, "performance.json", PerformanceReport.from_performance(found))
        context.log.info(f"{found.verdict}: {found.overall.reason}")
        return dg.MaterializeResult(metadata=_metadata(found))

    return performance_report


def _metadata(found: Performance) -> dict[str, Any]:
    overall = found.overall
    metadata: dict[str, Any] = {
        "verdict": found.verdict,
        "reason": overall.reason,
        "scored": overall.scored,
        "known": overall.known,
    }
    if overall.metrics is None:
        return metadata
    from loan_platform.adapters.reports.canvas import markdown_image
    from loan_platform.adapters.reports.plots import vintage_plot

    metadata |= {"auc": overall.metrics.auc, "ks": overall.metrics.ks, "ece": overall.metrics.ece}
    return metadata | {"by_vintage": dg.MarkdownMetadataValue(markdown_image(vintage_plot(found.to_frame())))}
