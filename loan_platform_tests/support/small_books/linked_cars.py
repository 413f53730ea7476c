"""Car loans in two linked files, loans and people, with applications and outcomes: a book whose jobs take seconds."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from loan_platform.core.book.portfolio import Portfolio
from loan_platform_tests.support.small_books.linked import column

NAME = "linked_cars"
LOANS, APPLICATIONS, MAX_SHARE, MOST_DEBT = 900, 200, 0.1, 1_000_000_000

# Each person has one row for each loan, dated before it. The join would take a later row too, and would lose a loan
# without one: the files decide whether `point_in_time` and `no_loan_lost` hold.
JOIN = """
SELECT loans.source_file, loans.source_line, loans.contract_no, loans.signed, loans.debt, loans.paid_back,
    newest.salary
FROM loans JOIN (
    SELECT person, arg_max(salary, stated) AS salary FROM people GROUP BY person
) AS newest ON newest.person = loans.contract_no
"""

CONTRACT: dict[str, Any] = {
    "description": "Car loans of a small bank, in two files.",
    "entity_key": "contract_no",
    "event_date": "signed",
    "tables": [
        {
            "name": "loans",
            "description": "Contracts.",
            "key": ["contract_no"],
            "columns": [
                column("contract_no", "text", required=True),
                column("signed", "date", required=True),
                column("debt", "number", minimum=0),
                column("paid_back", "text", available_at="after_origination"),
            ],
        },
        {
            "name": "people",
            "description": "What customers stated.",
            "key": ["person", "stated"],
            "as_of": "stated",
            "columns": [
                column("person", "text", required=True),
                column("stated", "date", required=True),
                column("salary", "number", minimum=0, max_missing=0.2),
            ],
        },
    ],
    "join": JOIN,
    "columns": [
        column("contract_no", "text", required=True),
        column("signed", "date", required=True),
        column("debt", "number", maximum=MOST_DEBT),
        column("salary", "number"),
        column("paid_back", "text", available_at="after_origination"),
    ],
    "target": {"sql": "CASE paid_back WHEN 'no' THEN 1 WHEN 'yes' THEN 0 END", "description": "Not paid back."},
    "features": [
        {
            "name": "log_salary",
            "sql": "ln(salary + 1)",
            "description": "Salary, logarithm.",
            "reason": "The salary is low.",
            "monotone": "decreasing",
        },
        {
            "name": "log_debt",
            "sql": "ln(debt + 1)",
            "description": "Debts, logarithm.",
            "reason": "Debts are high.",
            "monotone": "increasing",
        },
    ],
}

FILES = ("loans", "people", "applications", "outcomes")
ATTRIBUTES: dict[str, Any] = {
    "sources": {name: {"path": f"data/{NAME}/{name}.csv"} for name in FILES},
    "quarantine": {"max_share": MAX_SHARE},
    "split": {"kind": "hash", "folds": 2},
    "training": {"families": ["scorecard"], "trials": 1},
    "promotion": {"min_auc": 0.55, "max_auc": 0.99, "max_feature_auc": 0.99, "reason": "Made so.", "max_ece": 0.3},
    "partitions": {"every": "none"},
}


def write_files(folder: Path, seed: int = 1) -> None:
    """The four files of the book, default rising with debt and falling with salary."""
    draw = np.random.default_rng(seed)
    rows = LOANS + APPLICATIONS
    salary, debt = np.exp(draw.normal(10.4, 0.5, rows)), np.exp(draw.normal(9.5, 1.0, rows))
    logit = -1.2 + 1.2 * (np.log(debt) - 9.5) - 1.5 * (np.log(salary) - 10.4)
    bad = draw.random(rows) < 1 / (1 + np.exp(-logit))
    days = [date(2024, 1, 10) + timedelta(days=int(day)) for day in draw.integers(0, 300, rows)]
    people = [f"C{i},{days[i] - timedelta(days=3)},{salary[i]:.2f}" for i in range(rows)]
    contracts = [f"C{i},{days[i]},{debt[i]:.2f}" for i in range(rows)]
    with_outcome = [f"{contract},{'no' if bad[i] else 'yes'}" for i, contract in enumerate(contracts)]
    header = "contract_no,signed,debt"
    _write(folder / "people.csv", "person,stated,salary", people)
    _write(folder / "loans.csv", f"{header},paid_back", with_outcome[:LOANS])
    _write(folder / "applications.csv", header, contracts[LOANS:])
    _write(folder / "outcomes.csv", f"{header},paid_back", with_outcome[LOANS:])


def edited(path: Path, field: int, text: str, share: float) -> None:
    """Write a text into one field of the first share of a file's rows."""
    header, *rows = path.read_text().splitlines()
    count = round(share * len(rows))
    cells = [row.split(",") for row in rows[:count]]
    broken = [",".join([*row[:field], text, *row[field + 1 :]]) for row in cells]
    _write(path, header, [*broken, *rows[count:]])


def _write(path: Path, header: str, rows: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n")


def linked_cars() -> Portfolio:
    """The book as the platform sees it."""
    return Portfolio.model_validate({"name": NAME, "contract": CONTRACT, **ATTRIBUTES})
