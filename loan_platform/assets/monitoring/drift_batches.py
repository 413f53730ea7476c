"""The drift report of one scored batch: figures, and a page for people."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from loan_platform.adapters.storage.model_store import StoredModel
from loan_platform.adapters.storage.report_files import ReportFiles
from loan_platform.assets.monitoring.drift_results import drift_metadata
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.promotion_ledger import LedgerResource
from loan_platform.assets.specs.partitions import BATCH, batch_column, partition_name
from loan_platform.core.book.constants import CONTENT
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.errors import NotMaterializedError
from loan_platform.core.monitoring.drift_report import DriftReport
from loan_platform.core.monitoring.psi import DriftTable
from loan_platform.core.monitoring.reference import Reference
from loan_platform.core.monitoring.remedies import assess
from loan_platform.core.scoring.scoring_model import ScoringModel


@dataclass(frozen=True)
class BatchReport:
    """The report of one batch.

    Attributes:
        table: the figures.
        report: the figures as they are written to `path`.
        page: Evidently's page; None where none was made.
    """

    table: DriftTable
    report: DriftReport
    path: Path
    page: Path | None


@dataclass(frozen=True)
class BatchDrift:
    """Drift of the scored batches of a book."""

    book: Portfolio
    lake: LakeResource
    reports: ReportFiles
    ledger: LedgerResource

    def report(self, batch: str, batches: list[str]) -> BatchReport:
        """Compare a batch with the model that scored it; a later champion has other distributions.

        Args:
            batch: its name.
            batches: of this run, in order of time. The newest ones get a page for people.

        Raises:
            NotMaterializedError: the batch's model or applications are missing.
        """
        book = self.book
        scored = self.lake.open().read(book.name, "predictions", partition_name(book, batch))
        if CONTENT not in scored.columns:
            raise NotMaterializedError("the predictions are of an earlier version of the platform: run the scoring job")
        model = self._model(scored)
        bundle = model.bundle()
        rows = self._applications(bundle.model, scored, batch)
        features, probability = bundle.model.features(rows), rows["probability"]
        reference, scores, design = Reference.from_json(bundle.reference), probability.to_numpy(), bundle.model.design
        table = assess(reference, features, scores, book.drift, design, bundle.model.importance)
        report = DriftReport.from_table(batch, table)
        path = self._write(batch, report)
        drawn = table.verdict != "unknown" and batch in batches[-book.drift.report_batches :]
        page = self._draw(batch, model, table, features.with_columns(probability)) if drawn else None
        return BatchReport(table, report, path, page)

    def _model(self, scored: pl.DataFrame) -> StoredModel:
        """The model that scored the batch; the last champion for an empty batch."""
        version = scored["model_version"].max() if scored.height else self.ledger.last_champion(self.book)
        sha256 = self.ledger.model_sha256(self.book, int(str(version)))
        return self.lake.models(self.book).get(sha256)

    def _applications(self, model: ScoringModel, scored: pl.DataFrame, batch: str) -> pl.DataFrame:
        """The columns that the model read of each scored application, with its probability."""
        files, name = self.lake.open(), self.book.name
        which = [self.book.contract.entity_key, CONTENT]
        needed = list(dict.fromkeys([*which, *(column.name for column in model.inputs)]))
        applications = files.scan(name, "applications").with_columns(batch_column(self.book))
        rows = applications.filter(pl.col(BATCH) == batch).select(needed).collect()
        wanted = scored.select(*which, "probability")
        if files.exists(name, "replaced_applications"):  # a correction may have arrived since
            lost = files.scan(name, "replaced_applications").select(needed)
            corrected = wanted.lazy().join(rows.lazy(), on=which, how="anti").select(which)
            rows = pl.concat([rows, lost.join(corrected, on=which).unique(which).collect()])
        joined = rows.join(wanted, on=which, maintain_order="right")
        if joined.height != scored.height:
            raise NotMaterializedError(
                f"{scored.height - joined.height:,} of {scored.height:,} scored applications of batch {batch} are "
                "neither among the applications nor among those replaced: run the scoring job again with the file that "
                "had them. The answers that were given stay in answer_history"
            )
        return joined

    def _write(self, batch: str, report: DriftReport) -> Path:
        """Write the figures, and delete a page of other figures."""
        name = f"drift/{batch}.json"
        path = self.reports.path(self.book.name, name)
        if not path.is_file() or path.read_text() != report.to_json():
            for page in self._pages(batch):
                page.unlink(missing_ok=True)
        return self.reports.write(self.book.name, name, report)

    def _draw(self, batch: str, model: StoredModel, table: DriftTable, current: pl.DataFrame) -> Path:
        """Make Evidently's page and its figures."""
        from loan_platform.adapters.reports.evidently_report import drift_report_process

        page, figures = self._pages(batch)
        title = f"{self.book.name} {batch}"
        development = model.frame("development")
        drift_report_process(development, current, table, page, figures, title=title, policy=self.book.drift)
        return page

    def _pages(self, batch: str) -> tuple[Path, Path]:
        page, figures = (f"drift/{batch}-evidently.{ending}" for ending in ("html", "json"))
        return self.reports.path(self.book.name, page), self.reports.path(self.book.name, figures)


def batch_metadata(found: BatchReport) -> dict[str, Any]:
    """Metadata of one batch, with a plot where there is a page."""
    metadata = drift_metadata(found.report, found.path)
    if found.report.verdict == "unknown":
        return metadata
    metadata |= {"score_psi": float(found.table.variables[0].psi)}
    if found.page is None:
        return metadata
    from loan_platform.adapters.reports.canvas import markdown_image
    from loan_platform.adapters.reports.plots import drift_plot

    plot = dg.MarkdownMetadataValue(markdown_image(drift_plot(found.table)))
    return metadata | {"page": dg.PathMetadataValue(str(found.page)), "psi": plot}
