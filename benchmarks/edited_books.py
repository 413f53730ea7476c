"""What happens to books that are drafted, trained, edited and trained again: a table of the gates' answers.

    python benchmarks/edited_books.py --home /tmp/edited --german german_credit.csv --cards UCI_Credit_Card.csv.gz

Each book goes through five steps: the draft is trained; the cut-offs change without a training; a feature is taken out
and the book trained again; a column is marked as a leak and the book trained again; the policies change once more.
Generated books have true log-odds that are linear in three of six columns. `service_charge` is written more often
after a default: a leak that a draft cannot see by its name. Files that are not given are left out.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml
from scipy.optimize import brentq
from scipy.special import expit

from loan_platform.settings.quiet import quiet_environment

PROJECT = '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "edited"\n'
GENERATED = {
    "tiny_300": (300, 0.3),
    "rare_3000": (3_000, 0.02),
    "half_2000": (2_000, 0.48),
    "large_20000": (20_000, 0.08),
}
LOW, HIGH = 0.5, 1.5  # cut-offs of the policy steps, as factors of the default rate


@dataclass(frozen=True)
class Step:
    """One line of the table."""

    book: str
    loans: int
    rate: float
    step: str
    answer: str
    why: str


def generated(rows: int, rate: float, seed: int) -> pl.DataFrame:
    """Loans with a default rate, a true order of risk (AUC about 0.74), noise, and a leak."""
    draw = np.random.default_rng(seed)
    income, debt, years = draw.lognormal(10, 0.5, rows), draw.lognormal(8, 0.9, rows), draw.integers(0, 30, rows)
    region = draw.choice(["north", "south", "west", "east"], rows)
    signal = (
        0.7 * (np.log(debt) - 8) / 0.9 - 0.6 * (np.log(income) - 10) / 0.5 - 0.02 * years + 0.3 * (region == "south")
    )
    base = brentq(lambda a: expit(a + signal).mean() - rate, -20, 20)
    bad = draw.random(rows) < expit(base + signal)
    # As many good loans have a fee as the leak needs to stay below the ceiling of a draft.
    fee = np.where(bad & (draw.random(rows) < 0.3) | (draw.random(rows) < 0.1), draw.uniform(5, 50, rows), 0.0)
    return pl.DataFrame(
        {
            "loan_no": [f"L{i:06}" for i in range(rows)],
            "income": income.round(2),
            "debt": debt.round(2),
            "years_employed": years,
            "region": region,
            "lottery": draw.normal(size=rows).round(4),
            "service_charge": fee.round(2),
            "outcome": np.where(bad, "defaulted", "repaid"),
        }
    )


class EditedBook:
    """A drafted book in a project folder of its own for each edit, and one home."""

    def __init__(self, root: Path, name: str, source: Path) -> None:
        self.root, self.name, self.source = root / name, name, source
        os.environ["LOAN_PLATFORM_HOME"] = str(self.root / "home")
        from loan_platform.settings.platform import PlatformSettings

        self.settings = PlatformSettings.from_environment()
        self.edits = 0
        self.contract: dict[str, Any] = {}
        self.defs: dict[str, Any] = {}

    def draft(self, target: str, key: str | None) -> None:
        """Write contract and policies from the file."""
        from loan_platform.adapters.drafting.book_folder import create_book
        from loan_platform.adapters.drafting.draft_book import BookRequest

        folder = self.root / "draft" / self.name
        request = BookRequest(self.name, str(self.source), target=target, key=key)
        create_book(request, folder, self.settings, lambda _: None)
        self.contract = yaml.safe_load((folder / "contract.yaml").read_text())
        self.defs = yaml.safe_load((folder / "defs.yaml").read_text())

    def without_feature(self, column: str) -> None:
        """Take out the features that read a column."""
        name = self._column(column)["name"]
        self.contract["features"] = [f for f in self.contract["features"] if name not in f["sql"]]

    def leak(self, column: str) -> None:
        """Mark a column as known after the decision only."""
        self.without_feature(column)
        self._column(column)["available_at"] = "after_origination"

    def _column(self, raw: str) -> dict[str, Any]:
        """The column of the draft that was made of a raw one."""
        same = raw.lower().replace("_", "")
        return next(c for c in self.contract["columns"] if c["name"].replace("_", "") == same)

    def run(self, *purposes: str) -> list[str]:
        """Run jobs of the book as it is now; the failures of their steps."""
        import dagster as dg

        from loan_platform.assets.loan_portfolio import location

        failures: list[str] = []
        project = self._project()
        sys.path.insert(0, str(project))
        with dg.instance_for_test() as instance:
            definitions = location(project / "edited")
            for purpose in purposes:
                job = definitions.resolve_job_def(f"{self.name}_{purpose}")
                loggers = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
                result = job.execute_in_process(loggers, instance, raise_on_error=False)
                failed = [event.step_failure_data for event in result.all_events if event.is_step_failure]
                told = [one.user_failure_data.description if one.user_failure_data else one.error for one in failed]
                failures += [str(one) for one in told] or ([] if result.success else [f"{purpose} failed"])
        sys.path.remove(str(project))
        return failures

    def _project(self) -> Path:
        for module in [m for m in sys.modules if m.partition(".")[0] == "edited"]:
            del sys.modules[module]
        self.edits += 1
        project = self.root / f"edit_{self.edits}"
        folder = project / "edited" / "defs" / self.name
        folder.mkdir(parents=True)
        (project / "edited" / "__init__.py").touch()
        (project / "pyproject.toml").write_text(PROJECT)
        for name, values in ("contract.yaml", self.contract), ("defs.yaml", self.defs):
            (folder / name).write_text(yaml.safe_dump(values, sort_keys=False))
        return project


def steps(book: EditedBook, target: str, key: str | None, out: str, leak: str, trials: int) -> Iterator[Step]:
    """The answers of the gates to each edit."""
    from loan_platform.adapters.ledger.ledger import Ledger
    from loan_platform.core.evaluation.evaluation_report import Evaluation

    book.draft(target, key)
    book.defs["attributes"]["training"]["trials"] = trials
    ledger, seen = Ledger(book.settings.ledger_url), 0

    def answer(step: str, failures: list[str]) -> Step:
        nonlocal seen
        history = ledger.history() if Path(book.settings.ledger_url.removeprefix("sqlite:///")).is_file() else []
        told = [(row.action, json.loads(row.verdict)["summary"]) for row in history[seen:]]
        seen = len(history)
        path = book.settings.reports / book.name / "evaluation.json"
        split = Evaluation.from_json(path.read_text()).split if path.is_file() else None
        loans = split.rows if split else 0
        rate = split.test.default_rate if split else 0.0
        words = " then ".join(action for action, _ in told) or ("failed" if failures else "nothing new")
        return Step(book.name, loans, rate, step, words, " ".join(why for _, why in told) or " ".join(failures)[:300])

    def cut_offs(factor: float) -> None:
        rate = first.rate
        book.defs["attributes"]["decision"] = {
            "approve_below": round(factor * LOW * rate, 4),
            "decline_from": min(round(factor * HIGH * rate, 4), 1.0),
        }

    first = answer("draft", book.run("training", "promotion"))
    yield first
    cut_offs(1.0)
    yield answer("cut-offs", book.run("policy"))
    book.without_feature(out)
    yield answer(f"without {out}", book.run("training", "promotion"))
    book.leak(leak)
    yield answer(f"{leak} is a leak", book.run("training", "promotion"))
    cut_offs(1.2)
    yield answer("cut-offs again", book.run("policy"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True, help="new folder for the homes of the books")
    parser.add_argument("--german", type=Path, help="german_credit: 1,000 loans, `Creditability` 1 good, 0 bad")
    parser.add_argument("--cards", type=Path, help="UCI credit cards")
    parser.add_argument("--books", nargs="*", default=[*GENERATED], help="generated books")
    parser.add_argument("--trials", type=int, default=5, help="tuning trials of each training")
    arguments = parser.parse_args()
    quiet_environment()
    arguments.home.mkdir(parents=True, exist_ok=True)
    jobs: list[tuple[str, Path, str, str | None, str, str]] = []
    if arguments.german:
        jobs.append(
            ("german_credit", arguments.german, "\"Creditability\" = '0'", None, "Typeofapartment", "AccountBalance")
        )
    for name in arguments.books:
        path = arguments.home / f"{name}.csv"
        generated(*GENERATED[name], seed=sum(map(ord, name))).write_csv(path)
        jobs.append((name, path, "outcome = 'defaulted'", "loan_no", "lottery", "service_charge"))
    if arguments.cards:
        jobs.append(("cards", arguments.cards, "\"default.payment.next.month\" = '1'", "ID", "AGE", "PAY_AMT1"))
    print("| book | loans | default rate | edit | answer | reason |")
    print("| --- | ---: | ---: | --- | --- | --- |")
    for name, path, target, key, out, leak in jobs:
        book = EditedBook(arguments.home, name, path.absolute())
        for step in steps(book, target, key, out, leak, arguments.trials):
            print(
                f"| {step.book} | {step.loans:,} | {step.rate:.0%} | {step.step} | {step.answer} | {step.why} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
