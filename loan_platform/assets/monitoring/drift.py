"""Scored batches are held against the loans that the champion was developed on."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from loan_platform.adapters.storage.model_store import StoredModel
from loan_platform.assets.inference.predictions import BATCH, WHOLE, batch_of, partition_name
from loan_platform.assets.resources.platform import Platform
from loan_platform.assets.specs.graph import asset_of, batch_options, chosen_batches, key
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.errors import NotMaterializedError
from loan_platform.core.monitoring.psi import DriftTable, drift_table
from loan_platform.core.monitoring.reference import Reference
from loan_platform.core.scoring.scoring_model import ScoringModel

ORDER = ("unknown", "ok", "warning", "critical")


def drift_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`drift_report`, in the same batches as the predictions; none for a book without applications."""
    return [_drift_report(book)] if "applications" in book.sources else []


def _drift_report(book: Portfolio) -> dg.AssetsDefinition:
    report = key(book, "drift_report")

    @asset_of(
        book,
        "drift_report",
        "evidently",
        "polars",
        deps=["predictions"],
        **batch_options(book),
        check_specs=[
            dg.AssetCheckSpec("no_critical_drift", asset=report, description="No variable drifts critically."),
            dg.AssetCheckSpec("no_drift_warning", asset=report, description="No variable drifts at all."),
        ],
    )
    def drift_report(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        """How far each scored batch is from the loans the champion was developed on: PSI of score and features.

        A critical report asks for a new model by event (the retrain sensor), never by a dependency.
        """
        tables = dict(_reports(context, platform, book))
        worst = max((t.verdict for t in tables.values()), key=ORDER.index, default="unknown")
        whole = _metadata(platform, book, WHOLE, tables[WHOLE], drawn=True) if WHOLE in tables else {}
        yield dg.MaterializeResult(metadata={"batches": len(tables), "worst_verdict": worst, **whole})
        yield drift_check(tables, "no_critical_drift", dg.AssetCheckSeverity.ERROR, ("critical",))
        yield drift_check(tables, "no_drift_warning", dg.AssetCheckSeverity.WARN, ("warning", "critical"))

    return drift_report


def _reports(
    context: dg.AssetExecutionContext, platform: Platform, book: Portfolio
) -> Iterator[tuple[str, DriftTable]]:
    batches = chosen_batches(context, platform.lake.partitions(book.name, "predictions") or [WHOLE])
    for batch in batches:
        scored = platform.lake.read(book.name, "predictions", partition_name(book, batch))
        version = scored["model_version"].max() if scored.height else platform.champion(book).version
        # A batch is held against the model that scored it: another champion has other distributions.
        model = platform.scored_by(book, int(str(version)))
        bundle = model.bundle()
        rows = _applications(platform, book, bundle.model, scored, batch)
        features = bundle.model.features(rows)
        reference = Reference.from_json(bundle.reference)
        table = drift_table(reference, features, rows["probability"].to_numpy(), book.drift)
        _write(platform, book, batch, table)
        drawn = table.verdict != "unknown" and batch in batches[-book.drift.report_batches :]
        if drawn:
            _draw(platform, book, batch, model, table, features.with_columns(rows["probability"]))
        context.log.info(f"{batch}: {table.verdict}. {reason_of(table)}")
        if partition_name(book, batch):
            context.add_asset_metadata(_metadata(platform, book, batch, table, drawn), partition_key=batch)
        yield batch, table


def _applications(
    platform: Platform, book: Portfolio, model: ScoringModel, scored: pl.DataFrame, batch: str
) -> pl.DataFrame:
    """The columns that the model read of each scored application, with its probability."""
    entity = book.contract.entity_key
    waiting = platform.lake.scan(book.name, "applications").with_columns(batch_of(book))
    needed = list(dict.fromkeys([entity, BATCH, *(column.name for column in model.inputs)]))
    rows = waiting.select(needed).filter(pl.col(BATCH) == batch).collect()
    joined = rows.join(scored.select(entity, "probability"), on=entity, maintain_order="right")
    if joined.height != scored.height:
        raise NotMaterializedError(
            f"{scored.height - joined.height:,} of {scored.height:,} scored applications of batch {batch} are "
            "no longer among the applications: materialize predictions again"
        )
    return joined


def _write(platform: Platform, book: Portfolio, batch: str, table: DriftTable) -> None:
    """The figures; a page for people that belongs to other figures is taken away."""
    path, content = platform.report_path(book, "drift", f"{batch}.json"), {"batch": batch, "reason": reason_of(table)}
    text = json.dumps(content | table.to_json(), indent=1) + "\n"
    if not path.is_file() or path.read_text() != text:
        for page in _pages(platform, book, batch):
            page.unlink(missing_ok=True)
    platform.write_report(book, f"drift/{batch}.json", text)


def _pages(platform: Platform, book: Portfolio, batch: str) -> tuple[Path, Path]:
    """The report for people, and its figures."""
    return (
        platform.report_path(book, "drift", f"{batch}-evidently.html"),
        platform.report_path(book, "drift", f"{batch}-evidently.json"),
    )


def _draw(
    platform: Platform,
    book: Portfolio,
    batch: str,
    model: StoredModel,
    table: DriftTable,
    current: pl.DataFrame,
) -> None:
    from loan_platform.adapters.reports.evidently_report import drift_report_process

    pages, title = _pages(platform, book, batch), f"{book.name} {batch}"
    drift_report_process(model.frame("development"), current, table, *pages, title=title, policy=book.drift)


def _metadata(platform: Platform, book: Portfolio, batch: str, table: DriftTable, drawn: bool) -> dict[str, Any]:
    report = platform.report_path(book, "drift", f"{batch}.json")
    figures = {"score_psi": float(table.variables[0].psi)} if table.verdict != "unknown" else {}
    return {
        "dagster/row_count": table.rows,
        "verdict": table.verdict,
        "reason": reason_of(table),
        "report_sha256": hashlib.sha256(report.read_bytes()).hexdigest(),
        "report": dg.PathMetadataValue(str(report)),
    } | (figures | _figures(report, batch, table) if figures and drawn else figures)


def _figures(report: Path, batch: str, table: DriftTable) -> dict[str, Any]:
    from loan_platform.adapters.reports.canvas import markdown_image
    from loan_platform.adapters.reports.plots import drift_plot

    return {
        "page": dg.PathMetadataValue(str(report.with_name(f"{batch}-evidently.html"))),
        "psi": dg.MarkdownMetadataValue(markdown_image(drift_plot(table))),
    }


def reason_of(table: DriftTable) -> str:
    """What a person is told of a batch."""
    if table.verdict == "unknown":
        return f"{table.rows:,} rows are too few to judge"
    drifting = [v for v in table.variables if v.status in ("warning", "critical")]
    named = ", ".join(f"{v.name} {v.psi:.2f}" for v in sorted(drifting, key=lambda v: -v.psi)[:5])
    more = f" and {len(drifting) - 5} more" if len(drifting) > 5 else ""
    return f"PSI of {named}{more}" if drifting else f"score PSI {table.variables[0].psi:.3f}, no variable drifts"


def drift_check(
    tables: dict[str, DriftTable], name: str, severity: dg.AssetCheckSeverity, alarming: tuple[str, ...]
) -> dg.AssetCheckResult:
    """Whether no batch has one of the alarming verdicts."""
    found = [batch for batch, table in tables.items() if table.verdict in alarming]
    return dg.AssetCheckResult(
        check_name=name,
        passed=not found,
        severity=severity,
        description=f"{', '.join(found)} of {len(tables)} batch(es)." if found else f"{len(tables)} batch(es).",
    )
