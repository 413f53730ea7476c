"""Metadata and checks of drift reports, the same for scored batches and for service requests."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from loan_platform.core.monitoring.drift_report import DriftReport
from loan_platform.core.monitoring.psi import Status


def drift_metadata(report: DriftReport, path: Path) -> dict[str, Any]:
    """Metadata of one batch's report; the retrain sensors read verdict, remedy, reason and SHA-256."""
    return {
        "dagster/row_count": report.rows,
        "verdict": report.verdict,
        "reason": report.reason,
        "remedy": report.remedy or "none",
        "remedy_reason": report.remedy_reason,
        "report_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "report": dg.PathMetadataValue(str(path)),
    }


def drift_check(
    verdicts: Mapping[str, Status],
    name: str,
    severity: dg.AssetCheckSeverity,
    alarming: tuple[Status, ...],
    remedies: Mapping[str, str] | None = None,
) -> dg.AssetCheckResult:
    """Whether no batch has one of the alarming verdicts. It does not pass, with a warning, if none can be assessed.

    `remedies` has a sentence by batch for the check's page.
    """
    found = [batch for batch, verdict in verdicts.items() if verdict in alarming]
    if verdicts and set(verdicts.values()) == {"unknown"}:
        return dg.AssetCheckResult(
            check_name=name,
            passed=False,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"Not assessable: all {len(verdicts)} batch(es) have too few rows for a verdict.",
        )
    return dg.AssetCheckResult(
        check_name=name,
        passed=not found,
        severity=severity,
        description=f"{', '.join(found)} of {len(verdicts)} batch(es)." if found else f"{len(verdicts)} batch(es).",
        metadata={batch: told for batch in found if (told := (remedies or {}).get(batch))},
    )


def remedy_sentence(report: DriftReport) -> str:
    """What would mend the drift of a batch, and why."""
    return f"{report.remedy}: {report.remedy_reason}"
