"""A book whose author kept a leak: training ends before a version, and the check names the column."""

import copy
import sys
from pathlib import Path

import dagster as dg
import pytest

from loan_platform.assets.loan_portfolio import location
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.books import ATTRIBUTES, CONTRACT, write_loans, write_project

QUICK = ATTRIBUTES | {"training": {"families": ["scorecard"], "trials": 1}}


@pytest.mark.slow
def test_a_column_that_is_filled_after_default_ends_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOAN_PLATFORM_HOME", str(tmp_path / "home"))
    loans = PlatformSettings.from_environment().data / "car_loans" / "loans.csv"
    write_loans(loans, 1_000)
    header, *lines = loans.read_text().splitlines()
    called = [f"{line};{7 if line.endswith('no') and at % 2 else ''}" for at, line in enumerate(lines)]
    loans.write_text("\n".join([f"{header};Calls", *called]) + "\n")
    contract = copy.deepcopy(CONTRACT)
    contract["columns"].append({"name": "calls", "description": "Calls.", "type": "integer", "sql": '"Calls"'})
    contract["features"].append({"name": "calls", "sql": "calls", "description": "Calls.", "reason": "Calls."})
    monkeypatch.setattr(sys, "path", [str(write_project(tmp_path / "project", contract, QUICK)), *sys.path])
    with dg.DagsterInstance.ephemeral() as instance:
        job = location(tmp_path / "project" / "small_bank").resolve_job_def("car_loans_training")
        result = job.execute_in_process(instance=instance, raise_on_error=False)
    failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
    checks = {check.check_name: check for check in failed if check.severity == dg.AssetCheckSeverity.ERROR}
    assert set(checks) == {"no_leak"}
    assert "feature 'calls' knows the outcome: " in str(checks["no_leak"].description)
    assert "registry_version" not in {
        e.asset_key.path[-1] for e in result.get_asset_materialization_events() if e.asset_key
    }
