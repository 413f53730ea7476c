"""Sensors of a book: promote a new version, build the service, retrain on drift."""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from loan_platform.assets.automation.jobs import stage_selection
from loan_platform.assets.specs.book_assets import asset_key
from loan_platform.assets.specs.stages import Stage
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.monitoring.remedies import ASKS_FOR_TRAINING

MAX_RECORDS_PER_TICK = 1_000
MAX_REASON_LENGTH = 2_000


def sensors(book: Portfolio) -> list[dg.SensorDefinition]:
    """The book's sensors. A book without applications has no drift to watch."""
    promote = _automation(
        book,
        "promote_new_version",
        ("promotion", "policy"),
        "Applies the promotion policy to each new version whose checks have passed, then the present cut-offs.",
    )
    build = _automation(
        book,
        "build_service",
        ("serving",),
        "Builds and checks the scoring service after each promotion. Turn it on for a book with a service.",
        running=False,
    )
    if "applications" not in book.sources:
        return [promote, build]
    return [promote, build, retrain_on_drift(book), retrain_on_served_drift(book)]


def retrain_on_drift(book: Portfolio) -> dg.SensorDefinition:
    """Request training for each critical drift report of a scored batch that training would mend."""
    return _retrain(
        book,
        "retrain_on_drift",
        "drift_report",
        "Requests the training job once for each critical drift report of a scored batch whose remedy is to retrain "
        "or to recalibrate. Calibration is a step of training.",
    )


def retrain_on_served_drift(book: Portfolio) -> dg.SensorDefinition:
    """Request training for each critical drift report of the service's requests that training would mend."""
    return _retrain(
        book,
        "retrain_on_served_drift",
        "served_drift_report",
        "Requests the training job once for each month and version whose service requests drift critically, where the "
        "remedy is to retrain or to recalibrate.",
    )


def _automation(
    book: Portfolio, name: str, stages: tuple[Stage, ...], description: str, running: bool = True
) -> dg.AutomationConditionSensorDefinition:
    """The sensor that materializes the assets of some stages when their automation conditions hold."""
    return dg.AutomationConditionSensorDefinition(
        f"{book.name}_{name}",
        target=stage_selection(book, *stages),
        run_tags={"portfolio": book.name},
        default_status=dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED,
        description=description,
    )


def _retrain(book: Portfolio, name: str, report: str, description: str) -> dg.SensorDefinition:
    """A sensor that reads every report since its last tick. `dg.asset_sensor` would see the newest report only."""

    @dg.sensor(
        name=f"{book.name}_{name}",
        job_name=f"{book.name}_training",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=description,
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        filters = dg.AssetRecordsFilter(
            asset_key=asset_key(book, report),
            after_storage_id=int(context.cursor) if context.cursor else None,
        )
        page = context.instance.fetch_materializations(filters, limit=MAX_RECORDS_PER_TICK, ascending=True)
        if not page.records:
            return dg.SkipReason("no new drift report")
        cursor = str(page.records[-1].storage_id)
        reports = [record for record in page.records if _verdict(record)]  # months without data have none
        critical = [record for record in reports if _verdict(record) == "critical"]
        declined = [why for record in critical if (why := _why_no_training(record))]
        for why in declined:
            context.log.info(f"no training is requested: {why}")
        if requests := list(_requests(book, [record for record in critical if not _why_no_training(record)])):
            return dg.SensorResult(run_requests=requests, cursor=cursor)
        told = f"none asks for training. {' '.join(declined)[:MAX_REASON_LENGTH]}" if declined else "none critical"
        reason = f"{len(reports)} new drift report(s), {told}"
        return dg.SensorResult(skip_reason=dg.SkipReason(reason), cursor=cursor)

    return sensor


def _verdict(record: dg.EventLogRecord) -> str | None:
    verdict = _metadata(record).get("verdict")
    return str(verdict) if verdict else None


def _why_no_training(record: dg.EventLogRecord) -> str | None:
    """Why training would not mend the drift of a critical report; None where it would.

    Reports of earlier releases have no remedy and ask for training, as they did.
    """
    metadata = _metadata(record)
    remedy = metadata.get("remedy")
    if remedy is None or remedy in ASKS_FOR_TRAINING:
        return None
    return f"{record.partition_key or metadata.get('batch') or 'all'}: {remedy}. {metadata.get('remedy_reason')}"


def _metadata(record: dg.EventLogRecord) -> dict[str, Any]:
    materialization = record.asset_materialization
    return {name: value.value for name, value in materialization.metadata.items()} if materialization else {}


def _requests(book: Portfolio, records: Sequence[dg.EventLogRecord]) -> Iterator[dg.RunRequest]:
    for record in records:
        metadata = _metadata(record)
        report = str(metadata.get("asks_once_for") or str(metadata["report_sha256"])[:16])
        partition = record.partition_key or "all"
        yield dg.RunRequest(
            run_key=f"{book.name}/drift/{partition}/{report}",
            tags={
                "portfolio": book.name,
                "trigger": "drift",
                "drift_report": report,
                "drift_partition": partition,
                "drift_reason": str(metadata["reason"])[:250],
            },
        )
