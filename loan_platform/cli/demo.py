"""The whole graph on generated LendingClub-form files, from raw rows to drift reports, in one command."""

import os
import sys
import time
from pathlib import Path

from loan_platform.adapters.files import atomic_write
from loan_platform.adapters.home import ensure_home
from loan_platform.cli.jobs import Story, peak_megabytes, run_job
from loan_platform.cli.screen import screen
from loan_platform.cli.summary import as_json, summarise
from loan_platform.settings import Settings, source_override

BOOK = "lending_club"
JOBS = ("training", "promotion", "scoring", "monitoring")
SEED = 2_026
FIRST, LAST = "2018-07", "2018-12"
GENERATED_MONTHS = {"dagster/asset_partition_range_start": FIRST, "dagster/asset_partition_range_end": LAST}


def run_demo(settings: Settings, rows: int) -> int:
    """Generate raw files, run the book's jobs, show and keep what they did."""
    started = time.perf_counter()
    ensure_home(settings)
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    story = Story()
    tags: dict[str, str] = {}
    if source_override(BOOK, "loans") is None:
        story.seconds["generate"] = generate(settings.data / BOOK, rows)
        tags = GENERATED_MONTHS
    succeeded = run_jobs(story, tags)
    if not succeeded:
        sys.stderr.write("\nThe demo stopped:\n" + "\n".join(f"  {error}" for error in story.errors) + "\n")
        return 1
    summary = summarise(settings, BOOK, story, time.perf_counter() - started, peak_megabytes())
    atomic_write(settings.summary, as_json(summary))
    sys.stdout.write(screen(summary))
    return 0


def run_jobs(story: Story, tags: dict[str, str]) -> bool:
    """Run the book's jobs in order until one fails; the tags say which batches they are about."""
    import dagster as dg

    from loan_platform.definitions import defs

    definitions = defs()
    with dg.DagsterInstance.get() as instance:
        for purpose in JOBS:
            sys.stderr.write(f"\n{BOOK}_{purpose}\n")
            if not run_job(definitions, f"{BOOK}_{purpose}", instance, story, tags):
                return False
    return True


def generate(folder: Path, rows: int) -> float:
    """Write a loan book, applications that drift in their last two months, and their first outcomes."""
    from loan_platform.core.synthetic.files import (
        Applications,
        write_applications,
        write_loan_book,
        write_outcomes,
    )
    from loan_platform.core.synthetic.people import Drift

    started = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    drift = Drift(start="2018-11", income_factor=0.7, fico_shift=-25, purpose_shift=0.3)
    batch = Applications(rows=max(rows // 10, 3_000), seed=SEED, start=FIRST, end=LAST, drift=drift)
    book = write_loan_book(folder / "loans.csv", rows=rows, seed=SEED, start="2013-01")
    write_applications(folder / "applications.csv", batch)
    write_outcomes(folder / "outcomes.csv", batch, resolved_months=3)
    seconds = time.perf_counter() - started
    sys.stderr.write(f"✓ {book.rows:,} raw loans generated in {seconds:.1f} s: {book.path}\n")
    return seconds
