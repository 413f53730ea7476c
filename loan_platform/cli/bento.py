"""A book's champion, built into a Bento and checked, in one command."""

import os
import sys

from loan_platform.adapters.platform.home import ensure_home
from loan_platform.cli.books import book_folder
from loan_platform.cli.jobs import Story, run_job
from loan_platform.core.checking.book_check import load_book
from loan_platform.settings.platform import PlatformSettings


def run_bento(settings: PlatformSettings, name: str) -> int:
    """Run the book's service job and tell how the Bento is served.

    Raises:
        UnknownBookError: there is no such book.
    """
    ensure_home(settings)
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    book, story = load_book(book_folder(name)), Story()
    import dagster as dg

    from loan_platform.definitions import defs

    with dg.DagsterInstance.get() as instance:
        done = run_job(defs(), f"{book.name}_service", instance, story)
    if not done or story.failed_checks:
        return 1
    told = story.metadata["scoring_service", None]
    sys.stdout.write(
        f"{told['tag']}: version {told['champion_version']}, {told['megabytes']:.1f} MB, digest {told['digest'][:12]}\n"
        f"{told['serve']}\n"
    )
    return 0
