"""The table of a folder's README is true: each file that it names exists, and no file is left out."""

import re
from itertools import takewhile
from pathlib import Path

import pytest

from loan_platform_tests.support.paths import REPOSITORY

HEADER = "| to change | open |"
LINK = re.compile(r"\[`[^`]+`\]\(([^)]+)\)")
ROOTS = ("loan_platform", "bento", "benchmarks", "loan_platform_tests/support")


def code_files(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.py") if path.name != "__init__.py"}


def named_files(readme: Path) -> set[str]:
    """What the second column of the table names in backticks; of a link, where it leads."""
    lines = readme.read_text().splitlines()
    table = takewhile(lambda line: line.startswith("|"), lines[lines.index(HEADER) :])
    cells = [LINK.sub(r"`\1`", row.split("|")[2]) for row in table]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


FOLDERS = sorted(
    {path.parent for root in ROOTS for path in (REPOSITORY / root).rglob("*.py") if path.name != "__init__.py"}
    | {REPOSITORY / "loan_platform_tests"}
)


@pytest.mark.parametrize(
    "folder",
    FOLDERS,
    ids=lambda folder: str(folder.relative_to(REPOSITORY)),
)
def test_a_readme_names_the_files_of_its_folder(folder: Path) -> None:
    readme = folder / "README.md"
    named = named_files(readme)
    assert {name for name in named if not (folder / name).exists()} == set()
    assert code_files(folder) - named == set()
