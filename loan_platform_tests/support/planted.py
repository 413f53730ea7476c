"""Mistakes planted in the two files of a small book, for tests."""

import re
from pathlib import Path
from typing import NamedTuple

from loan_platform.core.checking.book_check import check_book
from loan_platform.core.errors import Issue
from loan_platform_tests.support.books import write_project


class Planted(NamedTuple):
    """One mistake: old and new text, a piece of the blamed line, key path, code, and names in the issue's text."""

    old: str
    new: str
    blamed: str
    path: str
    code: str
    names: tuple[str, ...] = ()


def book_in(folder: Path) -> Path:
    """A sound book; the folder with its two files."""
    return write_project(folder) / "small_bank" / "defs" / "car_loans"


def edited(folder: Path, file: str, *edits: tuple[str, str]) -> str:
    """Replace pieces of a file, each at its first place."""
    path = folder / file
    text = path.read_text()
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    path.write_text(text)
    return text


def line_of(text: str, piece: str) -> int:
    """The only line with a piece of text."""
    (line,) = [i for i, line in enumerate(text.splitlines(), 1) if piece in line]
    return line


def place(issue: Issue) -> tuple[str, int | None, str]:
    """File name, line and key path of an issue in a file."""
    assert issue.file is not None
    return issue.file.name, issue.line, issue.path


def told(folder: Path) -> list[str]:
    """Every mistake of a book."""
    return [str(issue) for issue in check_book(folder).issues]


def ids(cases: list[Planted]) -> list[str]:
    """Names of test cases."""
    return [re.sub(r"\W+", "-", case.new)[:40] for case in cases]


def assert_only_issue(folder: Path, file: str, case: Planted) -> None:
    """The planted mistake is the only issue, with its line, key path and code."""
    line = line_of(edited(folder, file, (case.old, case.new)), case.blamed)
    (issue,) = check_book(folder).issues
    assert (*place(issue), issue.code) == (file, line, case.path, case.code)
    assert [name for name in case.names if name not in issue.detail] == []
