"""The whole graph of a book, from raw rows to drift reports, in one command; on generated files by default."""

import os
import sys
import time
from typing import Any

from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.adapters.platform.home import ensure_home
from loan_platform.adapters.reports.evidently_report import drift_report_process
from loan_platform.adapters.reports.great_expectations import quality_process
from loan_platform.adapters.reports.helper_process import peak_megabytes
from loan_platform.adapters.storage.atomic_files import atomic_write
from loan_platform.cli.books import book_folder
from loan_platform.cli.demo_files import GeneratedFiles, write_demo_files
from loan_platform.cli.jobs import run_job
from loan_platform.cli.run_log import RunLog
from loan_platform.cli.screen import screen
from loan_platform.cli.summary import summarise
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.checking.book_check import load_book
from loan_platform.settings.platform import PlatformSettings

PURPOSES = ("training", "promotion", "scoring", "monitoring")


def run_demo(settings: PlatformSettings, name: str, rows: int | None) -> int:
    """Run a book's jobs, on generated raw files where none are named, then show and save what they did.

    Raises:
        UnknownBookError: there is no such book.
    """
    started = time.perf_counter()
    _start_imports()
    ensure_home(settings)
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    folder = book_folder(name)
    book, log = load_book(folder), RunLog()
    generated = write_demo_files(settings, book, folder, rows, log)
    if not _run_jobs(settings, book, log, generated):
        told = log.errors + log.refusals
        sys.stderr.write("\nThe demo stopped:\n" + "\n".join(f"  {error}" for error in told) + "\n")
        return 1
    summary = summarise(settings, book, log, time.perf_counter() - started, peak_megabytes())
    atomic_write(settings.summary, summary.to_json())
    sys.stdout.write(screen(summary))
    return 0


def _start_imports() -> None:
    """Let the helpers import Great Expectations and Evidently on another core, before the first asset needs them."""
    quality_process.start()
    drift_report_process.start()


def _run_jobs(settings: PlatformSettings, book: Portfolio, log: RunLog, generated: GeneratedFiles) -> bool:
    """Run the book's jobs in order until one fails, or no version was promoted.

    Generated files replace those of an earlier demo.
    """
    import dagster as dg

    from loan_platform.definitions import defs

    definitions = defs()
    present = {job.name for job in definitions.resolve_all_job_defs()}
    with dg.DagsterInstance.get() as instance:
        for purpose in PURPOSES:
            job = f"{book.name}_{purpose}"
            if job not in present:  # a book without applications ends at promotion
                continue
            sys.stderr.write(f"\n{job}\n")
            if not run_job(definitions, job, instance, log, generated.tags, _replacing(book, purpose, generated)):
                return False
            if purpose == "promotion" and (refused := _refused(settings, book)):
                log.refusals.append(refused)
                return False
    return True


def _refused(settings: PlatformSettings, book: Portfolio) -> str | None:
    """Why no version scores the applications; None where one does."""
    ledger = Ledger.from_settings(settings)
    if ledger.champion(book.name) is not None:
        return None
    return f"{book.name} has no champion: {ledger.why_none(book.name)}"


def _replacing(book: Portfolio, purpose: str, generated: GeneratedFiles) -> dict[str, Any]:
    """Configuration of the steps that otherwise keep the rows of an earlier demo."""
    if not generated.any:
        return {}
    all_of_them = {"replace": True, "ignore_quarantined": True}
    linked = [f"clean_{table.name}" for table in book.contract.tables]
    steps: dict[str, dict[str, Any]] = {
        "training": dict.fromkeys(linked, all_of_them),
        "scoring": {"applications": all_of_them | {"replace": "all"}},
        "monitoring": {"outcomes": all_of_them} if "outcomes" in book.sources else {},
    }
    return {f"{book.name}__{step}": {"config": config} for step, config in steps.get(purpose, {}).items()}
