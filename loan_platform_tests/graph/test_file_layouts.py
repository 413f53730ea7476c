"""Files whose columns have other names, lack a needed column or differ from each other, through the real graph."""

from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest

from loan_platform.assets.loan_portfolio import location
from loan_platform.definitions import defs
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.books import write_loans, write_project
from loan_platform_tests.support.small_books.linked_cars import ATTRIBUTES, CONTRACT, NAME, write_files

CARDS = "credit_cards"
TARGET = "default payment next month"
UCI = [
    "," + ",".join(f"X{i}" for i in range(1, 24)) + ",Y",
    "ID,LIMIT_BAL,SEX,EDUCATION,MARRIAGE,AGE,PAY_0,PAY_2,PAY_3,PAY_4,PAY_5,PAY_6,"
    + ",".join(f"BILL_AMT{i}" for i in range(1, 7))
    + ","
    + ",".join(f"PAY_AMT{i}" for i in range(1, 7))
    + f",{TARGET}",
]


def write_uci(path: Path, target: str = TARGET) -> list[int]:
    """The file as UCI gives it, with two lines of headers; returns the outcomes."""
    draw = np.random.default_rng(1)
    outcomes = [int(value) for value in draw.integers(0, 2, 150)]
    rows = [
        ",".join(map(str, [i + 1, 20_000, 1, 2, 1, 30, 0, 0, 2, 0, -1, -1, *draw.integers(0, 9_000, 12), outcome]))
        for i, outcome in enumerate(outcomes)
    ]
    path.write_text("\n".join([*UCI, *rows]).replace(TARGET, target) + "\n")
    return outcomes


def ingest(
    definitions: dg.Definitions, book: str, *assets: str, purpose: str = "training"
) -> dg.ExecuteInProcessResult:
    job = definitions.resolve_job_def(f"{book}_{purpose}")
    with dg.DagsterInstance.ephemeral() as instance:
        chosen = [dg.AssetKey([book, asset]) for asset in assets]
        return job.execute_in_process(instance=instance, asset_selection=chosen, raise_on_error=False)


def message(result: dg.ExecuteInProcessResult) -> str:
    (failed,) = (event for event in result.all_events if event.is_step_failure)
    assert failed.step_failure_data.user_failure_data is not None
    return str(failed.step_failure_data.user_failure_data.description)


def lake(book: str, asset: str) -> Path:
    return PlatformSettings.from_environment().lake / book / asset / "part-0.parquet"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOAN_PLATFORM_HOME", str(tmp_path / "home"))
    return tmp_path


def test_the_target_is_found_under_the_name_that_uci_uses(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = write_uci(home / "uci.csv")
    monkeypatch.setenv("CREDIT_CARDS_LOANS", str(home / "uci.csv"))
    assert ingest(defs(), CARDS, "raw_loans", "validated_loans", "quarantined_rows").success
    loans = pl.read_parquet(lake(CARDS, "validated_loans"))
    assert loans["target"].to_list() == outcomes
    assert loans["client_id"].to_list() == [str(i + 1) for i in range(len(outcomes))]


def test_a_file_without_the_target_leaves_the_one_before(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_uci(home / "uci.csv")
    monkeypatch.setenv("CREDIT_CARDS_LOANS", str(home / "uci.csv"))
    definitions, names = defs(), ("raw_loans", "validated_loans", "quarantined_rows")
    assert ingest(definitions, CARDS, "raw_loans").success
    before = lake(CARDS, "raw_loans").read_bytes()
    write_uci(home / "uci.csv", target="paid next month")
    result = ingest(definitions, CARDS, *names)
    assert "uci.csv: lacks 1 required columns: target (read from default.payment.next.month" in message(result)
    assert "`sources`" in message(result)
    assert result.get_asset_materialization_events() == []
    assert lake(CARDS, "raw_loans").read_bytes() == before
    assert not lake(CARDS, "validated_loans").exists()


@pytest.mark.parametrize(("file", "column"), [("people", "stated"), ("loans", "paid_back"), ("loans", "contract_no")])
def test_a_linked_file_without_a_needed_column_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch, file: str, column: str
) -> None:
    """`paid_back` is optional in the table, for applications: the join makes the target from it."""
    monkeypatch.syspath_prepend(str(write_project(home, CONTRACT, ATTRIBUTES, NAME)))
    definitions, data = location(home / "small_bank"), PlatformSettings.from_environment().data / NAME
    write_files(data)
    path = data / f"{file}.csv"
    path.write_text(path.read_text().replace(column, "x", 1))
    result = ingest(definitions, NAME, f"raw_{file}")
    assert f"{file}.csv: lacks 1 required columns: {column} " in message(result)
    assert not lake(NAME, f"raw_{file}").exists()


def test_a_glob_of_different_layouts_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(write_project(home)))
    data = home / "parts"
    for number in (1, 2, 3):
        write_loans(data / f"{number}.csv", 20, seed=number)
    short = data / "2.csv"
    short.write_text(short.read_text().replace("Debts?", "Schulden", 1))
    monkeypatch.setenv("CAR_LOANS_LOANS", str(data / "*.csv"))
    result = ingest(location(home / "small_bank"), "car_loans", "raw_loans")
    assert result.success
    (event,) = result.get_asset_materialization_events()
    metadata = event.step_materialization_data.materialization.metadata
    assert "| 2.csv | debts? |  |" in str(metadata["files_that_differ"].value)
    assert metadata["dagster/row_count"].value == 60
    told = capfd.readouterr().err
    assert "1 of 3 files differ in the columns that the contract reads." in told
    assert "2.csv lacks 'debts?'." in told


def test_applications_of_different_layouts_are_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(write_project(home)))
    for number in (1, 2):
        write_loans(home / f"new{number}.csv", 20, seed=number, outcomes=False)
    short = home / "new2.csv"
    short.write_text(short.read_text().replace("Region", "Gegend", 1))
    monkeypatch.setenv("CAR_LOANS_APPLICATIONS", str(home / "new*.csv"))
    names = ("applications", "quarantined_applications", "replaced_applications")
    result = ingest(location(home / "small_bank"), "car_loans", *names, purpose="scoring")
    metadata = {
        event.asset_key.path[-1]: event.step_materialization_data.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }
    assert "| new2.csv | region |  |" in str(metadata["applications"]["files_that_differ"].value)
    assert metadata["applications"]["dagster/row_count"].value == 40


def test_one_layout_is_not_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(write_project(home)))
    write_loans(home / "loans.csv", 20)
    monkeypatch.setenv("CAR_LOANS_LOANS", str(home / "loans.csv"))
    (event,) = ingest(location(home / "small_bank"), "car_loans", "raw_loans").get_asset_materialization_events()
    assert "files_that_differ" not in event.step_materialization_data.materialization.metadata
