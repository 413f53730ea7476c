"""Jobs of a book, and the sensor that asks for a new model when a drift report is critical."""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from loan_platform.assets.specs.graph import JOINED, clean_asset, every_batch, key
from loan_platform.core.book.portfolio import Portfolio

TRAINING = (
    "validated_loans",
    "quarantined_rows",
    "loan_features",
    "trained_model",
    "model_evaluation",
    "model_card",
    "registry_version",
)
PROMOTION = ("promoted_model",)
SERVICE = ("scoring_service",)
SCORING = ("applications", "quarantined_applications", "predictions")
MONITORING = ("drift_report", "outcomes", "performance_report")
SERVED = (
    "served_predictions",
    "quarantined_records",
    "served_drift_report",
)  # not of the pipeline: nothing was served yet
BATCHED = {"predictions", "drift_report"}
RECORDS_PER_TICK = 1_000

AssetJob = Any  # dagster does not export the class that define_asset_job returns


def jobs(book: Portfolio) -> dict[str, AssetJob]:
    """The book's jobs by purpose; a book without applications ends at promotion."""
    purposes = {"training": (*ingested(book), *TRAINING), "promotion": PROMOTION}
    if "applications" in book.sources:
        purposes |= {"scoring": SCORING, "monitoring": monitoring_assets(book)}
    purposes["pipeline"] = tuple(name for names in purposes.values() for name in names)
    if "monitoring" in purposes:
        purposes["monitoring"] = (*purposes["monitoring"], *SERVED)
    purposes["service"] = SERVICE  # apart: a book need not be served
    return {purpose: _job(book, purpose, names) for purpose, names in purposes.items()}


def ingested(book: Portfolio) -> tuple[str, ...]:
    """Names of the assets from raw files to one row per loan."""
    sources = [table.name for table in book.contract.tables] or ["loans"]
    linked = [name for source in sources for name in (clean_asset(source), f"quarantined_{source}")]
    joined = (*linked, JOINED) if book.contract.tables else ()
    return (*(f"raw_{source}" for source in sources), *joined)


def monitoring_assets(book: Portfolio) -> tuple[str, ...]:
    """Names of the monitoring assets that the book's sources allow."""
    return MONITORING if "outcomes" in book.sources else ("drift_report",)


def _job(book: Portfolio, purpose: str, names: tuple[str, ...]) -> AssetJob:
    return dg.define_asset_job(
        name=f"{book.name}_{purpose}",
        selection=dg.AssetSelection.assets(*(key(book, name) for name in names)),
        description=f"{purpose.capitalize()} of {book.name}: {', '.join(names)}.",
        tags={"portfolio": book.name}
        | (every_batch(book) if "predictions" in names or "drift_report" in names else {}),
    )


def sensors(book: Portfolio) -> list[dg.SensorDefinition]:
    """The book's sensors: a new registry version is put before the promotion policy, drift asks for a new model."""
    promotion = _automation(
        book,
        "promote_new_version",
        "promoted_model",
        "Materializes promoted_model when a new version is registered and its checks have passed.",
    )
    service = _automation(
        book,
        "build_service",
        "scoring_service",
        "Builds and checks the book's Bento after a promotion; start it for books that are served.",
        running=False,
    )
    watched = [retrain_on_drift(book), retrain_on_drift(book, "served_")] if "applications" in book.sources else []
    return [promotion, service, *watched]


def _automation(
    book: Portfolio, name: str, asset: str, description: str, running: bool = True
) -> dg.AutomationConditionSensorDefinition:
    """The sensor that materializes an asset when its automation condition holds."""
    return dg.AutomationConditionSensorDefinition(
        f"{book.name}_{name}",
        target=dg.AssetSelection.assets(key(book, asset)),
        run_tags={"portfolio": book.name},
        default_status=dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED,
        description=description,
    )


def retrain_on_drift(book: Portfolio, of: str = "") -> dg.SensorDefinition:
    """Sensor: every drift report since the last tick is read, none is skipped; each critical one asks once.

    Args:
        book: whose reports.
        of: nothing for those of scored batches, `served_` for those of what the service answered.
    """

    @dg.sensor(
        name=f"{book.name}_retrain_on_{of}drift",
        job_name=f"{book.name}_training",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Requests the training job for each new drift report with a critical verdict.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        reports = dg.AssetRecordsFilter(
            asset_key=key(book, f"{of}drift_report"),
            after_storage_id=int(context.cursor) if context.cursor else None,
        )
        page = context.instance.fetch_materializations(reports, limit=RECORDS_PER_TICK, ascending=True)
        if not page.records:
            return dg.SkipReason("no new drift report")
        told = [record for record in page.records if _verdict(record)]  # a run over a range marks months without data
        requests = list(_requests(book, told))
        cursor = str(page.records[-1].storage_id)
        if requests:
            return dg.SensorResult(run_requests=requests, cursor=cursor)
        skipped = f"{len(told)} new drift report(s), none critical"
        return dg.SensorResult(skip_reason=dg.SkipReason(skipped), cursor=cursor)

    return sensor


def _verdict(record: dg.EventLogRecord) -> str | None:
    materialization = record.asset_materialization
    verdict = materialization.metadata.get("verdict") if materialization else None
    return str(verdict.value) if verdict else None


def _requests(book: Portfolio, records: Sequence[dg.EventLogRecord]) -> Iterator[dg.RunRequest]:
    for record in records:
        materialization = record.asset_materialization
        if materialization is None or _verdict(record) != "critical":
            continue
        told = {name: value.value for name, value in materialization.metadata.items()}
        report = str(told.get("asks_once_for") or str(told["report_sha256"])[:16])
        partition = record.partition_key or "all"
        yield dg.RunRequest(
            run_key=f"{book.name}/drift/{partition}/{report}",
            tags={
                "portfolio": book.name,
                "trigger": "drift",
                "drift_report": report,
                "drift_partition": partition,
                "drift_reason": str(told["reason"])[:250],
            },
        )
