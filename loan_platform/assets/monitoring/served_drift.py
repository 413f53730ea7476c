"""Requests of the scoring service are compared with the loans that the model was developed on."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg
import polars as pl

from loan_platform.adapters.storage.report_files import ReportFiles
from loan_platform.assets.monitoring.drift_results import drift_check, drift_metadata, remedy_sentence
from loan_platform.assets.monitoring.served import SERVED
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.reports import ReportsResource
from loan_platform.assets.specs.book_assets import asset_key, book_asset
from loan_platform.core.audit.replay import inputs_frame
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.errors import NotMaterializedError
from loan_platform.core.monitoring.drift_report import DriftReport, worst_verdict
from loan_platform.core.monitoring.psi import Status
from loan_platform.core.monitoring.reference import Reference
from loan_platform.core.monitoring.remedies import assess


def served_drift_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`served_drift_report`; none for a book without applications."""
    return [_served_drift_report(book)] if "applications" in book.sources else []


def _served_drift_report(book: Portfolio) -> dg.AssetsDefinition:
    check, described = "no_critical_served_drift", "The requests of no month drift critically."
    spec = dg.AssetCheckSpec(check, asset=asset_key(book, "served_drift_report"), description=described)

    @book_asset(book, "served_drift_report", "service_monitoring", "polars", deps=[SERVED], check_specs=[spec])
    def served_drift_report(
        context: dg.AssetExecutionContext, lake: LakeResource, reports: ReportsResource
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        """How much the service's requests differ from the loans of development, as PSI by month and model version.

        It needs records with inputs. A critical month makes the retrain sensor request one training run.
        """
        served = lake.open().read(book.name, SERVED)
        found = list(ServedDrift(context, book, lake, reports.open()).reports(served))
        if not found:
            context.log.info(_why_none(served))
        verdicts: dict[str, Status] = {report.batch: report.verdict for report in found}
        remedies = {report.batch: remedy_sentence(report) for report in found}
        newest = _newest(book, reports.open(), found[-1]) if found else {}
        counts = {"batches": len(found), "worst_verdict": worst_verdict(verdicts.values())}
        yield dg.MaterializeResult(metadata=counts | newest)
        yield drift_check(verdicts, check, dg.AssetCheckSeverity.ERROR, ("critical",), remedies)

    return served_drift_report


@dataclass(frozen=True)
class ServedDrift:
    """Drift of the service's requests by month and model version."""

    context: dg.AssetExecutionContext
    book: Portfolio
    lake: LakeResource
    files: ReportFiles

    def reports(self, served: pl.DataFrame) -> Iterator[DriftReport]:
        """Write and give the report of each month and version, in order of time."""
        readable = served.filter(pl.col("inputs").is_not_null())
        months = readable.with_columns(month=pl.col("time").dt.strftime("%Y-%m")).sort("month", "model_version", "time")
        by = ("month", "model_version", "model_sha256")
        for (month, version, sha256), rows in months.partition_by(by, as_dict=True).items():
            if report := self._report(f"served-{month}-v{version}", str(sha256), rows):
                self.files.write(self.book.name, _file(report), report)
                self.context.log.info(f"{report.batch}: {report.verdict}. {report.reason}")
                yield report

    def _report(self, batch: str, sha256: str, rows: pl.DataFrame) -> DriftReport | None:
        """The report of one batch; None where its model is not in the lake any more."""
        try:
            bundle = self.lake.models(self.book).get(sha256).bundle()
        except NotMaterializedError as error:
            self.context.log.warning(f"{batch}: {error}")
            return None
        inputs = inputs_frame(bundle.model, [json.loads(text) for text in rows["inputs"]])
        reference, probability = Reference.from_json(bundle.reference), rows["probability"].to_numpy()
        design, shares = bundle.model.design, bundle.model.importance
        table = assess(reference, bundle.model.features(inputs), probability, self.book.drift, design, shares)
        return DriftReport.from_table(batch, table)


def _file(report: DriftReport) -> str:
    return f"drift/{report.batch}.json"


def _why_none(served: pl.DataFrame) -> str:
    if served.is_empty():
        return "no responses yet"
    return "the audit log has no readable inputs: set LOAN_AUDIT_INPUTS=encrypted to keep them for drift reports"


def _newest(book: Portfolio, files: ReportFiles, report: DriftReport) -> dict[str, Any]:
    """Metadata of the newest batch. The sensor requests training once for it, however the month goes on."""
    metadata = drift_metadata(report, files.path(book.name, _file(report)))
    return {"batch": report.batch, "asks_once_for": report.batch, **metadata}
