"""The two commands that draft a book, in processes of their own, on a project of somebody else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from loan_platform.core.checking.json_schemas import MODELS, editor_line, schema_path
from loan_platform_tests.support.own_books import write_german, write_project
from loan_platform_tests.support.paths import REPOSITORY

BIN = Path(sys.executable).parent
COMPONENT = "loan_platform.assets.loan_portfolio.LoanPortfolio"


def run(folder: Path, *command: str, code: int = 0) -> str:
    paths = os.pathsep.join([str(folder), str(REPOSITORY)])
    ran = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        env=os.environ | {"PYTHONPATH": paths},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == code, ran.stdout[-2000:] + ran.stderr[-2000:]
    return ran.stdout + ran.stderr


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """The folder of books of an empty project, with a file of loans beside the project file."""
    write_german(tmp_path / "kredite.csv", rows=1_500)
    return write_project(tmp_path)


@pytest.mark.slow
def test_a_book_is_drafted_from_the_command_line(books: Path, tmp_path: Path) -> None:
    command = ("loan-platform", "book", "kredite", "--books", str(books), "--source", "kredite.csv")
    told = run(tmp_path, *command, "--target", "kreditstatus = 'ausgefallen'", "--key", "vertrag_nr")
    assert "kredite.csv: 1,500 rows, 13 columns" in told
    assert "Leaks?       2, in no model: inkasso_erloes, rueckstand_nach_auszahlung" in told
    assert "Protected    1, in no model: geschlecht" in told
    assert "anyone/defs/kredite/contract.yaml" in told
    assert "loan-platform check kredite" in told
    stated = yaml.safe_load((books / "kredite" / "defs.yaml").read_text())
    assert stated["attributes"]["sources"]["loans"]["path"] == str(tmp_path / "kredite.csv")
    for file in MODELS:
        text = (books / "kredite" / f"{file}.yaml").read_text()
        assert text.splitlines()[0] == editor_line(file, books / "kredite")
        jsonschema.validate(yaml.safe_load(text), json.loads(schema_path(file).read_text()))
    assert "exists already" in run(tmp_path, *command, code=2)


@pytest.mark.slow
@pytest.mark.thorough
def test_dagster_scaffolds_the_same_book(books: Path, tmp_path: Path) -> None:
    run(tmp_path, "loan-platform", "book", "one", "--books", str(books), "--source", "kredite.csv")
    told = run(tmp_path, "dg", "scaffold", "defs", COMPONENT, "two", "--source", "kredite.csv")
    assert "two/contract.yaml" in told
    for name in ("contract.yaml", "defs.yaml"):
        one, two = ((books / book / name).read_text() for book in ("one", "two"))
        assert two == one.replace("one: ", "two: ").replace("ONE_", "TWO_")
    assert "All definitions loaded successfully" in run(tmp_path, "dg", "check", "defs")


@pytest.mark.slow
def test_a_scaffold_that_is_refused_leaves_nothing(books: Path, tmp_path: Path) -> None:
    told = run(tmp_path, "dg", "scaffold", "defs", COMPONENT, "two", "--source", "absent.csv", code=2)
    assert "absent.csv: does not exist" in told
    assert "Traceback" not in told
    assert list(books.iterdir()) == []
