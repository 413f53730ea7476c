"""`loan-platform check`, and what Dagster's own commands tell of the same issues."""

import os
import shutil
import sys
from pathlib import Path

import dagster as dg
import pytest

from loan_platform.assets.loan_portfolio import LoanPortfolio, location
from loan_platform.cli.books import UnknownBookError
from loan_platform.cli.check import run_check
from loan_platform.core.book.book_errors import ContractError
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.books import write_loans
from loan_platform_tests.support.planted import book_in, edited, line_of
from loan_platform_tests.support.processes.commands import run

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("small_bank", "small_bank.defs"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return book_in(tmp_path)


def two_books(book: Path) -> Path:
    """A second book beside the first, sound too."""
    return Path(shutil.copytree(book, book.with_name("van_loans")))


def test_sound_books(book: Path, capsys: Capture) -> None:
    two_books(book)
    settings = PlatformSettings.from_environment()
    write_loans(settings.home / "data" / "car_loans" / "loans.csv", 50)
    assert run_check(settings, [], book.parent) == 0
    out = capsys.readouterr()
    assert "car_loans: sound; 5 columns, 3 features; checked against loans loans.csv" in out.out.splitlines()
    assert out.err == ""


def test_mistakes_of_all_books_are_told(book: Path, capsys: Capture) -> None:
    other = two_books(book)
    contract = edited(book, "contract.yaml", ("minimum: 0", "minimun: 0"))
    defs = edited(other, "defs.yaml", ("folds: 2", "folds: 1"))
    assert run_check(PlatformSettings.from_environment(), [], book.parent) == 2
    out = capsys.readouterr()
    assert [line.split(": ")[0] for line in out.err.splitlines()] == [
        f"{book}/contract.yaml:{line_of(contract, 'minimun')}",
        f"{other}/defs.yaml:{line_of(defs, 'folds')}",
    ]
    assert "car_loans: 1 issue" in out.out.splitlines()
    assert "van_loans: 1 issue" in out.out.splitlines()


def test_one_book_is_chosen(book: Path, capsys: Capture) -> None:
    edited(two_books(book), "defs.yaml", ("folds: 2", "folds: 1"))
    assert run_check(PlatformSettings.from_environment(), ["car_loans"], book.parent) == 0
    assert "van_loans" not in capsys.readouterr().out


def test_paths_start_in_the_working_directory(book: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(book)
    edited(book, "defs.yaml", ("folds: 2", "folds: 1"))
    run_check(PlatformSettings.from_environment(), [], book.parent)
    assert capsys.readouterr().err.startswith("defs.yaml:10: attributes.split.folds: 1 is out of range.")


def test_an_unknown_book(book: Path) -> None:
    with pytest.raises(UnknownBookError, match=r"has no book 'car_loan'\. Did you mean 'car_loans'\?"):
        run_check(PlatformSettings.from_environment(), ["car_loan"], book.parent)


def test_a_folder_of_another_component_is_left_alone(book: Path, capsys: Capture) -> None:
    (book / "defs.yaml").write_text("type: dagster_dbt.DbtProjectComponent\nattributes: {project: x}\n")
    assert run_check(PlatformSettings.from_environment(), [], book.parent) == 0
    assert "car_loans: skipped, because it is a dagster_dbt" in capsys.readouterr().out


def test_the_command() -> None:
    assert "lending_club: sound; " in run("loan-platform", "check", "lending_club")
    assert "no book 'lendng_club'. Did you mean 'lending_club'?" in run("loan-platform", "check", "lendng_club", code=2)


def test_the_command_on_other_folders(book: Path) -> None:
    edited(book, "contract.yaml", ("debt / (salary + 1)", "debt / (salry + 1)"))
    told = run("loan-platform", "check", "--defs", str(book.parent), code=2)
    assert "features[1].sql: feature 'debt_to_salary' reads 'salry', which is no column. Did you mean 'salary'?" in told
    assert "nanobind" not in told


def test_the_code_location_tells_the_mistakes_of_all_books(book: Path) -> None:
    other = two_books(book)
    edited(book, "contract.yaml", ("minimum: 0", "minimun: 0"), ("ln(salary + 1)", "ln(salry + 1)"))
    edited(other, "defs.yaml", ("folds: 2", "folds: 1"), ("kind: hash", "kynd: hash"))
    with pytest.raises(ContractError) as caught:
        location(book.parents[1])
    places = [(*issue.file.parts[-2:], issue.path) for issue in caught.value.issues if issue.file]
    assert places == [
        ("car_loans", "contract.yaml", "columns[1].minimun"),
        ("car_loans", "contract.yaml", "features[0].sql"),
        ("van_loans", "defs.yaml", "attributes.split.kynd"),
        ("van_loans", "defs.yaml", "attributes.split.folds"),
    ]


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (("folds: 2", "folds: 2\n    folds: 3"), "the key is there twice"),  # Dagster keeps the last
        (("folds: 2", "folds: '2'"), "is the text '2', not a whole number"),  # Dagster takes it for 2
        (("LoanPortfolio", "LoanPortfollio"), "Did you mean 'loan_platform.assets.loan_portfolio.LoanPortfolio'?"),
        (("attributes:", "attributes: ["), "cannot be read as YAML"),
    ],
)
def test_the_code_location_tells_what_dagster_does_not(book: Path, edit: tuple[str, str], told: str) -> None:
    edited(book, "defs.yaml", edit)
    with pytest.raises(ContractError) as caught:
        location(book.parents[1])
    assert told in str(caught.value)
    assert f"{book}/defs.yaml:" in str(caught.value)


def test_the_code_location_loads_old_names_of_keys(book: Path) -> None:
    edited(book, "contract.yaml", ("  protected: true", "  protected: true\n  known: pricing"))
    edited(book, "defs.yaml", ("  training:\n", "  training:\n    margin: 0.002\n"))
    assert location(book.parents[1]).resolve_job_def("car_loans_training")


def test_the_mistakes_of_another_component_are_dagsters(book: Path) -> None:
    (book / "defs.yaml").write_text("type: dagster.NoSuchComponent\nattributes: {}\n")
    with pytest.raises(Exception, match="NoSuchComponent") as caught:
        location(book.parents[1])
    assert not isinstance(caught.value, ContractError)


@pytest.mark.slow
@pytest.mark.thorough
def test_dg_check_yaml_sees_the_schema_of_one_book(book: Path) -> None:
    """It holds `defs.yaml` against the schema, of all books of a component only one, and looks at no contract."""
    project, other = book.parents[2], two_books(book)
    environment = {"PYTHONPATH": os.pathsep.join([str(project), os.environ.get("PYTHONPATH", "")])}
    text = edited(other, "defs.yaml", ("folds: 2", "folds: 1"), ("kind: hash", "kynd: hash"))
    edited(book, "defs.yaml", ("folds: 2", "folds: 1"))
    told = run("dg", "check", "yaml", "--target-path", str(project), code=1, **environment)
    assert ("car_loans/defs.yaml:10 - " in told) != ("van_loans/defs.yaml:10 - " in told)
    alone = run("dg", "check", "yaml", str(other), "--target-path", str(project), code=1, **environment)
    for piece, what in [("folds: 1", "1 is less than the minimum of 2"), ("kynd", "'kynd' was unexpected")]:
        assert f"van_loans/defs.yaml:{line_of(text, piece)} - " in alone
        assert what in alone


def test_the_component_has_the_model_of_the_schema() -> None:
    model = LoanPortfolio.get_model_cls()
    assert model.model_json_schema()["additionalProperties"] is False
    assert issubclass(LoanPortfolio, dg.Component)


@pytest.mark.real_data
def test_real_loans_fit_the_shipped_contract(loan_data: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("LENDING_CLUB_LOANS", str(loan_data / "lendingclub" / "loanstats_2007_2011.csv.gz"))
    assert run_check(PlatformSettings.from_environment(), ["lending_club"]) == 0
    assert "checked against loans loanstats_2007_2011.csv.gz" in capsys.readouterr().out


@pytest.mark.real_data
def test_a_release_with_other_names_does_not(loan_data: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("LENDING_CLUB_LOANS", str(loan_data / "lendingclub" / "loans_full_schema_2018Q1.csv.gz"))
    assert run_check(PlatformSettings.from_environment(), ["lending_club"]) == 2
    told = capsys.readouterr().err
    assert "'loan_amnt' is required, and loans_full_schema_2018Q1.csv.gz lacks 'loan_amnt'" in told
    assert "Closest in the file: 'loan_amount'" in told
