"""Verdicts of the performance report on champions whose outcomes are their own test loans: nothing changed.

    python benchmarks/own_test_loans.py --home /tmp/own_test_loans

Each book is trained and promoted as `make demo` does it, on generated files unless the environment names others. Its
test loans then come back as outcomes: once all of them, once those alone that the champion's policy approves.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.adapters.platform.home import ensure_home
from loan_platform.adapters.storage.model_store import ModelStore, StoredModel
from loan_platform.assets.monitoring.loan_kinds import KIND, LoanKinds
from loan_platform.cli.books import book_folder
from loan_platform.core.book.constants import TARGET
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.checking.book_check import load_book
from loan_platform.core.performance.performance import performance
from loan_platform.core.performance.verdict import GiniReference
from loan_platform.core.scoring.decisions import APPROVED
from loan_platform.settings.platform import PlatformSettings
from loan_platform.settings.quiet import quiet_environment

BOOKS = ("lending_club", "retail_loans", "credit_cards", "bank_customers")
HEADING = """\
| book | champion | judged | loans | defaults | Gini | floor | floor of all test loans | verdict |
| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | --- |"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True, help="home of the platform; its champions are kept")
    parser.add_argument("--books", nargs="*", default=BOOKS)
    arguments = parser.parse_args()
    quiet_environment()
    os.environ["LOAN_PLATFORM_HOME"] = str(arguments.home.absolute())
    settings = PlatformSettings.from_environment()
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    ensure_home(settings)
    print(HEADING)
    for name in arguments.books:
        for line in rows_of(load_book(book_folder(name)), settings):
            print(line, flush=True)


def rows_of(book: Portfolio, settings: PlatformSettings) -> Iterator[str]:
    """A row for all test loans of a book's champion, and one for those that it approves."""
    from loan_platform.assets.training.evaluate_model import evaluate_model

    ledger = Ledger.from_settings(settings)
    if ledger.champion(book.name) is None:
        train(book, settings)
    champion = ledger.champion(book.name)
    if champion is None:
        sys.exit(f"{book.name} has no champion: {ledger.why_none(book.name)}")
    model = ModelStore(settings.lake / book.name / "trained_model").get(champion.model_sha256)
    evaluation = evaluate_model(book, model)
    whole, approved = evaluation.intervals["gini"], evaluation.approved
    reference = GiniReference(whole, approved.gini if approved else None)
    for loans in outcomes(book, model, champion.version):
        told = performance(loans, {champion.version: reference}, champion.version, book.drift, book.split.min_resolved)
        found = told.of_champion
        if found is None or found.window is None or found.window.gini is None or found.floor is None:
            sys.exit(f"{book.name}: {told.reason}")
        floors = (found.floor, book.drift.min_relative_gini * whole.estimate)
        figures = " | ".join(f"{value:.3f}" for value in (found.window.gini.estimate, *floors))
        counts = f"{found.population} | {found.window.known:,} | {found.window.defaults:,}"
        yield f"| `{book.name}` | {evaluation.chosen} | {counts} | {figures} | {found.verdict} |"
        sys.stderr.write(f"{book.name}: {told.reason}\n")


def outcomes(book: Portfolio, model: StoredModel, version: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The test loans as past predictions with outcomes: of all, and of the approved ones alone."""
    predictions, scoring = model.frame("test_predictions"), model.bundle().model
    probability = predictions[model.training().chosen].to_numpy()
    decisions = scoring.decisions(scoring.features(model.frame("test_rows")), probability)
    date = book.contract.event_date
    vintage = predictions[date] if date else pl.Series([None] * len(predictions), dtype=pl.Date)
    loans = pl.DataFrame(
        {
            "vintage": vintage,
            "model_version": version,
            "probability": probability,
            "outcome": predictions[TARGET],
            "approved": decisions == APPROVED,
            "reported": True,
            "in_sample": False,
        }
    )
    if kinds := LoanKinds.of_book(book):
        loans = loans.with_columns(kinds.of_applications(model.frame("test_rows").lazy())[KIND])
    of_approved = pl.when("approved").then("outcome").alias("outcome")
    return loans, loans.with_columns(of_approved, reported=pl.col("approved"))


def train(book: Portfolio, settings: PlatformSettings) -> None:
    """Train and promote as the demo does. What the steps did goes to standard error."""
    import dagster as dg

    from loan_platform.cli.demo_files import write_demo_files
    from loan_platform.cli.jobs import run_job
    from loan_platform.cli.run_log import RunLog
    from loan_platform.definitions import defs

    log = RunLog()
    write_demo_files(settings, book, book_folder(book.name), None, log)
    with dg.DagsterInstance.get() as instance:
        for purpose in ("training", "promotion"):
            if not run_job(defs(), f"{book.name}_{purpose}", instance, log):
                sys.exit("\n".join(log.errors + log.refusals))


if __name__ == "__main__":
    main()
