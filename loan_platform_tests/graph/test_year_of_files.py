"""A year of monthly files through the real jobs: after each the counts reconcile, and no answer is ever lost."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from loan_platform.assets.loan_portfolio import location
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.books import write_project
from loan_platform_tests.support.processes.homes import ready_home
from loan_platform_tests.support.small_books.dated_cars import (
    DATED,
    DATED_ATTRIBUTES,
    MONTHS,
    NAME,
    month_rows,
    write_applications,
    write_history,
    write_outcomes,
)

pytestmark = pytest.mark.slow
TAGS_OF_JUNE = {
    "dagster/asset_partition_range_start": "2023-01",
    "dagster/asset_partition_range_end": "2023-06",
    "all_batches": "2023-01..2023-06",
}


@dataclass
class Book:
    """The book, its files and what was published of them."""

    settings: PlatformSettings
    definitions: dg.Definitions
    instance: dg.DagsterInstance

    def run(self, purpose: str, **options: Any) -> dg.ExecuteInProcessResult:
        """Run one of the book's jobs."""
        job = self.definitions.resolve_job_def(f"{NAME}_{purpose}")
        return job.execute_in_process(instance=self.instance, raise_on_error=False, **options)

    def score(self, rows: dict[str, str], **options: Any) -> dg.ExecuteInProcessResult:
        """Put a file of applications in place and run the scoring job."""
        write_applications(self.file("applications"), rows.values())
        return self.run("scoring", **options)

    def file(self, source: str) -> Path:
        """The file of a source, which each month replaces."""
        return self.settings.data / NAME / f"{source}.csv"

    def rows(self, asset: str) -> pl.DataFrame:
        """All published rows of an asset, of every batch."""
        files = sorted((self.settings.lake / NAME / asset).rglob("part-0.parquet"))
        return pl.concat([pl.read_parquet(file) for file in files])

    def files(self, asset: str) -> dict[str, bytes]:
        """The published file of each batch."""
        found = (self.settings.lake / NAME / asset).rglob("part-0.parquet")
        return {file.parent.name: file.read_bytes() for file in sorted(found)}

    def report(self) -> dict[str, Any]:
        """Performance, after the monitoring job."""
        assert self.run("monitoring").success
        return json.loads((self.settings.reports / NAME / "performance.json").read_text())


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    folder = tmp_path_factory.mktemp("year")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOAN_PLATFORM_HOME", str(ready_home(folder / "home")))
        patch.setattr(sys, "path", [str(write_project(folder, DATED, DATED_ATTRIBUTES, NAME)), *sys.path])
        settings = PlatformSettings.from_environment()
        write_history(settings.data / NAME)
        with dg.DagsterInstance.ephemeral() as instance:
            book = Book(settings, location(folder / "small_bank"), instance)
            write_applications(book.file("applications"), month_rows("2023-01").values())
            assert book.run("pipeline").success
            yield book


@pytest.fixture(autouse=True)
def _home(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOAN_PLATFORM_HOME", str(book.settings.home))


def checks(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Description of each check that failed."""
    found = result.get_asset_check_evaluations()
    return {check.check_name: str(check.description) for check in found if not check.passed}


def config(**options: str) -> dict[str, Any]:
    """What a scoring run may take away."""
    return {"ops": {f"{NAME}__applications": {"config": options}}}


def test_each_month_adds_to_the_year_and_changes_no_other(book: Book) -> None:
    expected = 30
    for month in MONTHS[1:6]:
        before = book.files("predictions")
        result = book.score(month_rows(month))
        assert result.success
        assert checks(result) == {}
        expected += 30
        assert book.rows("predictions").height == book.rows("answer_history").height == expected
        after = book.files("predictions")
        assert {name: after[name] for name in before} == before
        assert sorted(after) == list(MONTHS[: MONTHS.index(month) + 1])


def test_a_file_twice_and_one_without_rows_change_nothing(book: Book) -> None:
    before = book.files("predictions"), book.files("answer_history"), book.rows("applications").drop("in_last_file")
    assert book.score(month_rows("2023-06")).success
    result = book.score({})
    assert result.success
    assert checks(result) == {}
    after = book.files("predictions"), book.files("answer_history"), book.rows("applications").drop("in_last_file")
    assert before[:2] == after[:2]
    assert before[2].equals(after[2])


def test_a_refused_file_changes_nothing_until_it_is_mended(book: Book) -> None:
    july, before = month_rows("2023-07"), book.files("predictions")
    broken = {key: line.replace("2023-07", "soon") if i % 2 else line for i, (key, line) in enumerate(july.items())}
    result = book.score(broken)
    assert not result.success
    assert set(checks(result)) == {"quarantine_within_policy"}
    assert book.files("predictions") == before
    assert book.score(july).success
    assert book.rows("predictions").height == 7 * 30


def test_a_correction_is_decided_anew_and_the_first_answer_stays(book: Book) -> None:
    key, line = next(iter(month_rows("2023-07").items()))
    name, _, *others = line.split(";")
    first = book.rows("answer_history").filter(pl.col("contract_no") == key)
    assert book.score(month_rows("2023-08") | {key: ";".join([name, "1000", *others])}).success
    answers = book.rows("answer_history").filter(pl.col("contract_no") == key)
    assert answers["answer_number"].to_list() == [1, 2]
    assert answers.head(1).equals(first)
    (now,) = book.rows("predictions").filter(pl.col("contract_no") == key)["probability"]
    assert now == answers["probability"][1] > answers["probability"][0]
    assert book.rows("replaced_applications")["contract_no"].to_list() == [key]
    assert book.rows("predictions").height == 8 * 30


def test_a_code_location_of_june_scores_december(book: Book) -> None:
    result = book.score(month_rows("2023-12"), tags=TAGS_OF_JUNE)
    assert result.success
    assert sorted(book.files("predictions"))[-1] == "2023-12"
    predictions = dg.AssetKey([NAME, "predictions"])
    events = [event for event in result.get_asset_materialization_events() if event.asset_key == predictions]
    assert "2023-12" in {event.partition for event in events}
    rows = {event.partition: event.materialization.metadata["dagster/row_count"].value for event in events}
    assert rows == dict.fromkeys(sorted(book.files("predictions")), 30)  # also of batches that were not scored again


def test_an_application_without_a_batch_is_a_failed_check(book: Book) -> None:
    key, line = next(iter(month_rows("2023-11").items()))
    result = book.score({key: line.replace(";2023-11-", ";2031-02-")})
    assert result.success
    assert checks(result)["inside_partitions"].startswith("1 applications are dated outside 2023-01 to 2023-12")
    assert book.rows("predictions").filter(pl.col("contract_no") == key).is_empty()
    corrected = book.score({key: line})
    assert corrected.success
    assert checks(corrected) == {}
    assert book.rows("predictions").filter(pl.col("contract_no") == key)["partition"].to_list() == ["2023-11"]


def test_a_corrected_date_moves_one_application_and_no_other(book: Book) -> None:
    december = month_rows("2023-12")
    key = next(iter(december))
    moved = {key: december[key].replace(";2023-12-", ";2023-11-")}
    result = book.score(moved)
    assert not result.success
    assert checks(result)["no_batch_shrinks"].startswith("2023-12: 30 -> 29 rows, because")
    assert book.score(moved, run_config=config(may_shrink="2023-12")).success
    rows = book.rows("predictions")
    assert rows.filter(pl.col("partition") == "2023-12").height == 29
    assert rows.filter(pl.col("contract_no") == key)["partition"].to_list() == ["2023-11"]
    assert book.score(december, run_config=config(may_shrink="2023-11")).success


def test_only_a_named_batch_is_emptied_and_its_answers_stay(book: Book) -> None:
    december = month_rows("2023-12")
    kept = dict(list(december.items())[:10])
    assert book.score(kept, run_config=config(replace="2023-12")).success
    assert len(book.rows("predictions").filter(pl.col("partition") == "2023-12")) == 10
    assert len(book.rows("answer_history").filter(pl.col("partition") == "2023-12")) == 30
    assert book.report()["overall"]["scored"] == book.rows("predictions").height  # what is gone is not waited for


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2023-13", "'2023-13' is no batch of dated_cars: its batches are 2023-01 to 2023-12"),
        ("2023-03..2023-01", "The range '2023-03..2023-01' ends before it starts"),
        ("2022-12..2023-01", "'2022-12' is no batch"),
        ("2023-01..", "'' is no batch"),
    ],
)
def test_an_impossible_range_is_refused_in_a_sentence(book: Book, text: str, told: str) -> None:
    result = book.score({}, run_config=config(replace=text))
    (failed,) = (event for event in result.all_events if event.is_step_failure)
    data = failed.step_failure_data.user_failure_data
    assert data is not None
    assert told in str(data.description)


@pytest.mark.parametrize(
    ("purpose", "first", "last", "told"),
    [
        ("scoring", "2023-05", "2023-02", "Write 2023-02..2023-05"),
        ("scoring", "2019-01", "2023-02", "'2019-01' is no batch"),
        ("monitoring", "2023-05", "2023-02", "Write 2023-02..2023-05"),
    ],
)
def test_tags_of_an_impossible_range_are_refused(book: Book, purpose: str, first: str, last: str, told: str) -> None:
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    write_applications(book.file("applications"), month_rows("2023-06").values())
    result = book.run(purpose, tags=tags)
    (failed,) = (event for event in result.all_events if event.is_step_failure)
    data = failed.step_failure_data.user_failure_data
    assert data is not None
    assert told in str(data.description)


def test_outcomes_of_later_files_add_and_the_last_word_counts(book: Book) -> None:
    january, february = month_rows("2023-01"), month_rows("2023-02")
    words = {key: "no" if i % 3 == 0 else "yes" for i, key in enumerate(january)}
    write_outcomes(book.file("outcomes"), words)
    assert book.report()["overall"]["known"] == 30
    write_outcomes(book.file("outcomes"), dict.fromkeys(february, "yes"))
    assert book.report()["overall"]["known"] == 60
    cured = next(iter(january))
    write_outcomes(book.file("outcomes"), {cured: "yes"})
    result = book.run("monitoring")
    assert checks(result)["no_reversal"].startswith("Outcomes that were known before: cured: 1,")
    known = dict(book.rows("outcomes").select("contract_no", "target").rows())
    assert (len(known), known[cured]) == (60, 0)
    assert book.rows("replaced_outcomes").select("contract_no", "target").rows() == [(cured, 1)]


def test_snapshots_by_glob_are_read_in_order(book: Book) -> None:
    march = month_rows("2023-03")
    book.file("outcomes").unlink()
    write_outcomes(book.file("outcomes-2023-04"), dict.fromkeys(march, ""))
    write_outcomes(book.file("outcomes-2023-05"), dict.fromkeys(march, "no"))
    assert book.report()["overall"]["known"] == 90
    assert book.rows("quarantined_outcomes").is_empty()


def test_outcomes_of_loans_never_scored_are_a_failed_check(book: Book) -> None:
    write_outcomes(book.file("outcomes-2023-06"), {f"0{number}": "yes" for number in range(200)})
    result = book.run("monitoring")
    told = checks(result)["outcomes_meet_answers"]
    assert told.startswith("200 of 290 outcomes are of loans that were never scored, such as 00, 01; ")
    assert "scored loans without an outcome, such as 2023-04/0, 2023-04/1" in told
