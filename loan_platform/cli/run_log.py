"""What the steps of a run did, and one line of text for each event."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from loan_platform.adapters.reports.helper_process import peak_megabytes

STOPPED = "stopped by the checks above: the next steps do not run"


@dataclass
class RunLog:
    """What the steps of the jobs so far did.

    Attributes:
        seconds: by step.
        peak_megabytes: peak memory of the process at the end of each step.
        metadata: of the newest materialization, by asset and partition.
        failed_checks: `asset: check`.
        errors: `step: message`.
        refusals: why a blocking check, or the promotion policy, let nothing further run.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    peak_megabytes: dict[str, int] = field(default_factory=dict)
    metadata: dict[tuple[str, str | None], dict[str, Any]] = field(default_factory=dict)
    failed_checks: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    def rows(self, asset: str) -> int:
        """Rows of an asset, over all its partitions."""
        found = [values for (name, _), values in self.metadata.items() if name == asset]
        return sum(values.get("dagster/row_count", 0) for values in found)

    def of_run(self, asset: str, key: str) -> dict[str, Any]:
        """Metadata about the run as a whole, which each partition of the asset has, by one key of it."""
        return next(values for (name, _), values in self.metadata.items() if name == asset and key in values)

    def add(self, entry: dg.EventLogEntry) -> Iterator[str]:
        """Record an event of Dagster, and give the lines that describe it."""
        event = entry.dagster_event
        step = (entry.step_key or "").split("__", 1)[-1]
        if event is None:
            yield f"  {step:<22} {entry.user_message}"
        elif event.is_step_success:
            seconds = event.step_success_data.duration_ms / 1000
            self.seconds[step] = self.seconds.get(step, 0.0) + seconds
            self.peak_megabytes[step] = peak_megabytes()
            yield f"✓ {step:<22} {seconds:6.1f} s"
        elif event.is_step_failure:
            message = _failure_message(event.step_failure_data)
            if message != STOPPED:  # `refusals` says by which checks
                self.errors.append(f"{step}: {message}")
            yield f"✗ {step:<22} {message}"
        elif event.event_type_value == "ASSET_CHECK_EVALUATION":
            yield from self._add_check(event.asset_check_evaluation_data)
        elif event.event_type_value == "ASSET_MATERIALIZATION":
            self._add_materialization(event.step_materialization_data.materialization)

    def _add_check(self, check: dg.AssetCheckEvaluation) -> Iterator[str]:
        if check.passed:
            return
        name = f"{check.asset_key.path[-1]}: {check.check_name}"
        self.failed_checks.append(name)
        if check.blocking and check.severity == dg.AssetCheckSeverity.ERROR:
            self.refusals.append(f"{name}. {check.description or ''}")
        yield f"! {check.severity.value:<5} {name}. {check.description or ''}"

    def _add_materialization(self, materialization: dg.AssetMaterialization) -> None:
        values = {name: value.value for name, value in materialization.metadata.items()}
        self.metadata[materialization.asset_key.path[-1], materialization.partition] = values


def _failure_message(failure: Any) -> str:
    if failure.user_failure_data is not None:
        return failure.user_failure_data.description
    if failure.error is None:
        return "failed"
    cause = failure.error.cause or failure.error
    return STOPPED if cause.cls_name == "DagsterAssetCheckFailedError" else cause.message.strip()
