"""Scored batches are compared with the loans that the champion was developed on."""

from collections.abc import Iterator

import dagster as dg

from loan_platform.assets.monitoring.drift_batches import BatchDrift, BatchReport, batch_metadata
from loan_platform.assets.monitoring.drift_results import drift_check, remedy_sentence
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.promotion_ledger import LedgerResource
from loan_platform.assets.resources.reports import ReportsResource
from loan_platform.assets.specs.book_assets import asset_key, book_asset
from loan_platform.assets.specs.partitions import (
    WHOLE,
    batch_options,
    chosen_batches,
    partition_name,
    require_range,
    tell_batch,
)
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.monitoring.drift_report import worst_verdict
from loan_platform.core.monitoring.psi import Status


def drift_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`drift_report`, in the same batches as the predictions; none for a book without applications."""
    return [_drift_report(book)] if "applications" in book.sources else []


def _drift_report(book: Portfolio) -> dg.AssetsDefinition:
    @book_asset(
        book,
        "drift_report",
        "monitoring",
        "evidently",
        "polars",
        deps=["predictions"],
        check_specs=list(_check_specs(book)),
        **batch_options(book),
    )
    def drift_report(
        context: dg.AssetExecutionContext, lake: LakeResource, reports: ReportsResource, ledger: LedgerResource
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        """How much each scored batch differs from the loans that the champion was developed on, as PSI.

        The PSI is computed for the score and for each feature. The report says what would mend a drift. A critical
        report that training would mend makes the retrain sensor request a training run.
        """
        require_range(context, book)
        drift = BatchDrift(book, lake, reports.open(), ledger)
        batches = chosen_batches(context, lake.open().partitions(book.name, "predictions") or [WHOLE])
        found: dict[str, BatchReport] = {}
        for batch in batches:
            found[batch] = one = drift.report(batch, batches)
            context.log.info(f"{batch}: {one.report.verdict}. {one.report.reason}")
            if partition_name(book, batch):
                tell_batch(context, asset_key(book, "drift_report"), batch, batch_metadata(one))
        verdicts: dict[str, Status] = {batch: one.report.verdict for batch, one in found.items()}
        remedies = {batch: remedy_sentence(one.report) for batch, one in found.items()}
        whole = batch_metadata(found[WHOLE]) if WHOLE in found else {}
        counts = {"batches": len(found), "worst_verdict": worst_verdict(verdicts.values())}
        yield dg.MaterializeResult(metadata=counts | whole)
        yield drift_check(verdicts, "no_critical_drift", dg.AssetCheckSeverity.ERROR, ("critical",), remedies)
        yield drift_check(verdicts, "no_drift_warning", dg.AssetCheckSeverity.WARN, ("warning", "critical"), remedies)

    return drift_report


def _check_specs(book: Portfolio) -> Iterator[dg.AssetCheckSpec]:
    key, policy = asset_key(book, "drift_report"), book.drift
    critical = f"No variable's PSI reaches {policy.critical} plus what chance alone gives."
    warning = f"No variable's PSI reaches {policy.warning} plus what chance alone gives."
    yield dg.AssetCheckSpec("no_critical_drift", asset=key, description=critical)
    yield dg.AssetCheckSpec("no_drift_warning", asset=key, description=warning)
