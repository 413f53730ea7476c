"""A critical drift report asks for a new model: once under the real daemon, with the real launcher."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from loan_platform.adapters.ledger.ledger import Champion, Ledger
from loan_platform.adapters.platform.home import ensure_home
from loan_platform.settings import Settings
from loan_platform_tests.support.books import write_loans, write_project

LOCATION = """
from pathlib import Path
import dagster as dg
from loan_platform.settings import quiet_environment
quiet_environment()

@dg.definitions
def defs():
    from loan_platform.assets.loan_portfolio import location
    return location(Path(__file__).parent)
"""
PATIENCE_SECONDS = 120


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Settings]:
    """A project with one book, its home, and `dagster-daemon run` on both; ended with its children."""
    project = write_project(tmp_path / "project")
    (project / "small_bank" / "definitions.py").write_text(LOCATION)
    settings = Settings.from_environment()
    ensure_home(settings)
    write_loans(settings.data / "car_loans" / "loans.csv", 1_500)
    command = ["dagster-daemon", "run", "-m", "small_bank.definitions", "-d", str(project)]
    with (tmp_path / "daemon.log").open("w") as log:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name(command[0])), *command[1:]],
            env=os.environ | {"PYTHONPATH": str(project), "DAGSTER_HOME": str(settings.dagster_home)},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield settings
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.slow
def test_a_critical_report_starts_one_training_run(daemon: Settings, tmp_path: Path) -> None:
    with dg.DagsterInstance.from_config(str(daemon.dagster_home)) as instance:
        report = dg.AssetMaterialization(
            dg.AssetKey(["car_loans", "drift_report"]),
            metadata={"verdict": "critical", "report_sha256": "f" * 64, "reason": "PSI of score 0.41"},
        )
        instance.report_runless_asset_event(report)
        requested = wait_for_runs(instance, tmp_path / "daemon.log")
    assert len(requested) == 1
    run = requested[0]
    assert run.job_name == "car_loans_training"
    assert run.status == dg.DagsterRunStatus.SUCCESS
    assert run.tags["trigger"] == "drift"
    assert run.tags["drift_report"] == "f" * 16
    assert run.tags["drift_reason"] == "PSI of score 0.41"
    assert (daemon.lake / "car_loans" / "trained_model" / "latest").is_file()
    assert wait_for_champion(daemon, tmp_path / "daemon.log").version == 1


def wait_for_champion(settings: Settings, log: Path) -> Champion:
    """The champion, once the automation has put the new version before the promotion policy."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if champion := Ledger(settings.ledger_url).champion("car_loans"):
            return champion
        time.sleep(0.5)
    raise AssertionError(f"no champion in {PATIENCE_SECONDS} s:\n{log.read_text()[-3000:]}")


def wait_for_runs(instance: dg.DagsterInstance, log: Path) -> list[dg.DagsterRun]:
    """The training runs, once one has come to its end."""
    asked = dg.RunsFilter(tags={"trigger": "drift"})
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        runs = list(instance.get_runs(asked))
        if runs and all(run.is_finished for run in runs):
            return runs
        time.sleep(0.5)
    raise AssertionError(f"no training run ended in {PATIENCE_SECONDS} s:\n{log.read_text()[-3000:]}")
