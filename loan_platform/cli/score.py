"""Score the applications of a book with its champion, in one command."""

import os
import sys
from dataclasses import dataclass
from typing import Any

from loan_platform.adapters.platform.home import ensure_home
from loan_platform.adapters.sources.resolve import absolute
from loan_platform.cli.books import book_folder
from loan_platform.cli.jobs import run_job
from loan_platform.cli.run_log import RunLog
from loan_platform.core.checking.book_check import load_book
from loan_platform.core.errors import ExplainedError
from loan_platform.settings.platform import PlatformSettings
from loan_platform.settings.source_files import override_variable


@dataclass(frozen=True)
class ScoringRequest:
    """What to score.

    Attributes:
        book: name of the book.
        file: path, glob or gs:// URI of the applications; None: the book's own source.
        replace: batches whose known applications are removed if the file lacks them; None: none is.
        may_shrink: batches that may lose applications to others, because dates were corrected; None: none may.
        ignore_quarantined: remove applications although some rows of the file are quarantined.
    """

    book: str
    file: str | None = None
    replace: str | None = None
    may_shrink: str | None = None
    ignore_quarantined: bool = False


class NoApplicationsError(ExplainedError, LookupError):
    """The book has no source of applications."""


def run_score(settings: PlatformSettings, request: ScoringRequest) -> int:
    """Run the book's scoring job and print what it scored.

    Raises:
        UnknownBookError: there is no such book.
        NoApplicationsError: the book has no source of applications.
    """
    ensure_home(settings)
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    book, log = load_book(book_folder(request.book)), RunLog()
    if "applications" not in book.sources:
        message = f"{book.name} has no source `applications`. Add it to its defs.yaml."
        raise NoApplicationsError(message)
    if request.file:
        os.environ[override_variable(book.name, "applications")] = absolute(request.file)
    import dagster as dg

    from loan_platform.definitions import defs

    step: dict[str, Any] = {"replace": request.replace, "may_shrink": request.may_shrink}
    config = {name: value for name, value in step.items() if value} | {"ignore_quarantined": request.ignore_quarantined}
    ops = {f"{book.name}__applications": {"config": config}}
    with dg.DagsterInstance.get() as instance:
        done = run_job(defs(), f"{book.name}_scoring", instance, log, ops=ops)
    if not done:
        return 1
    scored, known = log.of_run("predictions", "rows_scored"), log.of_run("applications", "added")
    sys.stdout.write(
        f"{scored['rows_scored']:,} of {known['dagster/row_count']:,} applications scored in {scored['batches']} "
        f"batch(es) by version {scored['champion_version']}: {known['added']:,} new, {known['replacing']:,} corrected, "
        f"{known['removed']:,} removed\n"
    )
    return 0
