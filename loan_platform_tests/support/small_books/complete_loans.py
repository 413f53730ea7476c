"""Loans of the small book without a missing value, and a model of each family on them."""

from functools import cache

import numpy as np
import polars as pl

from loan_platform.core.book.constants import TARGET
from loan_platform.core.book.contract import Contract
from loan_platform.core.features.design_matrix import Design
from loan_platform.core.features.feature_set import FeatureSet
from loan_platform.core.features.rare_states import Development
from loan_platform.core.models.base import FitContext, FittedModel, Sample
from loan_platform.core.models.blend import blend
from loan_platform.core.models.calibration import Platt
from loan_platform.core.models.families import FITTED
from loan_platform.core.models.scorecard import ScorecardModel
from loan_platform.core.models.trees import TreeModel
from loan_platform.core.scoring.scoring_model import ScoringModel
from loan_platform_tests.support.bundles import answer_policy
from loan_platform_tests.support.lending import contract, loans

SMALL = {"gradient_boosting": {"rounds": 80}, "random_forest": {"num_parallel_tree": 8}}
SIGNS = {"increasing": 1, "decreasing": -1, None: 0}
OPTIONAL = ("amount", "income", "inquiries", "purpose", "opened", "owner")


@cache
def complete() -> pl.DataFrame:
    """About 3,100 loans."""
    return loans().drop_nulls()


@cache
def model_of(family: str, **when_missing: str) -> ScoringModel:
    """A model that is fitted on these loans. `when_missing`: of some features."""
    frame = complete()
    book = with_states(contract(directions=family != "mlp"), when_missing)
    features = book.features_for(use_pricing=False)
    values, target = FeatureSet(book).compute(frame), frame[TARGET].cast(pl.Float64).to_numpy()
    design = Design.learn(features, values, np.arange(frame.height), Development(target))
    directions = {feature.name: SIGNS[feature.monotone] for feature in features}
    context = FitContext(design.names, tuple(directions[column.feature] for column in design.columns), 0, 1)
    fitted = fit(family, Sample(design.matrix(values), target), context)
    return ScoringModel(book, design, fitted, Platt(slope=1.0, intercept=0.0), answer_policy())


def with_states(plain: Contract, when_missing: dict[str, str]) -> Contract:
    """The contract with the given `when_missing` of some features."""
    features = tuple(
        feature.model_copy(update={"when_missing": when_missing.get(feature.name, "average")})
        for feature in plain.features
    )
    return plain.model_copy(update={"features": features})


def fit(family: str, sample: Sample, context: FitContext) -> FittedModel:
    """A small model of the family."""
    if family == "blend":
        parts = [fit(name, sample, context) for name in ("scorecard", "gradient_boosting")]
        assert isinstance(parts[0], ScorecardModel)
        assert isinstance(parts[1], TreeModel)
        return blend(parts[0], parts[1])
    return FITTED[family].fit(sample, context, FITTED[family].suggest(None) | SMALL.get(family, {}))
