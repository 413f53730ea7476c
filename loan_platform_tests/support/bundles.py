"""A model bundle with columns of every type, made by hand in milliseconds."""

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from loan_platform.core.book.contract import Contract
from loan_platform.core.book.decision_policies import ScorecardPolicy
from loan_platform.core.book.parts.columns import Column, Target
from loan_platform.core.book.parts.features import Feature
from loan_platform.core.features.design_column import DesignColumn
from loan_platform.core.features.design_matrix import Design
from loan_platform.core.models.calibration import Platt
from loan_platform.core.models.scorecard import ScorecardModel, Term
from loan_platform.core.monitoring.reference import Reference
from loan_platform.core.scoring.bundle import write_bundle
from loan_platform.core.scoring.decisions import AnswerPolicy, DecisionRule
from loan_platform.core.scoring.scoring_model import ScoringModel

ROWS = 40


def every_type() -> Contract:
    """A contract whose features read a number, a share, an integer, a boolean, a date and a text."""
    columns: dict[str, Any] = {
        "loan_id": "text", "income": "number", "utilisation": "percent", "term": "integer",
        "owner": "boolean", "opened": "date", "region": "text",
    }  # fmt: skip
    features = {
        "log_income": "ln(income + 1)",
        "utilisation": "utilisation",
        "term": "term",
        "owner": "CASE WHEN owner THEN 1 WHEN NOT owner THEN 0 END",
        "year_opened": "EXTRACT(year FROM opened)",
        "region": "region",
    }
    return Contract(
        description="Loans with columns of every type.",
        entity_key="loan_id",
        columns=tuple(
            Column(name=name, type=kind, description=name, required=name in ("loan_id", "income"))
            for name, kind in columns.items()
        ),
        target=Target(sql="defaulted", description="Defaulted."),
        features=tuple(
            Feature(name=n, sql=sql, description=n, reason=n, kind="category" if n == "region" else "number")
            for n, sql in features.items()
        ),
    )


def typed_rows(seed: int = 0) -> pl.DataFrame:
    """Typed application columns; every tenth row lacks everything but the income."""
    numbers = range(seed, seed + ROWS)
    gap = [i % 10 == 3 for i in range(ROWS)]
    rows = {
        "income": [1000.0 * (i % 17 + 1) for i in numbers],
        "utilisation": [float(i % 100) for i in numbers],
        "term": [36 if i % 3 else 60 for i in numbers],
        "owner": [i % 2 == 0 for i in numbers],
        "opened": [dt.date(1990 + i % 20, 1 + i % 12, 1) for i in numbers],
        "region": ["north" if i % 4 else "Süd" for i in numbers],
    }
    gaps = {
        name: [None if lacks and name != "income" else value for value, lacks in zip(values, gap, strict=True)]
        for name, values in rows.items()
    }
    return pl.DataFrame(gaps)


def answer_policy() -> AnswerPolicy:
    """The default points, and cut-offs in the middle of what `scoring_model` says."""
    rule = DecisionRule(approve_below=0.2, decline_from=0.4, loss_given_default=0.5, medium_from=0.25, high_from=0.35)
    return AnswerPolicy(scorecard=ScorecardPolicy(), decision=rule)


def scoring_model(slope: float = 0.1) -> ScoringModel:
    """A model in which every column counts."""
    contract = every_type()
    numbers = [DesignColumn(feature=f.name) for f in contract.features if f.kind == "number"]
    levels = [DesignColumn(feature="region", level=level) for level in ("Süd", "north")]
    design = Design((*numbers, *levels))
    term = Term(knots=(0.0, 3000.0), pieces=((0.0, 0.0, slope, -1.0),), missing=0.5)
    count = len(design.columns)
    model = ScorecardModel(importance=(1 / count,) * count, intercept=-2.0, terms=(term,) * count)
    return ScoringModel(contract, design, model, Platt(slope=0.01, intercept=-1.0), answer_policy())


def make_bundle(
    directory: Path, slope: float = 0.1, development: pl.DataFrame | None = None, **meta: Any
) -> tuple[ScoringModel, str]:
    """Write a bundle, with the drift reference of the `development` rows; returns its model and SHA-256."""
    model = scoring_model(slope)
    reference: dict[str, Any] = {}
    if development is not None:
        used = model.features(development).select(model.design.features)
        reference = Reference.build(used, model.score(development)["probability"].to_numpy()).to_json()
    return model, write_bundle(directory, model, reference, typed_rows(), {"family": "scorecard", **meta})


MARKUP = "<b id='inserted'>What it is for</b> & \"more\""


def ranged_model() -> ScoringModel:
    """A model whose contract gives ranges, categories, a unit, a required text, and a description with markup in it."""
    model = scoring_model()
    more: dict[str, dict[str, Any]] = {
        "income": {"minimum": 0.0, "maximum": 1e6, "unit": "EUR", "description": "Yearly income"},
        "utilisation": {"minimum": 0.0, "maximum": 100.0},
        "term": {"minimum": 12.0, "maximum": 72.0, "unit": "months", "required": True},
        "region": {"allowed": ("north", "Süd", "east"), "required": True},
        "opened": {"description": MARKUP},
    }
    columns = tuple(column.model_copy(update=more.get(column.name, {})) for column in model.contract.columns)
    employer = Column(name="employer", type="text", description="Employer", available_at="application")
    term = Term(knots=(0.0, 30.0), pieces=((0.0, 0.0, 0.06, -1.0),), missing=0.1)
    fitted = ScorecardModel(
        importance=model.model.importance, intercept=-2.0, terms=(term,) * len(model.design.columns)
    )
    return replace(
        model,
        contract=model.contract.model_copy(update={"columns": (*columns, employer)}),
        model=fitted,
        calibration=Platt(slope=1.5, intercept=4.2),
    )


def make_ranged_bundle(directory: Path, slope: float = 0.1) -> tuple[ScoringModel, str]:
    """`make_bundle` of that model, with the distributions of its rows."""
    model, rows = ranged_model(), typed_rows()
    reference = Reference.build(model.features(rows), model.score(rows)["probability"].to_numpy())
    return model, write_bundle(directory, model, reference.to_json(), rows, {"family": "scorecard", "slope": slope})
