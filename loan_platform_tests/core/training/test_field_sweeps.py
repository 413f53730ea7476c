"""PD over the whole range of each input field: it never moves against the direction that all its features have."""

from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import loan_platform
from loan_platform.core.book.column_types import NUMBERS
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.parts.columns import Column
from loan_platform.core.book.parts.features import Feature
from loan_platform.core.checking.contract_check import load_contract
from loan_platform.core.features.design_matrix import Design
from loan_platform.core.features.feature_set import FeatureSet
from loan_platform.core.features.undefined import LARGEST
from loan_platform.core.models.base import FitContext, FittedModel, Sample
from loan_platform.core.models.blend import blend
from loan_platform.core.models.calibration import Platt
from loan_platform.core.models.families import FITTED
from loan_platform.core.models.scorecard import ScorecardModel
from loan_platform.core.models.trees import TreeModel
from loan_platform.core.scoring.bundle import load_bundle, write_bundle
from loan_platform.core.scoring.scoring_model import ScoringModel
from loan_platform_tests.support.bundles import answer_policy
from loan_platform_tests.support.random_loans import limits, random_rows, random_target

pytestmark = pytest.mark.thorough

BOOKS = ("lending_club", "credit_cards", "bank_customers", "retail_loans")
FAMILIES = ("scorecard", "random_forest", "gradient_boosting", "blend")
SMALL = {"gradient_boosting": {"rounds": 60}, "random_forest": {"num_parallel_tree": 24}}
SIGNS = {"increasing": 1, "decreasing": -1}
ROWS, LOANS = 1_500, 24


@cache
def contract_of(book: str) -> Contract:
    """The shipped contract with only those features that have a direction: a field of another one has none."""
    contract = load_contract(Path(loan_platform.__file__).parent / "defs" / book / "contract.yaml")
    directed = tuple(feature for feature in contract.features if feature.monotone)
    return contract.model_copy(update={"features": directed})


@cache
def fitted(book: str, family: str) -> ScoringModel:
    contract = contract_of(book)
    features = contract.features_for(use_pricing=True)
    loans = random_rows(contract.application_columns(use_pricing=True), ROWS)
    frame = FeatureSet(contract, use_pricing=True).compute(loans)
    design = Design.learn(features, frame, np.arange(ROWS))
    directions = {feature.name: SIGNS[feature.monotone or ""] for feature in features}
    context = FitContext(design.names, tuple(directions[column.feature] for column in design.columns), 0, 1)
    sample = Sample(design.matrix(frame), random_target(frame, features))
    return ScoringModel(
        contract, design, fit(family, sample, context), Platt(slope=1.0, intercept=0.0), answer_policy()
    )


def fit(family: str, sample: Sample, context: FitContext) -> FittedModel:
    if family == "blend":
        parts = [fit(name, sample, context) for name in ("scorecard", "gradient_boosting")]
        assert isinstance(parts[0], ScorecardModel)
        assert isinstance(parts[1], TreeModel)
        return blend(parts[0], parts[1])
    chosen = FITTED[family].suggest(None) | SMALL.get(family, {})
    return FITTED[family].fit(sample, context, chosen)


def grid(column: Column) -> list[float]:
    """The whole range, dense near its ends, with zero and both bounds."""
    low, high = limits(column)
    inside = low + (high - low) * np.linspace(0, 1, 30) ** 3
    points = {low, high, 0.0, *inside.tolist(), low + 1, low + (high - low) * 0.999}
    if column.type == "integer":
        points = {int(point) for point in points}
    return sorted(point for point in points if min(low, 0.0) <= point <= high)


def directions(features: pl.DataFrame, readers: tuple[Feature, ...], loans: int) -> list[set[int]]:
    """For each loan: the ways (1 riskier, -1 safer) in which the features move along the grid."""
    found: list[set[int]] = [set() for _ in range(loans)]
    for feature in readers:
        values = features[feature.name].to_numpy().reshape(loans, -1)
        for ways, row in zip(found, values, strict=True):
            known = row[np.isfinite(row) & (np.abs(row) < LARGEST)].astype(np.float32)
            ways |= {int(way) * SIGNS[feature.monotone or ""] for way in np.sign(np.diff(known)) if way}
    return found


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("book", BOOKS)
def test_pd_keeps_the_direction_of_a_field(book: str, family: str) -> None:
    model = fitted(book, family)
    contract = model.contract
    loans = random_rows(model.inputs, LOANS, seed=7)
    swept = 0
    for column in model.inputs:
        if column.type not in NUMBERS:
            continue
        points = pl.DataFrame({column.name: grid(column)}, schema={column.name: loans.schema[column.name]})
        frame = loans.drop(column.name).join(points, how="cross", maintain_order="left_right")
        readers = tuple(f for f in contract.features if column.name in f.columns)
        ways = directions(model.features(frame), readers, LOANS)
        probability = model.score(frame)["probability"].to_numpy().reshape(LOANS, -1)
        for way, row in zip(ways, probability, strict=True):
            if len(way) == 1:
                swept += 1
                against = -np.diff(row) * next(iter(way))
                assert against.max() <= 1e-9, (column.name, points[column.name][int(against.argmax())])
    assert swept >= LOANS


@pytest.mark.parametrize("family", FAMILIES)
def test_no_income_and_no_use_of_cards_are_ends(family: str, tmp_path: Path) -> None:
    """An income of 0 is no better than 1, and a utilisation of 0 no worse than 1, in the bundle too."""
    model = fitted("lending_club", family)
    loan = random_rows(model.inputs, 1, seed=3).with_columns(
        loan_amnt=40_000.0, term=60, dti=20.0, revol_bal=15_000.0, total_bal_il=10_000.0, bc_open_to_buy=6_000.0
    )
    without = loan.with_columns(
        pl.lit(None, loan.schema[name]).alias(name) for name in ("annual_inc_joint", "dti_joint")
    )
    rows = without.join(pl.DataFrame({"annual_inc": [0.0, 1.0, 40_000.0]}), how="cross", suffix="_new")
    rows = (
        rows.drop("annual_inc")
        .rename({"annual_inc_new": "annual_inc"})
        .with_columns(revol_util=50.0)
        .cast({"term": pl.Int64})
    )
    none, one, usual = model.score(rows)["probability"]
    assert none >= one > usual
    cards = pl.concat([rows.tail(1).with_columns(revol_util=pl.lit(util)) for util in (0.0, 1.0, 95.0)])
    unused, little, full = model.score(cards)["probability"]
    assert unused <= little < full

    golden = pl.concat([rows, cards, random_rows(model.inputs, 40).select(rows.columns)])
    write_bundle(tmp_path / "bundle", model, {}, golden, {})
    loaded = load_bundle(tmp_path / "bundle").model
    alone = pl.concat([loaded.score(row) for row in golden.iter_slices(1)])
    assert alone.equals(model.score(golden))
