"""A small loan book for the modelling tests: nulls, unseen categories, two years of vintages."""

from datetime import date
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from loan_platform.core.book.constants import TARGET
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.policies import Source
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.book.training_policies import SplitPolicy, TrainingPolicy
from loan_platform.core.features.feature_set import FeatureSet
from loan_platform.core.training.train import Candidate, TrainingResult, train

_COLUMNS = {
    "loan_id": "text",
    "issued": "date",
    "amount": "number",
    "income": "number",
    "inquiries": "integer",
    "purpose": "text",
    "opened": "date",
    "owner": "boolean",
}
_FEATURES: dict[str, tuple[str, str | None]] = {
    "amount": ("amount", None),
    "income": ("income", "decreasing"),
    "burden": ("amount / income", "increasing"),
    "monthly_income": ("income / 12 * (1 - inquiries / 100)", None),
    "inquiries": ("inquiries", "increasing"),
    "history": ("EXTRACT(YEAR FROM issued) - EXTRACT(YEAR FROM opened)", None),
    "owner": ("owner", None),
    "purpose": ("purpose", None),
}


FAMILIES = ("scorecard", "random_forest", "gradient_boosting", "mlp", "blend")


def contract(directions: bool = True, **features: str) -> Contract:
    """The book's contract; `features` adds some, as name = SQL. `directions`: whether some features have one."""
    listed = {**_FEATURES, **{name: (sql, None) for name, sql in features.items()}}
    return Contract.model_validate(
        {
            "description": "Test loans.",
            "entity_key": "loan_id",
            "event_date": "issued",
            "columns": [{"name": name, "description": name, "type": kind} for name, kind in _COLUMNS.items()]
            + [{"name": "rate", "description": "Rate.", "type": "percent", "available_at": "pricing"}],
            "exposure": {"sql": "amount", "description": "Amount asked for, USD."},
            "target": {"sql": "status", "description": "Default."},
            "features": [
                {
                    "name": name,
                    "sql": sql,
                    "description": name,
                    "reason": name,
                    "monotone": monotone if directions else None,
                    "kind": "category" if name == "purpose" else "number",
                }
                for name, (sql, monotone) in listed.items()
            ]
            + [{"name": "rate", "sql": "rate", "description": "rate", "reason": "rate"}],
        }
    )


def book(directions: bool = True, **training: Any) -> Portfolio:
    """The book with a small tuning budget; `training` overrides its settings."""
    return Portfolio(
        name="test_loans",
        contract=contract(directions),
        sources={"loans": Source(path="loans.csv")},
        split=SplitPolicy(test_months=4, calibration_months=4, folds=2),
        training=TrainingPolicy.model_validate({"trials": 2, "tuning_rows": 2_000, **training}),
    )


def loans(rows: int = 4_000, seed: int = 1) -> pl.DataFrame:
    """Typed columns and target; default depends on burden, income, inquiries and purpose."""
    rng = np.random.default_rng(seed)
    amount, income = rng.uniform(1e3, 4e4, rows).round(2), np.exp(rng.normal(10.8, 0.5, rows)).round(2)
    inquiries, purpose = rng.poisson(1.0, rows), rng.choice(["car", "debt", "home", "wedding"], rows)
    log_odds = -2.2 + 2.5 * amount / income + 0.3 * inquiries + 0.6 * (purpose == "debt") - income / 2e5
    month = rng.integers(0, 24, rows)
    frame = pl.DataFrame(
        {
            "loan_id": [f"L{i:06d}" for i in range(rows)],
            "issued": [date(2014 + m // 12, m % 12 + 1, 1) for m in month.tolist()],
            "amount": amount,
            "income": income,
            "inquiries": inquiries,
            "purpose": purpose,
            "opened": [date(int(year), 6, 1) for year in rng.integers(1980, 2013, rows)],
            "owner": rng.random(rows) < 0.4,
            "rate": rng.uniform(5, 25, rows),
            TARGET: (rng.random(rows) < 1 / (1 + np.exp(-log_odds))).astype(int),
        }
    )
    return frame.with_columns(
        pl.when(pl.Series(rng.random(rows) > 0.05)).then(pl.col(name)).alias(name)
        for name in ("income", "inquiries", "purpose", "opened", "owner")
    )


def odd_rows(rows: int = 1_000) -> pl.DataFrame:
    """Loans as a caller may send them: nulls, zero income, unseen categories, extreme and negative amounts."""
    rng = np.random.default_rng(7)

    def swap(name: str, share: float, value: Any) -> pl.Expr:
        return pl.when(pl.Series(rng.random(rows) < share)).then(pl.lit(value)).otherwise(pl.col(name)).alias(name)

    frame = loans(rows, seed=8).drop(TARGET)
    for name, share, value in (
        ("income", 0.05, 0.0),
        ("income", 0.03, float("inf")),
        ("amount", 0.05, 1e12),
        ("amount", 0.03, float("nan")),
        ("amount", 0.03, -5.0),
        ("amount", 0.05, None),
        ("purpose", 0.1, "moon"),
    ):
        frame = frame.with_columns(swap(name, share, value))
    return frame


def feature_frame(frame: pl.DataFrame) -> pl.DataFrame:
    """Key, date, target and features, as training takes them."""
    features = FeatureSet(contract()).compute(frame)
    return pl.concat([frame.select("loan_id", "issued", TARGET), features], how="horizontal")


@cache
def every_candidate() -> tuple[Candidate, ...]:
    """A candidate of each family; the small network, which keeps no directions, from a book without any."""
    network = train(book(directions=False, families=("mlp",)), feature_frame(loans())).candidates
    found = {candidate.family: candidate for candidate in (*trained().candidates, *network)}
    return tuple(found[family] for family in FAMILIES)


@cache
def trained() -> TrainingResult:
    """The book, trained once for all tests."""
    return train(book(), feature_frame(loans()))
