"""Rows that fail a blocking check are kept aside: the published rows, their reports and the decisions stay."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.assets.loan_portfolio import location
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.books import write_project
from loan_platform_tests.support.processes.homes import ready_home
from loan_platform_tests.support.small_books.linked_cars import (
    APPLICATIONS,
    ATTRIBUTES,
    CONTRACT,
    LOANS,
    NAME,
    edited,
    write_files,
)

Break = Callable[[Path], None]
PEOPLE = ("raw_people", "clean_people", "quarantined_people", "replaced_people")
CLEAN = (*PEOPLE, "raw_loans", "clean_loans", "quarantined_loans")
REPLACE_PEOPLE = {"ops": {f"{NAME}__clean_people": {"config": {"replace": True}}}}
STAGED = ("clean_loans", "clean_people", "joined_loans", "validated_loans", "applications", "outcomes", "predictions")


@dataclass(frozen=True)
class Platform:
    """The book after its first pipeline run, with the instance that recorded it."""

    settings: PlatformSettings
    definitions: dg.Definitions
    instance: dg.DagsterInstance

    def run(self, purpose: str, *assets: str, **options: Any) -> dg.ExecuteInProcessResult:
        job = self.definitions.resolve_job_def(f"{NAME}_{purpose}")
        chosen = [dg.AssetKey([NAME, asset]) for asset in assets] or None
        return job.execute_in_process(instance=self.instance, asset_selection=chosen, raise_on_error=False, **options)

    def lake(self, name: str) -> Path:
        return self.settings.lake / NAME / name / "part-0.parquet"

    def published(self) -> dict[str, bytes]:
        """Every published row and every report about published rows."""
        reports = self.settings.reports / NAME
        files = [*map(self.lake, STAGED), *reports.rglob("staging.json"), *reports.rglob("quality.json")]
        return {str(path): path.read_bytes() for path in files if "refused" not in path.parts}

    def refused(self) -> set[str]:
        return {path.parent.name for path in (self.settings.lake / NAME / "refused").rglob("part-0.parquet")}

    @property
    def data(self) -> Path:
        return self.settings.data / NAME


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("linked_cars")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOAN_PLATFORM_HOME", str(ready_home(folder / "home")))
        patch.setattr(sys, "path", [str(write_project(folder, CONTRACT, ATTRIBUTES, NAME)), *sys.path])
        settings = PlatformSettings.from_environment()
        write_files(settings.data / NAME)
        with dg.DagsterInstance.ephemeral() as instance:
            platform = Platform(settings, location(folder / "small_bank"), instance)
            assert platform.run("training").success
            assert platform.run("promotion").success
            assert platform.run("scoring").success
            assert platform.run("monitoring", "outcomes", "quarantined_outcomes", "replaced_outcomes").success
            yield platform


@pytest.fixture
def platform(first: Platform) -> Platform:
    write_files(first.data)
    return first


def step_failure(result: dg.ExecuteInProcessResult) -> tuple[str, str]:
    """The asset whose step failed, and the message."""
    (failed,) = (event for event in result.all_events if event.is_step_failure)
    assert failed.step_failure_data.user_failure_data is not None
    return str(failed.step_key).split("__")[1], str(failed.step_failure_data.user_failure_data.description)


def failed_checks(result: dg.ExecuteInProcessResult) -> set[str]:
    return {check.check_name for check in result.get_asset_check_evaluations() if not check.passed and check.blocking}


def materialized(result: dg.ExecuteInProcessResult) -> set[str]:
    return {event.asset_key.path[-1] for event in result.get_asset_materialization_events() if event.asset_key}


def write(field: int, text: str) -> Break:
    """Write a text into a field of 40 % of the rows."""
    return lambda path: edited(path, field, text, 0.4)


def add_later_people(path: Path) -> None:
    """Each person states another salary long after the loan."""
    header, *rows = path.read_text().splitlines()
    later = [f"{row.split(',')[0]},2030-01-01,9" for row in rows[:LOANS]]
    path.write_text("\n".join([header, *rows, *later]) + "\n")


def add_a_loan_of_nobody(path: Path) -> None:
    path.write_text(f"{path.read_text()}NOBODY,2022-01-05,100,yes\n")


TRAINING = {
    "people unreadable": ("people", write(2, "?"), "clean_people", {"quarantine_within_policy"}),
    "people without a salary": ("people", write(2, ""), "clean_people", {"salary_missing_share"}),
    "people repeated": ("people", write(0, "C0"), "clean_people", {"quarantine_within_policy"}),
    "loans without a date": ("loans", write(1, "soon"), "clean_loans", {"quarantine_within_policy"}),
    "loans out of range": ("loans", write(2, "9e12"), "validated_loans", {"quarantine_within_policy"}),
    "a join that loses loans": ("loans", add_a_loan_of_nobody, "joined_loans", {"no_loan_lost"}),
}


@pytest.mark.parametrize(("file", "breaks", "asset", "checks"), TRAINING.values(), ids=TRAINING)
def test_a_refused_training_file_changes_no_decision(
    platform: Platform, file: str, breaks: Break, asset: str, checks: set[str]
) -> None:
    before = platform.published()
    breaks(platform.data / f"{file}.csv")
    training = platform.run("training")
    assert step_failure(training)[0] == asset
    assert failed_checks(training) == checks
    assert asset not in materialized(training)
    assert asset in platform.refused()
    if asset in ("clean_people", "clean_loans"):
        assert platform.run("scoring").success
        assert platform.published() == before
    assert platform.lake(asset).read_bytes() == before[str(platform.lake(asset))]


@pytest.mark.parametrize(
    ("file", "breaks", "purpose"),
    [("applications", write(2, "9e12"), "scoring"), ("outcomes", write(1, "soon"), "monitoring")],
)
def test_a_refused_later_file_leaves_the_one_before(platform: Platform, file: str, breaks: Break, purpose: str) -> None:
    before = platform.published()
    breaks(platform.data / f"{file}.csv")
    result = platform.run(purpose)
    assert step_failure(result)[0] == file
    assert failed_checks(result) == {"quarantine_within_policy"}
    assert not {file, f"quarantined_{file}"} & materialized(result)
    assert {file, f"quarantined_{file}"} <= platform.refused()
    assert platform.published() == before


def test_a_linked_file_adds_and_takes_nothing_away(platform: Platform) -> None:
    people, everyone = platform.data / "people.csv", LOANS + APPLICATIONS
    header, first, *rows = people.read_text().splitlines()
    person, stated, _ = first.split(",")
    people.write_text("\n".join([header, f"{person},{stated},7.0", "NEW,2022-01-01,9.0"]) + "\n")
    assert platform.run("training", *PEOPLE).success
    known = pl.read_parquet(platform.lake("clean_people"))
    assert known.height == everyone + 1
    assert known.filter(person=person)["salary"].to_list() == [7.0]
    assert pl.read_parquet(platform.lake("replaced_people"))["person"].to_list() == [person]
    write_files(platform.data)
    assert platform.run("training", *PEOPLE, run_config=REPLACE_PEOPLE).success
    assert pl.read_parquet(platform.lake("clean_people")).height == len(rows) + 1 == everyone
    assert pl.read_parquet(platform.lake("replaced_people"))["person"].to_list() == [person, person, "NEW"]


def test_files_that_may_lack_a_row_replace_nothing(platform: Platform) -> None:
    write(2, "?")(platform.data / "people.csv")
    before = platform.lake("clean_people").read_bytes()
    header, *rows = (platform.data / "people.csv").read_text().splitlines()
    few = [rows[0], *rows[-50:]]  # one of 51 rows is quarantined, which the policy allows
    (platform.data / "people.csv").write_text("\n".join([header, *few]) + "\n")
    result = platform.run("training", *PEOPLE, run_config=REPLACE_PEOPLE)
    assert failed_checks(result) == {"no_rows_lost"}
    assert "But 1 rows of the files are quarantined" in step_failure(result)[1]
    assert platform.lake("clean_people").read_bytes() == before


def test_a_linked_file_without_rows_changes_nothing(platform: Platform) -> None:
    before = pl.read_parquet(platform.lake("clean_people")).drop("in_last_file")
    (platform.data / "people.csv").write_text("person,stated,salary\n")
    assert platform.run("training", *PEOPLE).success
    assert pl.read_parquet(platform.lake("clean_people")).drop("in_last_file").equals(before)


def test_rows_that_look_ahead_are_refused_and_can_be_taken_back(platform: Platform) -> None:
    assert platform.run("training", "joined_loans", *CLEAN).success
    before = platform.lake("joined_loans").read_bytes()
    add_later_people(platform.data / "people.csv")
    training = platform.run("training")
    assert step_failure(training)[0] == "joined_loans"
    assert failed_checks(training) == {"point_in_time"}
    write_files(platform.data)
    assert failed_checks(platform.run("training")) == {"point_in_time"}  # files take nothing away
    assert platform.run("training", "joined_loans", *CLEAN, run_config=REPLACE_PEOPLE).success
    assert platform.lake("joined_loans").read_bytes() == before


def test_an_application_that_the_join_loses_is_quarantined(platform: Platform) -> None:
    file = platform.data / "applications.csv"
    file.write_text(f"{file.read_text()}NOBODY,2023-01-05,100\n")
    assert platform.run("scoring").success
    (lost,) = pl.read_parquet(platform.lake("quarantined_applications")).rows(named=True)
    assert (lost["source_line"], lost["reason"]) == (APPLICATIONS + 2, "not_joined")
    assert lost["message"] == "the join of the linked sources gives it no row"
    assert pl.read_parquet(platform.lake("applications")).height == APPLICATIONS


def test_a_refusal_says_what_failed_and_where_the_rows_are(platform: Platform) -> None:
    write(2, "?")(platform.data / "people.csv")
    _, message = step_failure(platform.run("training"))
    people = LOANS + APPLICATIONS
    refused = platform.settings.lake / NAME / "refused"
    assert "clean_people is refused: 1 blocking check failed." in message
    assert "- quarantine_within_policy: 40.00% of the rows are quarantined. The limit is 10.0%." in message
    assert "The published rows are unchanged." in message
    assert str(refused / "quarantined_people" / "part-0.parquet") in message
    assert "run the job again" in message
    bad = pl.read_parquet(refused / "quarantined_people" / "part-0.parquet")
    assert bad.height == 0.4 * people
    assert bad["reason"].unique().to_list() == ["unparseable"]
    would_count = pl.read_parquet(refused / "clean_people" / "part-0.parquet")
    assert (would_count.height, would_count["in_last_file"].sum()) == (people, 0.6 * people)
    reports = platform.settings.reports / NAME
    assert json.loads((reports / "refused/clean_people/staging.json").read_text())["quarantined"] == 0.4 * people
    assert json.loads((reports / "people/staging.json").read_text())["quarantined"] == 0
    assert (reports / "refused/clean_people/quality.html").is_file()


def test_the_next_good_file_removes_what_was_refused(platform: Platform) -> None:
    write(2, "?")(platform.data / "people.csv")
    assert not platform.run("training", *PEOPLE).success
    write_files(platform.data)
    assert platform.run("training", *PEOPLE).success
    assert not {"clean_people", "quarantined_people"} & platform.refused()
    assert not (platform.settings.reports / NAME / "refused" / "clean_people").exists()


def test_a_refused_model_is_neither_version_nor_champion(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest model failed its gate: each next asset says so, alone too, and the champion scores."""
    before = platform.lake("predictions").read_bytes()
    strict = ATTRIBUTES | {"promotion": ATTRIBUTES["promotion"] | {"min_auc": 0.98}}
    monkeypatch.setenv("LOAN_PLATFORM_HOME", str(platform.settings.home))
    monkeypatch.setattr(sys, "path", [str(write_project(tmp_path, CONTRACT, strict, NAME)), *sys.path])
    refusing = replace(platform, definitions=location(tmp_path / "small_bank"))
    edited(platform.data / "loans.csv", 3, "yes", 0.2)
    training = refusing.run("training")
    assert failed_checks(training) == {"auc_above_floor"}
    assert not {"registry_version", "model_card"} & materialized(training)
    alone = refusing.run("training", "registry_version")
    assert "not registered: Test AUC" in step_failure(alone)[1]
    promotion = refusing.run("promotion")
    assert "the newest model is not registered" in step_failure(promotion)[1]
    champion = Ledger(platform.settings.ledger_url).champion(NAME)
    assert champion is not None
    assert champion.version == 1
    assert refusing.run("scoring").success
    assert platform.lake("predictions").read_bytes() == before
