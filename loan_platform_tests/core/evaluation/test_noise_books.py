"""Books of noise: the scorecard is trained on them, and the gates' own functions decide."""

import numpy as np
import polars as pl
import pytest

from loan_platform.core.book.constants import TARGET
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.decision_policies import PromotionPolicy
from loan_platform.core.book.policies import Source
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.book.training_policies import SplitPolicy, TrainingPolicy
from loan_platform.core.evaluation.gates.absolute_rules import challenger_of
from loan_platform.core.evaluation.leaks import leak_alarms, sign_alarms, single_feature_auc, strongest
from loan_platform.core.evaluation.promotion import decide
from loan_platform.core.training.train import train

BOOKS, ROWS = 200, 320
NAMES = ("income", "debt", "inquiries", "region", "survey")
POLICY = PromotionPolicy(min_auc=0.5, max_auc=0.90, max_feature_auc=0.85)  # as a draft of noise has them


def noise_book() -> Portfolio:
    kinds = {name: "text" if name == "region" else "number" for name in NAMES}
    contract = Contract.model_validate(
        {
            "description": "Noise.",
            "entity_key": "loan_id",
            "columns": [
                {"name": "loan_id", "description": "Number.", "type": "text"},
                *({"name": name, "description": name, "type": kind} for name, kind in kinds.items()),
            ],
            "target": {"sql": "status", "description": "Default."},
            "features": [
                {
                    "name": name,
                    "sql": name,
                    "description": name,
                    "reason": name,
                    "kind": "category" if kind == "text" else "number",
                }
                for name, kind in kinds.items()
            ],
        }
    )
    return Portfolio(
        name="noise",
        contract=contract,
        sources={"loans": Source(path="loans.csv")},
        split=SplitPolicy(kind="hash", folds=2),
        training=TrainingPolicy(families=("scorecard",), trials=1, tuning_rows=1_000),
        promotion=POLICY,
        partitions={"every": "none"},  # pyright: ignore[reportArgumentType]
    )


def noise(rng: np.random.Generator, rate: float) -> pl.DataFrame:
    survey = pl.Series(rng.normal(size=ROWS))
    return pl.DataFrame(
        {
            "loan_id": [f"L{number:07d}" for number in rng.permutation(ROWS)],
            "income": np.exp(rng.normal(10, 0.5, ROWS)),
            "debt": rng.gamma(2, 1_000, ROWS),
            "inquiries": rng.poisson(1, ROWS).astype(float),
            "region": rng.choice(["north", "south", "west", "east"], ROWS),
            "survey": pl.select(pl.when(pl.Series(rng.random(ROWS) < 0.7)).then(survey)).to_series(),
            TARGET: (rng.random(ROWS) < rate).astype(int),
        }
    )


def is_promoted(book: Portfolio, frame: pl.DataFrame) -> tuple[bool, list[str]]:
    """Whether the scorecard of a book passes every gate, and the leak alarms of its features."""
    result = train(book, frame)
    found = result.test_predictions
    target, probability = found[TARGET].to_numpy(), found[result.choice.family].to_numpy()
    features = frame[found["row"]].select(NAMES)
    alone = single_feature_auc(features, target)
    best = strongest(alone)
    evidence = challenger_of("sha", target, probability, alone[best], best)
    told = [str(alarm) for alarm in leak_alarms(evidence.auc, alone, POLICY.auc_ceiling, POLICY.feature_auc_ceiling)]
    told += map(str, sign_alarms(features, target, POLICY.feature_auc_ceiling, found["row"].to_numpy()).values())
    return decide(POLICY, evidence, None).promote and not told, told


@pytest.mark.thorough
def test_hardly_any_book_of_noise_is_promoted() -> None:
    rng, book = np.random.default_rng(11), noise_book()
    found = [is_promoted(book, noise(rng, rate)) for rate in (0.15, 0.3) for _ in range(BOOKS // 2)]
    assert sum(promoted for promoted, _ in found) <= 10  # 5 %
    assert sum(bool(told) for _, told in found) <= 4  # false leak alarms
