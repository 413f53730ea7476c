"""Policies of training: how loans are split, and which model families compete."""

import math
from typing import Literal, Self

from pydantic import AliasChoices, Field, model_validator

from loan_platform.core.book.book_errors import InconsistentError
from loan_platform.core.book.parts.strict import Share, Strict
from loan_platform.core.errors import Issue

Family = Literal["scorecard", "random_forest", "gradient_boosting", "mlp", "blend"]
NON_MONOTONE_FAMILIES: frozenset[Family] = frozenset({"mlp"})  # cannot keep the contract's monotone constraints


MIN_STATE_ROWS, MIN_STATE_DEFAULTS = 100, 10


def _usual_rows(value: int) -> bool:
    """Policies without the key have the same bytes as before it existed."""
    return value == MIN_STATE_ROWS


def _usual_defaults(value: int) -> bool:
    """As `_usual_rows`."""
    return value == MIN_STATE_DEFAULTS


class SplitPolicy(Strict):
    """How loans are divided into training, calibration and test set."""

    kind: Literal["out_of_time", "hash"] = Field(
        default="out_of_time",
        description="`out_of_time` tests on the most recent vintages. `hash` splits by a hash of the entity key, "
        "separately for defaulted and repaid loans; use it for a book without dates.",
    )
    test_months: int = Field(
        default=8, gt=0, description="`out_of_time` only: number of most recent mature vintages, in months, to test on."
    )
    calibration_months: int = Field(
        default=6,
        gt=0,
        description="`out_of_time` only: number of months at the end of the training window, used for calibration.",
    )
    folds: int = Field(
        default=3,
        ge=2,
        le=10,
        description="Number of cross-validation folds in the training window. They are in order of time for "
        "`out_of_time`, and by hash for `hash`.",
    )
    min_resolved: Share = Field(
        default=0.9,
        description="A vintage is mature when this share of its outcomes is known. 0.9 means 90 %. Training out of "
        "time and the performance report use mature vintages only. In training no vintage counts from where all later "
        "ones are immature, judged on 200 loans of neighbouring months.",
    )
    mature_by: str | None = Field(
        default=None,
        description="`out_of_time` only: name of a feature whose values have a maturity of their own, such as the term "
        "of the loan. Each value then has its own mature vintages, in training and in the performance report. Without "
        "it, long loans among short ones count with their early defaults alone. Values of fewer than 200 loans are "
        "judged as all loans are.",
    )
    test_share: float = Field(
        default=0.25, gt=0, lt=1, description="`hash` only: share of all loans in the test set. 0.25 means 25 %."
    )
    calibration_share: float = Field(
        default=0.2, gt=0, lt=1, description="`hash` only: share of the training loans used for calibration."
    )


class TrainingPolicy(Strict):
    """Which model families compete, and how they are tuned."""

    families: tuple[Family, ...] = Field(
        default=("scorecard", "random_forest", "gradient_boosting", "mlp", "blend"),
        min_length=1,
        description="Model families that compete. `mlp` is a small neural network. `blend` is the average of "
        "scorecard and gradient_boosting.",
    )
    trials: int = Field(default=10, ge=1, description="Number of Optuna trials for each tuned family.")
    tuning_rows: int = Field(
        default=150_000, ge=1_000, description="Largest number of loans used for tuning. Larger sets are sampled."
    )
    min_auc_gain_over_scorecard: float = Field(
        default=0.001,
        ge=0,
        validation_alias=AliasChoices("min_auc_gain_over_scorecard", "margin"),
        description="A more complex family is chosen only if its AUC on the folds exceeds that of the scorecard by "
        "this much. 0.001 means 0.1 AUC points.",
    )
    min_state_rows: int = Field(
        default=MIN_STATE_ROWS,
        ge=1,
        exclude_if=_usual_rows,
        description="Number of training loans with a missing value, or with a category, from which a model learns what "
        "it means. The categories with fewer are learned as one, if they have as many together. Otherwise "
        "`when_missing` of the feature decides.",
    )
    min_state_defaults: int = Field(
        default=MIN_STATE_DEFAULTS,
        ge=0,
        exclude_if=_usual_defaults,
        description="Number of defaults, and of repaid loans, that these loans must have at the default rate of all "
        "loans. With 10 and a default rate of 2 %, 500 loans are needed.",
    )
    use_pricing: bool = Field(
        default=False,
        description="Whether features may read the lender's own pricing: interest rate, grade, instalment.",
    )
    seed: int = Field(
        default=20_260_101, description="Random seed. The same seed and data give the same model, bit by bit."
    )
    threads: int = Field(
        default=2, ge=1, description="Number of CPU cores for training. The model does not depend on it."
    )

    def needed_rows(self, default_rate: float | None) -> int:
        """Number of loans from which a model learns a state, at the default rate of all loans; None: not known."""
        rarer = min(default_rate, 1 - default_rate) if default_rate is not None else 0.0
        return max(self.min_state_rows, math.ceil(self.min_state_defaults / rarer)) if rarer else self.min_state_rows

    @model_validator(mode="after")
    def _blend_has_parts(self) -> Self:
        if "blend" in self.families and not {"scorecard", "gradient_boosting"} <= set(self.families):
            message = "blend is the average of scorecard and gradient_boosting, and one of them is not in the list"
            raise InconsistentError([Issue("families", message, "Add both, or remove blend.", "missing_family")], self)
        return self
