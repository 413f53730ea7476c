"""The whole graph of a book, from raw rows to drift reports, in one command; on generated files by default."""

import os
import sys
import time
from pathlib import Path

from loan_platform.adapters.platform.home import ensure_home
from loan_platform.adapters.reports.helper_process import peak_megabytes
from loan_platform.adapters.storage.atomic_files import atomic_write
from loan_platform.adapters.warehouse.sample_files import SCRIPT, write_sample
from loan_platform.cli.books import book_folder
from loan_platform.cli.jobs import Story, run_job
from loan_platform.cli.screen import screen
from loan_platform.cli.summary import as_json, summarise
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.checking.book_check import load_book
from loan_platform.settings.platform import PlatformSettings
from loan_platform.settings.source_files import source_override

LENDING_CLUB = "lending_club"
PURPOSES = ("training", "promotion", "scoring", "monitoring")
ROWS = {LENDING_CLUB: 60_000}
SAMPLE_ROWS = 10_000
SEED = 2_026
FIRST, LAST = "2018-07", "2018-12"
GENERATED_MONTHS = {"dagster/asset_partition_range_start": FIRST, "dagster/asset_partition_range_end": LAST}


def run_demo(settings: PlatformSettings, name: str, rows: int | None) -> int:
    """Run a book's jobs, on generated raw files where none are named, then show and keep what they did.

    Raises:
        UnknownBookError: there is no such book.
    """
    started = time.perf_counter()
    ensure_home(settings)
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    folder = book_folder(name)
    book, story = load_book(folder), Story()
    tags = _prepare(settings, book, folder / SCRIPT, rows or ROWS.get(name, SAMPLE_ROWS), story)
    if not _run_jobs(book, story, tags):
        sys.stderr.write("\nThe demo stopped:\n" + "\n".join(f"  {error}" for error in story.errors) + "\n")
        return 1
    summary = summarise(settings, book, story, time.perf_counter() - started, peak_megabytes())
    atomic_write(settings.summary, as_json(summary))
    sys.stdout.write(screen(summary))
    return 0


def _run_jobs(book: Portfolio, story: Story, tags: dict[str, str]) -> bool:
    """Run the book's jobs in order until one fails; the tags say which batches they are about."""
    import dagster as dg

    from loan_platform.definitions import defs

    definitions = defs()
    known = {job.name for job in definitions.resolve_all_job_defs()}
    with dg.DagsterInstance.get() as instance:
        for job in (f"{book.name}_{purpose}" for purpose in PURPOSES):
            if job not in known:  # a book without applications ends at promotion
                continue
            sys.stderr.write(f"\n{job}\n")
            if not run_job(definitions, job, instance, story, tags):
                return False
    return True


def _prepare(settings: PlatformSettings, book: Portfolio, script: Path, rows: int, story: Story) -> dict[str, str]:
    """Generate raw files unless the book has its own; returns the run tags that belong to them."""
    own = any(source_override(book.name, source) for source in book.sources)
    if own or (book.name != LENDING_CLUB and not script.is_file()):
        return {}
    started = time.perf_counter()
    if book.name == LENDING_CLUB:
        told = _generate(settings.data / LENDING_CLUB, rows)
    else:
        files = {name: settings.home / source.path for name, source in book.sources.items()}
        told = ", ".join(f"{count:,} {name}" for name, count in write_sample(script, files, rows).items())
    story.seconds["generate"] = time.perf_counter() - started
    sys.stderr.write(f"✓ generated in {story.seconds['generate']:.1f} s: {told}\n")
    return GENERATED_MONTHS if book.name == LENDING_CLUB else {}


def _generate(folder: Path, rows: int) -> str:
    """Write a loan book, applications that drift in their last two months, and their first outcomes."""
    from loan_platform.sample_data.lending_club.files import (
        Applications,
        write_applications,
        write_loan_book,
        write_outcomes,
    )
    from loan_platform.sample_data.lending_club.people import Drift

    folder.mkdir(parents=True, exist_ok=True)
    drift = Drift(start="2018-11", income_factor=0.7, fico_shift=-25, purpose_shift=0.3)
    batch = Applications(rows=max(rows // 10, 3_000), seed=SEED, start=FIRST, end=LAST, drift=drift)
    book = write_loan_book(folder / "loans.csv", rows=rows, seed=SEED, start="2013-01")
    write_applications(folder / "applications.csv", batch)
    write_outcomes(folder / "outcomes.csv", batch, resolved_months=3)
    return f"{book.rows:,} raw loans in {book.path}"
