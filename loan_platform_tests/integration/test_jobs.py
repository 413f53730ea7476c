"""Jobs as people start them: `dagster job execute`, to success and to the check that stops one."""

from pathlib import Path

import pytest

from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.adapters.warehouse.sample_files import SCRIPT, write_sample
from loan_platform.cli.books import book_folder
from loan_platform.core.checking.book_check import load_book
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.books import write_loans, write_project
from loan_platform_tests.support.processes.commands import run

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> PlatformSettings:
    """A home that `loan-platform init` made, and the variables that the Makefile exports."""
    run("loan-platform", "init")
    settings = PlatformSettings.from_environment()
    monkeypatch.setenv("DAGSTER_HOME", str(settings.dagster_home))
    return settings


def test_a_shipped_book_runs_to_its_predictions(settings: PlatformSettings) -> None:
    book = load_book(book_folder("bank_customers"))
    files = {name: settings.home / source.path for name, source in book.sources.items()}
    write_sample(book_folder("bank_customers") / SCRIPT, files, 6_000)
    run("dagster", "job", "execute", "-m", "loan_platform.definitions", "-j", "bank_customers_pipeline")
    champion = Ledger(settings.ledger_url).champion("bank_customers")
    assert champion is not None
    assert champion.version == 1
    assert list((settings.lake / "bank_customers" / "predictions").rglob("part-0.parquet"))


def test_a_blocking_check_stops_the_job(settings: PlatformSettings, tmp_path: Path) -> None:
    project = write_project(tmp_path / "project")
    loans = settings.data / "car_loans" / "loans.csv"
    write_loans(loans, 1_000)
    header, *lines = loans.read_text().splitlines()
    broken = [";".join(["much", *line.split(";")[1:]]) if number % 4 else line for number, line in enumerate(lines)]
    loans.write_text("\n".join([header, *("C" + line for line in broken)]) + "\n")
    told = run(
        *("dagster", "job", "execute", "-m", "small_bank.definitions", "-d", str(project), "-j", "car_loans_training"),
        code=1,
        PYTHONPATH=str(project),
    )
    assert "quarantine_within_policy" in told
    assert not (settings.lake / "car_loans" / "trained_model").exists()
    assert Ledger(settings.ledger_url).champion("car_loans") is None
