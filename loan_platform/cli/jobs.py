"""Run a Dagster job in this process and show each step as it happens."""

import sys
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any, TextIO

import dagster as dg

from loan_platform.adapters.reports.helper_process import peak_megabytes

# Dagster's own console log would tell every event; the lines below tell what a person wants to see.
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
POLL_SECONDS = 0.2


@dataclass
class Story:
    """What the steps of the jobs so far did."""

    seconds: dict[str, float] = field(default_factory=dict)
    peak_megabytes: dict[str, int] = field(default_factory=dict)
    metadata: dict[tuple[str, str | None], dict[str, Any]] = field(default_factory=dict)
    failed_checks: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def rows(self, asset: str) -> int:
        """Rows of an asset, over all its partitions."""
        told = [values for (name, _), values in self.metadata.items() if name == asset]
        return sum(values.get("dagster/row_count", 0) for values in told)


def run_job(
    defs: dg.Definitions,
    name: str,
    instance: dg.DagsterInstance,
    story: Story,
    tags: dict[str, str] | None = None,
    out: TextIO = sys.stderr,
) -> bool:
    """Run one job to its end, writing a line for each message, finished step and failed check to `out`.

    Returns whether it succeeded; what happened is added to `story`.
    """
    job, run_id = defs.resolve_job_def(name), str(uuid.uuid4())
    outcome: list[bool] = []

    def execute() -> None:
        try:
            result = job.execute_in_process(QUIET, instance, run_id=run_id, tags=tags, raise_on_error=False)
            outcome.append(result.success)
        except Exception as error:  # of Dagster itself; it must reach the person who waits
            story.errors.append(f"{name}: {error}")

    worker = threading.Thread(target=execute, name=name, daemon=True)
    worker.start()
    cursor, running = None, True
    while running:
        worker.join(POLL_SECONDS)
        running = worker.is_alive()
        page = instance.get_records_for_run(run_id, cursor)
        for record in page.records:
            _tell(record.event_log_entry, story, out)
        cursor = page.cursor
    return outcome == [True]


def _tell(entry: dg.EventLogEntry, story: Story, out: TextIO) -> None:
    event = entry.dagster_event
    step = (entry.step_key or "").split("__", 1)[-1]
    if event is None:
        out.write(f"  {step:<22} {entry.user_message}\n")
    elif event.is_step_success:
        seconds = event.step_success_data.duration_ms / 1000
        story.seconds[step] = story.seconds.get(step, 0.0) + seconds
        story.peak_megabytes[step] = peak_megabytes()
        out.write(f"✓ {step:<22} {seconds:6.1f} s\n")
    elif event.is_step_failure:
        message = _why(event.step_failure_data)
        story.errors.append(f"{step}: {message}")
        out.write(f"✗ {step:<22} {message}\n")
    elif event.event_type_value == "ASSET_CHECK_EVALUATION":
        _tell_check(event.asset_check_evaluation_data, story, out)
    elif event.event_type_value == "ASSET_MATERIALIZATION":
        materialization = event.step_materialization_data.materialization
        values = {name: value.value for name, value in materialization.metadata.items()}
        story.metadata[materialization.asset_key.path[-1], materialization.partition] = values
    out.flush()


def _why(failure: Any) -> str:
    if failure.user_failure_data is not None:
        return failure.user_failure_data.description
    return (failure.error.cause or failure.error).message.strip() if failure.error else "failed"


def _tell_check(check: dg.AssetCheckEvaluation, story: Story, out: TextIO) -> None:
    if not check.passed:
        story.failed_checks.append(f"{check.asset_key.path[-1]}: {check.check_name}")
        out.write(
            f"! {check.severity.value:<5} {check.asset_key.path[-1]}: {check.check_name}. {check.description or ''}\n"
        )
