"""`loan-platform check`: every issue in the files of a book, before anything runs."""

import sys
from pathlib import Path

from loan_platform.cli.books import SHIPPED, book_folder, book_names
from loan_platform.core.checking.book_check import BookCheck, check_book, other_component
from loan_platform.core.errors import Issue
from loan_platform.settings.catalogue import renamed_variables
from loan_platform.settings.platform import PlatformSettings
from loan_platform.settings.source_files import source_override


def run_check(settings: PlatformSettings, books: list[str], folder: Path | None = None) -> int:
    """Check books, all of a folder if none is named; the exit code is 0 when they are sound, else 2.

    Raises:
        UnknownBookError: there is no such book; the message has the closest.
    """
    for note in renamed_variables():
        sys.stdout.write(f"note: {note}\n")
    books_in = folder or SHIPPED
    folders = [book_folder(name, books_in) for name in books or book_names(books_in)]
    sound = [_check(settings, path) for path in folders]
    return 0 if all(sound) else 2


def _check(settings: PlatformSettings, folder: Path) -> bool:
    from loan_platform.adapters.book_check.sources_check import check_sources

    if kind := other_component(folder):
        sys.stdout.write(f"{folder.name}: skipped, because it is a {kind} and not a loan book\n")
        return True
    book = check_book(folder)
    sources = book.attributes.sources if book.attributes else {}
    overrides = {name: text for name in sources if (text := source_override(folder.name, name))}
    found = check_sources(book, settings.home, overrides, folder.name)
    issues = [*book.issues, *found.issues]
    for note in (*book.notes, *found.notes):
        sys.stdout.write(f"note: {_format_issue(note)}\n")
    for issue in issues:
        sys.stderr.write(f"{_format_issue(issue)}\n")
    sys.stdout.write(f"{folder.name}: {_summary(book, found.files, len(issues))}\n")
    return not issues


def _format_issue(issue: Issue) -> str:
    """The issue as text. The file is relative to the working directory where it is below it."""
    if issue.file is None:
        return str(issue)
    file, here = issue.file.resolve(), Path.cwd()
    return str(issue._replace(file=file.relative_to(here) if file.is_relative_to(here) else file))


def _summary(book: BookCheck, files: list[str], issues: int) -> str:
    if issues or book.portfolio is None:
        return f"{issues} {'issue' if issues == 1 else 'issues'}"
    contract = book.portfolio.contract
    against = f"checked against {', '.join(files)}" if files else "no source file to check it against"
    return f"sound; {len(contract.columns)} columns, {len(contract.features)} features; {against}"
