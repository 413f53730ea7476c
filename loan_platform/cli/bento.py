"""A book's champion, built into a Bento and checked, in one command."""

import os
import sys

from loan_platform.adapters.platform.home import ensure_home
from loan_platform.cli.books import book_folder
from loan_platform.cli.jobs import run_job
from loan_platform.cli.run_log import RunLog
from loan_platform.core.checking.book_check import load_book
from loan_platform.settings.platform import PlatformSettings


def run_bento(settings: PlatformSettings, name: str) -> int:
    """Run the book's service job and print the command that serves the Bento.

    Raises:
        UnknownBookError: there is no such book.
    """
    ensure_home(settings)
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    book, log = load_book(book_folder(name)), RunLog()
    import dagster as dg

    from loan_platform.definitions import defs

    with dg.DagsterInstance.get() as instance:
        done = run_job(defs(), f"{book.name}_service", instance, log)
    if not done or log.failed_checks:
        return 1
    built = log.metadata["scoring_service", None]
    size, digest = f"{built['megabytes']:.1f} MB", built["digest"][:12]
    sys.stdout.write(f"{built['tag']}: version {built['champion_version']}, {size}, digest {digest}\n")
    sys.stdout.write(f"{built['serve']}\n")
    return 0
