"""The Makefile in a checkout and with a home whose paths hold a space, an umlaut and a quote."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from loan_platform_tests.support.paths import REPOSITORY

LINKED = ("loan_platform", "bento", "pyproject.toml", "requirements.lock", "infra", "dagster.yaml")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose environment is this one, so that make does not set up another."""
    folder = tmp_path / "pkg test" / "Prüfung o'neil"
    folder.mkdir(parents=True)
    shutil.copy(REPOSITORY / "Makefile", folder)
    for name in LINKED:
        (folder / name).symlink_to(REPOSITORY / name)
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(Path(sys.prefix, "bin"))
    (folder / ".venv" / ".ready").touch()
    return folder


def test_make_alone_prints_the_help_with_ports(checkout: Path) -> None:
    told = _make(checkout, "PORT=3111").stdout
    assert "http://127.0.0.1:3111" in told
    assert "$(" not in told
    targets = [
        line.split(":")[0]
        for line in (checkout / "Makefile").read_text().splitlines()
        if ": " in line and "## " in line
    ]
    assert [line.split()[0] for line in told.splitlines()] == targets


def test_make_key_without_a_name_is_rejected(checkout: Path) -> None:
    for environment in ({}, {"NAME": "host"}):  # WSL sets NAME
        ran = _make(checkout, "key", **environment)
        assert ran.returncode == 2
        assert "NAME is missing" in ran.stderr
    assert not (checkout / ".loan_platform").exists()


REMOVING = {"FILE": "e.csv", "REPLACE": "all", "MAY_SHRINK": "2018-01", "IGNORE_QUARANTINED": "1"}


@pytest.mark.parametrize(
    ("typed", "passed"),
    [
        ([], []),
        (["FILE=new file's.csv", "REPLACE=2018-01"], ["--file", "new file's.csv", "--replace", "2018-01"]),
        (["MAY_SHRINK=2018-02", "FILE="], ["--may-shrink", "2018-02"]),
        (["IGNORE_QUARANTINED=1"], ["--ignore-quarantined"]),
        (["IGNORE_QUARANTINED=yes"], ["--ignore-quarantined"]),
        (["IGNORE_QUARANTINED=0"], []),
        (["IGNORE_QUARANTINED=no"], []),
        (["IGNORE_QUARANTINED=false"], []),
    ],
)
def test_only_what_is_typed_removes_applications(checkout: Path, typed: list[str], passed: list[str]) -> None:
    _echo_commands(checkout)
    ran = _make(checkout, "score", *typed, **REMOVING)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["score", "--book", "lending_club", *passed]
    ignored = {name for name in REMOVING if f"{name} of the environment is ignored" in ran.stderr}
    assert ignored == {*REMOVING} - {argument.partition("=")[0] for argument in typed}


def test_make_score_takes_no_other_word_for_yes(checkout: Path) -> None:
    ran = _make(checkout, "-n", "score", "IGNORE_QUARANTINED=True")
    assert ran.returncode == 2
    assert "IGNORE_QUARANTINED is 'True': write 1, yes, true, 0, no or false" in ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize("home", [None, "my home", "/{tmp}/Zweites Zuhause's"])
def test_make_key_writes_to_the_home_only(checkout: Path, tmp_path: Path, home: str | None) -> None:
    expected = checkout / (home or ".loan_platform").replace("/{tmp}", str(tmp_path))
    arguments = [f"LOAN_PLATFORM_HOME={expected if '{tmp}' in home else home}"] if home else []
    ran = _make(checkout, "key", "NAME=my client", "RATE=5/minute", *arguments)
    assert ran.returncode == 0, ran.stderr
    assert sorted(tmp_path.rglob("keys.json")) == [expected / "service" / "keys.json"]
    assert {path.name for path in tmp_path.iterdir()} == {"pkg test", expected.relative_to(tmp_path).parts[0]}


TYPED = [
    "BOOK",
    "NAME",
    "ROWS",
    "RATE",
    "OUT",
    "SOURCE",
    "TARGET",
    "KEY",
    "DATE",
    "FILE",
    "REPLACE",
    "MAY_SHRINK",
    "IGNORE_QUARANTINED",
]
PORTS = ["PORT", "MLFLOW_PORT", "SERVE_PORT"]


@pytest.mark.attack(
    "supply chain", "a value of make that runs a program", before="`make key NAME='$(shell ...)'` ran it"
)
@pytest.mark.parametrize(
    "text", ["$(shell touch ran)", "$$(touch ran)", "`touch ran`", '"; touch ran; "', "$(error x)"]
)
def test_typed_values_are_texts(checkout: Path, text: str) -> None:
    _echo_commands(checkout)
    typed = [f"{name}={text}" for name in [*TYPED, *PORTS] if name != "IGNORE_QUARANTINED"]
    for target in ("demo", "book", "score", "serve", "bento", "key", "audit", "check", "help"):
        ran = _make(checkout, target, *typed)
        assert ran.returncode == 0, ran.stderr
        assert target in {"help", "audit"} or text in ran.stdout.splitlines()
    assert _make(checkout, "score", f"IGNORE_QUARANTINED={text}").returncode == 2
    assert not (checkout / "ran").exists()


def test_help_shows_the_ports_that_count(checkout: Path) -> None:
    ran = _make(checkout, "help", "PORT=3210", SERVE_PORT="8765")
    for address in ("http://127.0.0.1:3210", "http://127.0.0.1:5000", "http://127.0.0.1:8765"):
        assert address in ran.stdout


def test_recipes_quote_paths_and_values(checkout: Path) -> None:
    ran = _make(checkout, "-n", "serve", "mlflow", "data", "dev", "bento", "book", "SOURCE=my loans.csv", "BOOK=b c")
    assert ran.returncode == 0, ran.stderr
    assert str(checkout) not in ran.stdout  # such a path reaches the shell as a variable only
    assert "my loans.csv" not in ran.stdout
    assert subprocess.run(["bash", "-n"], input=ran.stdout, text=True, check=False).returncode == 0


def _echo_commands(checkout: Path) -> None:
    """Let `loan-platform` print its arguments, one in a line."""
    binaries = checkout / ".venv" / "bin"
    binaries.unlink()
    binaries.mkdir()
    command = binaries / "loan-platform"
    command.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    command.chmod(0o755)
    (checkout / ".venv" / ".ready").touch()


def _make(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    dropped = ("LOAN_PLATFORM_HOME", "NAME", "BOOK", "PORT")
    kept = {name: v for name, v in os.environ.items() if name not in dropped and not name.startswith("MAKE")}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(
        command, cwd=folder, env={**kept, **environment}, text=True, capture_output=True, check=False, timeout=300
    )
