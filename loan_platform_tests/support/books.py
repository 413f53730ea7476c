"""A tiny loan book of a third party, made from nothing: other column names, no dates."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from loan_platform.core.book.contract import Contract
from loan_platform.core.book.policies import Source
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.book.training_policies import SplitPolicy, TrainingPolicy

CONTRACT: dict[str, Any] = {
    "description": "Car loans of a small bank.",
    "entity_key": "contract_no",
    "columns": [
        {
            "name": "contract_no",
            "description": "Number of the contract.",
            "type": "text",
            "sql": '"Contract No."',
            "required": True,
        },
        {
            "name": "salary",
            "description": "Yearly salary.",
            "type": "number",
            "sql": '"Gross Salary"',
            "required": True,
            "minimum": 0,
            "unit": "EUR",
        },
        {"name": "debt", "description": "Open debts.", "type": "number", "sql": '"Debts?"', "unit": "EUR"},
        {
            "name": "region",
            "description": "Where the car is registered.",
            "type": "text",
            "sql": '"Region"',
            "allowed": ["north", "south", "west"],
        },
        {
            "name": "sex",
            "description": "As in the identity document.",
            "type": "text",
            "sql": '"Sex"',
            "protected": True,
        },
    ],
    "target": {
        "sql": "CASE \"Paid back\" WHEN 'no' THEN 1 WHEN 'yes' THEN 0 END",
        "description": "Not paid back.",
    },
    "features": [
        {
            "name": "log_salary",
            "sql": "ln(salary + 1)",
            "description": "Salary, logarithm.",
            "reason": "The salary is low.",
            "monotone": "decreasing",
        },
        {
            "name": "debt_to_salary",
            "sql": "debt / (salary + 1)",
            "description": "Debts by salary.",
            "reason": "Debts are high for the salary.",
            "monotone": "increasing",
            "when_undefined": "highest_risk",
        },
        {
            "name": "region",
            "sql": "region",
            "kind": "category",
            "description": "Region.",
            "reason": "Losses are higher in the region.",
        },
    ],
}

DEFINITIONS = """
from pathlib import Path
import dagster as dg
from loan_platform.settings.quiet import quiet_environment
quiet_environment()

@dg.definitions
def defs():
    from loan_platform.assets.loan_portfolio import location
    return location(Path(__file__).parent)
"""

ATTRIBUTES: dict[str, Any] = {
    "sources": {
        "loans": {"path": "data/car_loans/loans.csv"},
        "applications": {"path": "data/car_loans/applications.csv"},
    },
    "split": {"kind": "hash", "folds": 2},
    "training": {"families": ["scorecard", "gradient_boosting"], "trials": 1, "tuning_rows": 2000},
    # An equal model may replace the champion, so that tests can have a second one.
    "promotion": {
        "min_auc": 0.55,
        "max_auc": 0.95,
        "max_feature_auc": 0.95,
        "reason": "The outcome is made of the salary.",
        "max_ece": 0.2,
        "min_auc_gain": -0.1,
    },
    "partitions": {"every": "none"},
}


def car_loans() -> Portfolio:
    """The book as the platform sees it."""
    return Portfolio(
        name="car_loans",
        contract=Contract.model_validate(CONTRACT),
        sources={name: Source(**source) for name, source in ATTRIBUTES["sources"].items()},
        split=SplitPolicy(**ATTRIBUTES["split"]),
        training=TrainingPolicy(**ATTRIBUTES["training"]),
        partitions=ATTRIBUTES["partitions"],
    )


def forget_package(name: str) -> None:
    """Let a package of this name be imported from another folder than before in this process."""
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        del sys.modules[module]


def write_project(
    folder: Path,
    contract: dict[str, Any] = CONTRACT,
    attributes: dict[str, Any] = ATTRIBUTES,
    name: str = "car_loans",
) -> Path:
    """A project of somebody else: one package with one book in its `defs` folder."""
    forget_package("small_bank")
    book = folder / "small_bank" / "defs" / name
    book.mkdir(parents=True)
    (folder / "small_bank" / "__init__.py").touch()
    (folder / "small_bank" / "definitions.py").write_text(DEFINITIONS)
    (folder / "pyproject.toml").write_text(
        '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "small_bank"\n'
    )
    (book / "contract.yaml").write_text(yaml.safe_dump(contract, sort_keys=False))
    component = {"type": "loan_platform.assets.loan_portfolio.LoanPortfolio", "attributes": attributes}
    (book / "defs.yaml").write_text(yaml.safe_dump(component, sort_keys=False))
    return folder


def write_loans(path: Path, rows: int, seed: int = 1, outcomes: bool = True) -> None:
    """A raw file of the book, default rising with debt and falling with salary."""
    draw = np.random.default_rng(seed)
    salary = np.exp(draw.normal(10.4, 0.5, rows)).round(2)
    debt = np.exp(draw.normal(9.5, 1.0, rows)).round(2)
    region = draw.choice(["north", "south", "west"], rows)
    logit = -1.6 + 1.2 * (np.log(debt) - 9.5) - 1.5 * (np.log(salary) - 10.4) + 0.5 * (region == "south")
    bad = draw.random(rows) < 1 / (1 + np.exp(-logit))
    sex = draw.choice(["f", "m"], rows)
    lines = ["Contract No.;Gross Salary;Debts?;Region;Sex" + (";Paid back" if outcomes else "")]
    for i in range(rows):
        outcome = f";{'no' if bad[i] else 'yes'}" if outcomes else ""
        lines.append(f"C{seed}-{i};{salary[i]};{debt[i]};{region[i]};{sex[i]}{outcome}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
