"""The model families by name, simplest first, and how a model is read from JSON."""

from typing import Annotated

from pydantic import Field, TypeAdapter

from loan_platform.core.models.base import Family, FittedModel
from loan_platform.core.models.blend import BlendModel
from loan_platform.core.models.mlp import MlpFamily, MlpModel
from loan_platform.core.models.scorecard import ScorecardFamily, ScorecardModel
from loan_platform.core.models.trees import GradientBoostingFamily, RandomForestFamily, TreeModel

SIMPLEST = "scorecard"
BLEND = "blend"

# Families that are fitted. The blend is made of two of them.
FITTED: dict[str, Family] = {
    "scorecard": ScorecardFamily(),
    "random_forest": RandomForestFamily(),
    "gradient_boosting": GradientBoostingFamily(),
    "mlp": MlpFamily(),
}
NOT_LOG_ODDS = frozenset({"random_forest"})  # its margin is one Newton step from the base rate
COMPLEXITY = {"scorecard": 0, "gradient_boosting": 1, "random_forest": 2, "mlp": 3, "blend": 4}

_ANY = TypeAdapter[FittedModel](
    Annotated[ScorecardModel | TreeModel | MlpModel | BlendModel, Field(discriminator="family")]
)


def model_from_json(text: str | bytes) -> FittedModel:
    """Read a fitted model from its JSON.

    Raises:
        ValueError: unknown family, missing, unknown or non-finite values (pydantic's ValidationError is one).
    """
    return _ANY.validate_json(text, strict=True)
