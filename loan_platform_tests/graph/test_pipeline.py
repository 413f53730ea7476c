"""The whole graph, through Dagster's jobs, on a book of a third party that has other columns and no dates."""

import json
import sys
from collections.abc import Iterator

import dagster as dg
import polars as pl
import pytest

from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.assets.loan_portfolio import location
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.books import write_loans, write_project
from loan_platform_tests.support.processes.homes import ready_home

LOANS, APPLICATIONS = 3_000, 400


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PlatformSettings, dg.ExecuteInProcessResult]]:
    """The book's pipeline job, run once from raw files to the drift report."""
    folder = tmp_path_factory.mktemp("third_party")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOAN_PLATFORM_HOME", str(ready_home(folder / "home")))
        patch.setattr(sys, "path", [str(write_project(folder)), *sys.path])
        settings = PlatformSettings.from_environment()
        write_loans(settings.data / "car_loans" / "loans.csv", LOANS, seed=1)
        write_loans(settings.data / "car_loans" / "applications.csv", APPLICATIONS, seed=2, outcomes=False)
        job = location(folder / "small_bank").resolve_job_def("car_loans_pipeline")
        with dg.DagsterInstance.ephemeral() as instance:
            yield settings, job.execute_in_process(instance=instance)


def published(settings: PlatformSettings, asset: str) -> pl.DataFrame:
    return pl.read_parquet(settings.lake / "car_loans" / asset / "part-0.parquet")


def test_two_yaml_files_run_from_raw_file_to_predictions(
    finished: tuple[PlatformSettings, dg.ExecuteInProcessResult],
) -> None:
    settings, result = finished
    assert result.success
    predictions = published(settings, "predictions")
    assert predictions.height == APPLICATIONS
    answer = ["probability", "score", "risk", "decision", "expected_loss", "reasons"]
    assert predictions.columns == ["contract_no", "partition", *answer, "model_version", "content"]
    assert (predictions["reasons"].list.len() > 0).equals(predictions["decision"] == "decline")
    assert set(predictions["decision"].unique()) == {"approve", "refer", "decline"}
    assert predictions["probability"].is_between(0, 1, closed="none").all()
    assert predictions["contract_no"].is_sorted()


def test_its_model_is_champion_and_its_verdict_is_in_the_ledger(
    finished: tuple[PlatformSettings, dg.ExecuteInProcessResult],
) -> None:
    settings, _ = finished
    champion = Ledger(settings.ledger_url).champion("car_loans")
    assert champion is not None
    assert (champion.version, champion.epoch) == (1, 1)
    evaluation = json.loads((settings.reports / "car_loans" / "evaluation.json").read_text())
    assert evaluation["sha256"] == champion.model_sha256
    assert 0.65 < evaluation["test"]["auc"] < 0.95
    assert {c["family"] for c in evaluation["candidates"]} == {"scorecard", "gradient_boosting"}


def test_protected_columns_are_in_no_feature(finished: tuple[PlatformSettings, dg.ExecuteInProcessResult]) -> None:
    settings, _ = finished
    assert "sex" not in published(settings, "loan_features").columns


def test_applications_like_the_loans_do_not_drift(finished: tuple[PlatformSettings, dg.ExecuteInProcessResult]) -> None:
    settings, _ = finished
    drift = json.loads((settings.reports / "car_loans" / "drift" / "all.json").read_text())
    assert drift["verdict"] == "ok"
    assert drift["rows"] == APPLICATIONS


def test_every_check_was_evaluated_and_none_failed(
    finished: tuple[PlatformSettings, dg.ExecuteInProcessResult],
) -> None:
    _, result = finished
    checks = result.get_asset_check_evaluations()
    assert len(checks) > 15
    assert [check.check_name for check in checks if not check.passed] == []


def test_later_files_and_a_later_model_leave_nothing_stale(
    finished: tuple[PlatformSettings, dg.ExecuteInProcessResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, _ = finished
    monkeypatch.setenv("LOAN_PLATFORM_HOME", str(settings.home))
    data = settings.data / "car_loans"
    definitions = location(settings.home.parent / "small_bank")

    def run(purpose: str) -> None:
        with dg.DagsterInstance.ephemeral() as instance:
            assert definitions.resolve_job_def(f"car_loans_{purpose}").execute_in_process(instance=instance).success

    write_loans(data / "loans.csv", LOANS, seed=3)
    run("training")
    run("promotion")
    ledger = Ledger(settings.ledger_url)
    assert [entry.version for entry in ledger.history("car_loans")] == [1, 2]
    assert ledger.verify()
    run("monitoring")  # the batch of version 1 is still held against version 1
    assert json.loads((settings.reports / "car_loans" / "drift" / "all.json").read_text())["verdict"] == "ok"

    write_loans(data / "applications.csv", 150, seed=4, outcomes=False)
    run("scoring")
    run("monitoring")
    predictions = published(settings, "predictions")
    assert predictions.height == APPLICATIONS + 150
    champion = ledger.champion("car_loans")
    assert champion is not None
    assert predictions["model_version"].unique().to_list() == [champion.version]
    answers = published(settings, "answer_history")  # what version 1 decided is still there
    assert dict(answers.group_by("model_version").len().rows()) == {1: APPLICATIONS, 2: APPLICATIONS + 150}


def test_a_correction_not_scored_yet_leaves_the_drift_report(
    finished: tuple[PlatformSettings, dg.ExecuteInProcessResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, _ = finished
    monkeypatch.setenv("LOAN_PLATFORM_HOME", str(settings.home))
    definitions = location(settings.home.parent / "small_bank")
    report = settings.reports / "car_loans" / "drift" / "all.json"
    before = report.read_text()
    file = settings.data / "car_loans" / "applications.csv"
    write_loans(file, 120, seed=4, outcomes=False)
    file.write_text(file.read_text().replace(";west;", ";north;"))
    with dg.DagsterInstance.ephemeral() as instance:
        scoring = definitions.resolve_job_def("car_loans_scoring")
        names = ("applications", "quarantined_applications", "replaced_applications")
        selection = [dg.AssetKey(["car_loans", name]) for name in names]
        assert scoring.execute_in_process(instance=instance, asset_selection=selection).success
        assert definitions.resolve_job_def("car_loans_monitoring").execute_in_process(instance=instance).success
    assert published(settings, "replaced_applications").height > 20
    assert report.read_text() == before
