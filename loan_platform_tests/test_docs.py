"""Documents name files, make targets and environment variables that exist."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from loan_platform_tests.support.paths import REPOSITORY

FOLDERS = ("docs", "loan_platform", "loan_platform_tests", "bento", "benchmarks", "infra")
PAGES = [
    *sorted(REPOSITORY.glob("*.md")),
    *sorted(page for name in FOLDERS for page in (REPOSITORY / name).rglob("*.md")),
]
STARTS = ("loan_platform/", "loan_platform_tests/", "bento/", "benchmarks/", "docs/", ".ci/", ".github/")
PATTERN = re.compile(r"[<>*{}$ ]|\.\.\.")  # in a name: it stands for many paths, or is a command
CREATED = re.compile(r"loan_platform/defs/my_")  # folders that a reader creates
BLOCK = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
MAKE = re.compile(r"(?:^|[`(&;] ?)make ((?:-s )?[^`#\n&|)]*)", re.MULTILINE)
VARIABLE = re.compile(r"\b(?:LOAN|MLFLOW|OTEL)_[A-Z_]*[A-Z]\b")
SOURCES_OF_BOOKS = re.compile(r"(LENDING_CLUB|CREDIT_CARDS|BANK_CUSTOMERS|RETAIL_LOANS|MY_LOANS)_[A-Z]+")
READ_ELSEWHERE = {
    "LOAN_CI",
    "LOAN_DATA",
    "LOAN_FAULTS",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
}  # by tests, or by OpenTelemetry itself

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))


@every_page
def test_links_lead_to_files_and_headings(page: Path) -> None:
    lost = [
        f"{file}#{anchor}"
        for file, anchor in links(page)
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file))
    ]
    assert lost == []


@every_page
def test_named_files_exist(page: Path) -> None:
    assert [name for name in named_files(page) if not (REPOSITORY / name).exists()] == []


@every_page
def test_make_targets_exist(page: Path) -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    words = [word for line in MAKE.findall(page.read_text()) for word in line.split()]
    assert [word for word in words if re.fullmatch(r"[a-z][a-z-]*", word) and word not in targets] == []


@every_page
def test_environment_variables_are_settings(page: Path) -> None:
    names = {name for name in VARIABLE.findall(page.read_text()) if not SOURCES_OF_BOOKS.match(name)}
    assert sorted(name for name in names - READ_ELSEWHERE if name not in settings_text()) == []


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Targets of the page's relative links, each with its anchor."""
    for target in re.findall(r"\]\(([^)\s]+)\)", BLOCK.sub("", page.read_text())):
        if not re.match(r"[a-z]+:", target):
            file, _, anchor = target.partition("#")
            yield (page.parent / file if file else page), anchor


def anchors(page: Path) -> set[str]:
    """Names of the page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def named_files(page: Path) -> Iterator[str]:
    """Paths in backticks that start at the repository's root."""
    for name in re.findall(r"`([^`\n]+)`", BLOCK.sub("", page.read_text())):
        if name.startswith(STARTS) and not (PATTERN.search(name) or CREATED.match(name)):
            yield name


@cache
def settings_text() -> str:
    """The source of all settings."""
    return "\n".join(path.read_text() for path in (REPOSITORY / "loan_platform" / "settings").rglob("*.py"))
