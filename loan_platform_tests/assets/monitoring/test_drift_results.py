"""What a check of drift says about batches."""

import dagster as dg
import pytest

from loan_platform.assets.monitoring.drift_results import drift_check
from loan_platform.core.monitoring.psi import Status

ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


@pytest.mark.parametrize(
    ("verdicts", "passed", "severity"),
    [
        ({}, True, ERROR),
        ({"2018-01": "ok"}, True, ERROR),
        ({"2018-01": "unknown", "2018-02": "ok"}, True, ERROR),
        ({"2018-01": "unknown", "2018-02": "unknown"}, False, WARN),
        ({"2018-01": "unknown", "2018-02": "critical"}, False, ERROR),
    ],
)
def test_batches_too_small_for_a_verdict_pass_no_check(
    verdicts: dict[str, Status], passed: bool, severity: dg.AssetCheckSeverity
) -> None:
    found = drift_check(verdicts, "no_critical_drift", ERROR, ("critical",))
    assert (found.passed, found.severity) == (passed, severity)
    assert str(found.description).startswith("Not assessable") == (severity == WARN)
