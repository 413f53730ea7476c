"""The car loans with dates: files of a month, as a lender sends them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.core.book.contract import Contract
from loan_platform.core.features.design_column import DesignColumn
from loan_platform.core.features.design_matrix import Design
from loan_platform.core.models.calibration import Platt
from loan_platform.core.models.scorecard import ScorecardModel, Term
from loan_platform.core.scoring.bundle import write_bundle
from loan_platform.core.scoring.scoring_model import ScoringModel
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.books import ATTRIBUTES, CONTRACT
from loan_platform_tests.support.bundles import answer_policy

NAME = "dated_cars"
MONTHS = tuple(f"2023-{month:02}" for month in range(1, 13))

DATED: dict[str, Any] = CONTRACT | {
    "event_date": "applied",
    "columns": [
        *CONTRACT["columns"],
        {
            "name": "applied",
            "description": "Day of the application.",
            "type": "date",
            "sql": '"Applied"',
            "required": True,
        },
    ],
}
DATED_ATTRIBUTES: dict[str, Any] = ATTRIBUTES | {
    "sources": {name: {"path": f"data/{NAME}/{name}*.csv"} for name in ("loans", "applications", "outcomes")},
    "drift": {"min_rows": 20, "min_outcomes": 20, "report_batches": 1},
    "partitions": {"every": "month", "start": "2023-01", "end": "2023-12"},
    "training": {"families": ["scorecard"], "trials": 1, "tuning_rows": 2000},
}


def write_history(folder: Path, rows: int = 900) -> None:
    """Loans of 2022 with their outcomes."""
    lines = [f"{line};{outcome}" for line, outcome in _rows(rows, "H", tuple(f"2022-{m:02}" for m in range(1, 13)))]
    _write(folder / "loans.csv", lines, ";Paid back")


def month_rows(month: str, count: int = 30) -> dict[str, str]:
    """Applications of a month by key: a line of the file each."""
    lines = [line for line, _ in _rows(count, f"{month}/", (month,))]
    return {line.split(";")[0]: line for line in lines}


def write_applications(path: Path, rows: Iterable[str]) -> None:
    """A file of applications."""
    _write(path, list(rows), "")


def write_outcomes(path: Path, outcomes: dict[str, str]) -> None:
    """A file with the word on each loan: yes, no, or nothing while it is not known."""
    path.write_text("\n".join(["Contract No.;Paid back", *(f"{key};{word}" for key, word in outcomes.items())]) + "\n")


def promote_by_hand(settings: PlatformSettings) -> None:
    """Make a model the champion that was never trained: it reads the salary alone."""
    contract, made = Contract.model_validate(DATED), settings.lake / NAME / "made_by_hand"
    design = Design((DesignColumn(feature="log_salary"),))
    term = Term(knots=(0.0, 20.0), pieces=((0.0, 0.0, -0.1, 1.0),), missing=0.0)
    model = ScorecardModel(importance=(1.0,), intercept=-1.0, terms=(term,))
    scoring = ScoringModel(contract, design, model, Platt(slope=1.0, intercept=0.0), answer_policy())
    rows = pl.DataFrame({"salary": [1_000.0 * i for i in range(40)], "debt": 900.0, "region": "north"})
    sha256 = write_bundle(made, scoring, {}, rows, {"family": "scorecard"})
    stored = settings.lake / NAME / "trained_model" / sha256
    stored.mkdir(parents=True)
    made.rename(stored / "bundle")
    who: dict[str, Any] = {"actor": "test", "run_id": "run", "verdict": {}}
    Ledger(settings.ledger_url).promote(NAME, 1, sha256, expected_epoch=0, **who)


def _rows(count: int, prefix: str, months: tuple[str, ...]) -> list[tuple[str, str]]:
    draw = np.random.default_rng(sum(map(ord, prefix)))
    salary = np.exp(draw.normal(10.4, 0.5, count)).round(2)
    debt = np.exp(draw.normal(9.5, 1.0, count)).round(2)
    bad = draw.random(count) < 1 / (1 + np.exp(1.6 - 1.5 * (np.log(debt) - 9.5) + 1.5 * (np.log(salary) - 10.4)))
    days = [f"{months[i % len(months)]}-{1 + i % 28:02}" for i in range(count)]
    region = ("north", "south", "west")
    return [
        (f"{prefix}{i};{salary[i]};{debt[i]};{region[i % 3]};f;{days[i]}", "no" if bad[i] else "yes")
        for i in range(count)
    ]


def _write(path: Path, lines: list[str], more: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([f"Contract No.;Gross Salary;Debts?;Region;Sex;Applied{more}", *lines]) + "\n")
