"""What a run of the whole graph did, as a report."""

from typing import Self

from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.adapters.storage.report_files import ReportFiles
from loan_platform.cli.run_log import RunLog
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.evaluation.evaluation_report import CandidateReport, DecisionReport, Evaluation, SplitReport
from loan_platform.core.evaluation.metrics import Metrics
from loan_platform.core.evaluation.promotion_report import PromotionReport
from loan_platform.core.monitoring.drift_report import DriftReport
from loan_platform.core.performance.performance_report import PerformanceReport
from loan_platform.core.report import Report
from loan_platform.core.staging.staging_report import StagingReport
from loan_platform.settings.platform import PlatformSettings


class StagedRows(Report):
    """Rows of one staging step."""

    rows_in: int
    accepted: int
    quarantined: int
    by_reason: dict[str, int]
    values_dropped: int

    @classmethod
    def from_report(cls, staged: StagingReport) -> Self:
        """The counts of a staging report."""
        return cls(
            rows_in=staged.rows_in,
            accepted=staged.accepted,
            quarantined=staged.quarantined,
            by_reason=staged.by_reason,
            values_dropped=staged.values_dropped,
        )


class ChampionSummary(Report):
    """The champion after the run, and why it is champion; epoch 0: there is none."""

    version: int | None
    sha256: str | None
    epoch: int
    why: str


class BatchSummary(Report):
    """Drift of one batch."""

    batch: str
    rows: int
    verdict: str
    reason: str


class RunSummary(Report):
    """The figures of a run; None for what the run did not do.

    Attributes:
        sources: rows of each linked source; `rows` those of the validated loans.
        predictions: scored applications.
        look_further: where to look, by what is there.
    """

    book: str
    sources: dict[str, StagedRows]
    rows: StagedRows
    split: SplitReport
    candidates: tuple[CandidateReport, ...]
    not_trained: dict[str, str]
    chosen: str
    choice: str
    test: Metrics
    champion: ChampionSummary
    decisions: dict[str, DecisionReport]
    predictions: int | None
    drift: tuple[BatchSummary, ...]
    performance: PerformanceReport | None
    failed_checks: tuple[str, ...]
    seconds: dict[str, float]
    total_seconds: float
    peak_megabytes: int
    look_further: dict[str, str]


def summarise(
    settings: PlatformSettings, book: Portfolio, log: RunLog, total_seconds: float, peak_megabytes: int
) -> RunSummary:
    """Collect the figures of the newest run from the reports that its assets wrote."""
    reports, name = ReportFiles(settings.reports), book.name
    evaluation = reports.read(name, "evaluation.json", Evaluation)
    with_outcomes = "outcomes" in book.sources
    return RunSummary(
        book=name,
        sources={table.name: _staged(reports, book, f"{table.name}/") for table in book.contract.tables},
        rows=_staged(reports, book, ""),
        split=evaluation.split,
        candidates=evaluation.candidates,
        not_trained=evaluation.not_trained,
        chosen=evaluation.chosen,
        choice=evaluation.choice,
        test=evaluation.test,
        champion=_champion(settings, reports, book),
        decisions=evaluation.decisions,
        predictions=log.rows("predictions") if "applications" in book.sources else None,
        drift=_drift(reports, book),
        performance=reports.read(name, "performance.json", PerformanceReport) if with_outcomes else None,
        failed_checks=tuple(log.failed_checks),
        seconds={step: round(seconds, 2) for step, seconds in log.seconds.items()},
        total_seconds=round(total_seconds, 1),
        peak_megabytes=peak_megabytes,
        look_further=_look_further(settings, book),
    )


def _staged(reports: ReportFiles, book: Portfolio, folder: str) -> StagedRows:
    return StagedRows.from_report(reports.read(book.name, f"{folder}staging.json", StagingReport))


def _champion(settings: PlatformSettings, reports: ReportFiles, book: Portfolio) -> ChampionSummary:
    champion = Ledger.from_settings(settings).champion(book.name)
    return ChampionSummary(
        version=champion.version if champion else None,
        sha256=champion.model_sha256 if champion else None,
        epoch=champion.epoch if champion else 0,
        why=reports.read(book.name, "promotion.json", PromotionReport).summary,
    )


def _drift(reports: ReportFiles, book: Portfolio) -> tuple[BatchSummary, ...]:
    paths = sorted((reports.root / book.name / "drift").glob("*.json"))
    names = [path.name for path in paths if not path.stem.endswith("-evidently")]
    found = [reports.read(book.name, f"drift/{name}", DriftReport) for name in names]
    return tuple(BatchSummary(batch=r.batch, rows=r.rows, verdict=r.verdict, reason=r.reason) for r in found)


def _look_further(settings: PlatformSettings, book: Portfolio) -> dict[str, str]:
    reports = settings.reports / book.name
    return {
        "Dagster UI": "make dev        http://127.0.0.1:3000",
        "MLflow UI": "make mlflow     http://127.0.0.1:5000",
        "data quality": str(reports / "quality.html"),
        "model card": str(reports / "model_card.md"),
        "drift reports": str(reports / "drift"),
        "data lake": str(settings.lake),
        "this summary": str(settings.summary),
    }
