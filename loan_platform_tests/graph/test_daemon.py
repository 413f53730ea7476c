"""A critical drift report asks for a new model: once under the real daemon, with the real launcher."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from loan_platform.adapters.ledger.entries import Champion
from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.adapters.platform.home import ensure_home
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.books import write_loans, write_project
from loan_platform_tests.support.processes.dagster import daemon
from loan_platform_tests.support.waiting import until


@pytest.fixture
def running(tmp_path: Path) -> Iterator[PlatformSettings]:
    """The home of a project with one book, and `dagster-daemon run` on both."""
    project = write_project(tmp_path / "project")
    settings = PlatformSettings.from_environment()
    ensure_home(settings)
    write_loans(settings.data / "car_loans" / "loans.csv", 1_500)
    with daemon(tmp_path / "daemon.log", settings.dagster_home, project, "small_bank.definitions"):
        yield settings


@pytest.mark.integration
@pytest.mark.slow
def test_a_critical_report_starts_one_training_run(running: PlatformSettings, tmp_path: Path) -> None:
    with dg.DagsterInstance.from_config(str(running.dagster_home)) as instance:
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
    assert (running.lake / "car_loans" / "trained_model" / "latest").is_file()
    assert wait_for_champion(running, tmp_path / "daemon.log").version == 1


def wait_for_champion(settings: PlatformSettings, log: Path) -> Champion:
    """The champion, once the automation has put the new version before the promotion policy."""
    return until(lambda: Ledger(settings.ledger_url).champion("car_loans"), lambda: log.read_text()[-3000:])


def wait_for_runs(instance: dg.DagsterInstance, log: Path) -> list[dg.DagsterRun]:
    """The training runs, once one has come to its end."""
    asked = dg.RunsFilter(tags={"trigger": "drift"})

    def finished() -> list[dg.DagsterRun]:
        runs = list(instance.get_runs(asked))
        return runs if all(run.is_finished for run in runs) else []

    return until(finished, lambda: log.read_text()[-3000:])
