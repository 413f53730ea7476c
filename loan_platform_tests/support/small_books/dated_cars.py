"""The car loans with dates: files of a month, as a lender sends them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from loan_platform_tests.support.books import ATTRIBUTES, CONTRACT

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
