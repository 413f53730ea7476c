"""`loan-platform score`: what it prints, what it takes away and what it refuses, on the dated car loans."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from loan_platform.adapters.storage.lake import Lake
from loan_platform.assets.loan_portfolio import location
from loan_platform.cli import score
from loan_platform.cli.books import book_folder
from loan_platform.cli.main import main
from loan_platform.cli.score import ScoringRequest, run_score
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.books import write_project
from loan_platform_tests.support.processes.homes import ready_home
from loan_platform_tests.support.small_books.dated_cars import (
    DATED,
    DATED_ATTRIBUTES,
    NAME,
    month_rows,
    promote_by_hand,
    write_applications,
)

pytestmark = pytest.mark.slow
# A run tells every batch of the book of each asset: few months, few events.
THREE_MONTHS = DATED_ATTRIBUTES | {"partitions": {"every": "month", "start": "2023-01", "end": "2023-03"}}
JANUARY, FEBRUARY = month_rows("2023-01", 8), month_rows("2023-02", 5)


@dataclass
class Command:
    """The command on a book with a champion."""

    settings: PlatformSettings
    output: pytest.CaptureFixture[str]
    file: Path

    def score(self, rows: dict[str, str], code: int = 0, **options: Any) -> str:
        """Score a file of these applications. Returns what is printed where the command ends with this code."""
        write_applications(self.file, rows.values())
        assert run_score(self.settings, ScoringRequest(NAME, str(self.file), **options)) == code
        told = self.output.readouterr()
        return told.err if code else told.out

    def months(self, asset: str = "applications") -> dict[str, int]:
        """The numbers of published rows, by month."""
        rows = Lake(self.settings.lake).read(NAME, asset)
        return dict(rows.group_by(pl.col("applied").dt.to_string("%Y-%m")).len().sort("applied").iter_rows())


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    project = write_project(tmp_path, DATED, THREE_MONTHS, NAME)
    monkeypatch.syspath_prepend(str(project))
    folder = project / "small_bank"
    monkeypatch.setattr(score, "book_folder", lambda name: book_folder(name, folder / "defs"))
    definitions = location(folder)
    monkeypatch.setattr("loan_platform.definitions.defs", lambda: definitions)
    monkeypatch.setenv("DATED_CARS_APPLICATIONS", "")  # the command sets it
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")  # scoring needs none
    # On disk each of a thousand events waits for the disk twice, minutes in all where other tests write too.
    monkeypatch.setattr(dg.DagsterInstance, "get", dg.DagsterInstance.ephemeral)
    settings = PlatformSettings.from_environment()
    ready_home(settings.home)
    promote_by_hand(settings)
    return Command(settings, capfd, tmp_path / "applications.csv")


def test_files_add_and_take_away_only_what_is_told(command: Command) -> None:
    told = command.score(JANUARY | FEBRUARY)
    assert told == ("13 of 13 applications scored in 2 batch(es) by version 1: 13 new, 0 corrected, 0 removed\n")
    assert command.months() == {"2023-01": 8, "2023-02": 5}

    key, line = next(iter(JANUARY.items()))
    corrected = {key: f"{line.removesuffix('2023-01-01')}2023-02-01"}
    refused = command.score(corrected, code=1)
    assert "no_batch_shrinks: 2023-01: 8 -> 7 rows, because the files give known rows another date." in refused
    assert command.months() == {"2023-01": 8, "2023-02": 5}

    told = command.score(corrected, may_shrink="2023-01")
    assert told == "13 of 13 applications scored in 2 batch(es) by version 1: 0 new, 1 corrected, 0 removed\n"
    assert command.months() == {"2023-01": 7, "2023-02": 6}

    wrong = command.score({}, code=1, replace="2023-13")
    assert "'2023-13' is no batch of dated_cars: its batches are 2023-01 to 2023-03." in wrong
    assert "Traceback" not in wrong
    reversed_range = command.score({}, code=1, replace="2023-02..2023-01")
    assert "The range '2023-02..2023-01' ends before it starts. Write 2023-01..2023-02." in reversed_range
    assert command.months() == {"2023-01": 7, "2023-02": 6}

    told = command.score({}, replace="2023-01")
    assert told == "0 of 6 applications scored in 1 batch(es) by version 1: 0 new, 0 corrected, 7 removed\n"
    assert command.months() == {"2023-02": 6}


def test_an_unknown_book_is_refused(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(score, "ensure_home", lambda settings: None)
    monkeypatch.setattr(sys, "argv", ["loan-platform", "score", "--book", "lending_clubs"])
    assert main() == 2
    assert "has no book 'lending_clubs'. Did you mean 'lending_club'?" in capfd.readouterr().err
