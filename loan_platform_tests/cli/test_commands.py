"""What people type: the commands of the README, in processes of their own."""

import json
from pathlib import Path

import pytest

from loan_platform_tests.support.processes.commands import run


def test_the_definitions_are_sound() -> None:
    assert "All definitions loaded successfully" in run("dg", "check", "defs")


def test_the_definitions_are_listed() -> None:
    told = run("dg", "list", "defs", "--json")
    listed = json.loads(told[told.index("{\n") : told.rindex("}") + 1])
    assert "lending_club/promoted_model" in {asset["asset_key"] for asset in listed["assets"]}
    assert "lending_club_pipeline" in {job["name"] for job in listed["jobs"]}


def test_a_job_without_its_file_names_the_setting_to_change() -> None:
    told = run("dagster", "job", "execute", "-m", "loan_platform.definitions", "-j", "lending_club_training", code=1)
    assert "loans.csv: does not exist" in told
    assert "LENDING_CLUB_LOANS" in told


def test_a_wrong_setting_is_named() -> None:
    assert "LOAN_THREADS" in run("loan-platform", "init", code=2, LOAN_THREADS="many")


@pytest.mark.slow
def test_a_mistake_in_a_contract_is_told_with_its_line(tmp_path: Path) -> None:
    from loan_platform_tests.support.books import write_project

    project = write_project(tmp_path)
    contract = project / "small_bank" / "defs" / "car_loans" / "contract.yaml"
    contract.write_text(contract.read_text().replace("ln(salary + 1)", "ln(salry + 1)"))
    told = run("dagster", "definitions", "validate", "-m", "small_bank.definitions", code=1, PYTHONPATH=str(project))
    line = next(i for i, text in enumerate(contract.read_text().splitlines(), 1) if "salry" in text)
    assert f"contract.yaml:{line}: features[0].sql" in told
    assert "Did you mean 'salary'?" in told
