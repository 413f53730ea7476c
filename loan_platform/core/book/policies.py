"""The policies of a portfolio: where the data is, how to split, tune, choose, promote and watch."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from loan_platform.core.book.book_errors import InconsistentError
from loan_platform.core.book.close_names import closest
from loan_platform.core.book.contract_parts import Strict, Text
from loan_platform.core.errors import Issue

Share = Annotated[float, Field(ge=0, le=1)]
Month = Annotated[str, StringConstraints(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
Family = Literal["scorecard", "random_forest", "gradient_boosting", "mlp", "blend"]
UNDIRECTED: frozenset[Family] = frozenset({"mlp"})  # cannot keep a feature to the direction that the contract gives it


class Source(Strict):
    """Where raw files come from."""

    path: Text = Field(
        description="File, glob or gs:// URI; a relative path is below the platform home. The environment "
        "variable <PORTFOLIO>_<SOURCE> overrides it."
    )
    max_rows: int = Field(default=50_000_000, gt=0, description="A larger input is refused.")
    max_bytes: int = Field(default=20_000_000_000, gt=0, description="Unpacked size above which a file is refused.")


class Quarantine(Strict):
    """How many rows may be refused before the input as a whole is."""

    max_share: Share = Field(default=0.05, description="Share of the rows that may be refused; above it the run stops.")


class Split(Strict):
    """Which loans train, calibrate and test."""

    kind: Literal["out_of_time", "hash"] = Field(
        default="out_of_time",
        description="`hash` splits on the entity key, within each outcome, for a book without dates.",
    )
    test_months: int = Field(default=8, gt=0, description="out_of_time: the newest matured vintages are the test set.")
    calibration_months: int = Field(
        default=6,
        gt=0,
        description="out_of_time: the end of the training window, where calibration is fitted.",
    )
    folds: int = Field(
        default=3, ge=2, le=10, description="Folds inside the training window: in time order, or by hash."
    )
    min_resolved: Share = Field(
        default=0.9, description="out_of_time: a vintage is matured when this share of its outcomes is known."
    )
    test_share: float = Field(default=0.25, gt=0, lt=1, description="hash: share of the loans in the test set.")
    calibration_share: float = Field(
        default=0.2, gt=0, lt=1, description="hash: share of the training loans for calibration."
    )


class Training(Strict):
    """Which model families compete and how hard they are tuned."""

    families: tuple[Family, ...] = Field(
        default=("scorecard", "random_forest", "gradient_boosting", "mlp", "blend"),
        min_length=1,
        description="Model families that compete; `blend` averages scorecard and gradient_boosting.",
    )
    trials: int = Field(default=10, ge=1, description="Optuna trials for each tuned family.")
    tuning_rows: int = Field(default=150_000, ge=1_000, description="Tuning runs on at most this many loans.")
    margin: float = Field(
        default=0.001,
        ge=0,
        description="AUC by which a more complex family must beat the scorecard on the folds.",
    )
    use_pricing: bool = Field(
        default=False,
        description="Whether features may read the lender's own pricing (rate, grade, instalment).",
    )
    seed: int = Field(default=20_260_101, description="The same seed and data give the same model, bit by bit.")
    threads: int = Field(default=2, ge=1, description="Cores for training; the model's bytes do not depend on it.")

    @model_validator(mode="after")
    def _blend_has_parts(self) -> Self:
        if "blend" in self.families and not {"scorecard", "gradient_boosting"} <= set(self.families):
            message = "blend averages scorecard and gradient_boosting, and one of them is not in the list"
            raise InconsistentError([Issue("families", message, "Add both, or remove blend.")], self)
        return self


class Scorecard(Strict):
    """The points scale: `points` at `odds` good to bad, `double` more points for twice the odds."""

    points: float = Field(default=600, description="Score of a loan at these odds.")
    odds: float = Field(default=30, gt=0, description="Good loans for each bad one, at `points`.")
    double: float = Field(default=20, gt=0, description="Points that double the odds.")


class Decision(Strict):
    """When an application is approved, referred to a person or declined, and what a loan earns and loses.

    The cut-offs are probabilities of default. Where they are not given, they are derived from the expected profit on
    the calibration window: a loan that is repaid earns `margin`, one that defaults loses `loss_given_default`, both
    cost `cost_of_funds`, each a share of the exposure over the life of the loan.
    """

    approve_below: Share | None = Field(default=None, description="Approved below this probability of default.")
    decline_from: Share | None = Field(default=None, description="Declined from this one on; referred between the two.")
    loss_given_default: Share = Field(default=0.45, description="Share of the exposure that a default loses (LGD).")
    margin: float = Field(
        default=0.2, ge=0, description="Interest and fees of a repaid loan, as share of the exposure."
    )
    cost_of_funds: float = Field(default=0.05, ge=0, description="What lending the exposure costs, as share of it.")
    give_up: float = Field(
        default=0.02,
        ge=0,
        lt=1,
        description="Share of the best expected profit that may be given up: cut-offs that cost no more than this are "
        "as good as the best, and between the lowest and the highest of them a person decides.",
    )
    medium_from: Share = Field(default=0.1, description="Probability of default from which on the risk is medium.")
    high_from: Share = Field(default=0.2, description="Probability of default from which on the risk is high.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if issues := list(_decision_issues(self)):
            raise InconsistentError(issues, self)
        return self


def _decision_issues(policy: Decision) -> Iterator[Issue]:
    low, high = policy.approve_below, policy.decline_from
    if (low is None) != (high is None):
        given, lacking = ("approve_below", "decline_from") if high is None else ("decline_from", "approve_below")
        yield Issue(given, f"is given without {lacking}", f"Add {lacking}, or remove it: both are then derived.")
    if low is not None and high is not None and low > high:
        message = f"{low:g} is above decline_from, {high:g}, so an application would be approved and declined"
        yield Issue("approve_below", message, "Lower it, or raise decline_from.")
    if low is None and high is None and policy.margin <= policy.cost_of_funds:
        message = (
            f"{policy.margin:g} is not above cost_of_funds, {policy.cost_of_funds:g}, so no loan could earn anything"
        )
        yield Issue("margin", message, "Raise it, or give approve_below and decline_from.")
    if policy.medium_from > policy.high_from:
        message = f"{policy.medium_from:g} is above high_from, {policy.high_from:g}, so no risk would be medium"
        yield Issue("medium_from", message, "Lower it, or raise high_from.")


class Promotion(Strict):
    """What a version must show before it becomes the champion."""

    min_auc: Share = Field(default=0.6, description="Smallest AUC on the test set.")
    max_auc: Share = Field(default=0.75, description="A test AUC above it is a leak, not a success.")
    max_feature_auc: Share = Field(default=0.7, description="Ceiling for the AUC of any single feature.")
    max_ece: Share = Field(
        default=0.03, description="Largest expected calibration error (ECE) on the test set, in probability."
    )
    min_auc_gain: float = Field(
        default=-0.002,
        description="The lower end of the interval of challenger minus champion AUC must be above it.",
    )
    max_ece_loss: float = Field(default=0.005, ge=0, description="ECE that a challenger may lose to the champion.")

    @model_validator(mode="after")
    def _room_between(self) -> Self:
        if self.min_auc >= self.max_auc:
            message = f"{self.min_auc:g} is not below max_auc, {self.max_auc:g}, so no model could pass"
            raise InconsistentError([Issue("min_auc", message, "Lower it, or raise max_auc.")], self)
        return self


class Drift(Strict):
    """When a scored batch differs from the champion's development sample, and when it performs worse."""

    warning: float = Field(
        default=0.1, gt=0, description="PSI from which on a batch is told of, before the null correction for its size."
    )
    critical: float = Field(
        default=0.2, gt=0, description="PSI from which on a batch asks for training again; corrected as `warning` is."
    )
    null_quantile: float = Field(default=0.99, gt=0.5, lt=1, description="Quantile of the PSI that chance alone gives.")
    min_rows: int = Field(default=100, ge=1, description="A smaller batch has the verdict `unknown`.")
    sample_rows: int = Field(default=5_000, ge=100, description="Rows per side of the report for people.")
    report_batches: int = Field(
        default=12, ge=1, description="Of a run over many batches, how many of the newest get that report."
    )
    report_variables: int = Field(default=20, ge=1, description="Features in that report, the most drifted ones.")
    min_relative_gini: Share = Field(
        default=0.7, description="Share of the champion's test Gini that matured predictions must keep."
    )
    min_outcomes: int = Field(default=200, ge=1, description="Known outcomes below which performance is `unknown`.")

    @model_validator(mode="after")
    def _warning_first(self) -> Self:
        if self.warning > self.critical:
            message = f"{self.warning:g} is above critical, {self.critical:g}, so nothing would be a warning"
            raise InconsistentError([Issue("warning", message, "Lower it, or raise critical.")], self)
        return self


class Partitions(Strict):
    """How batches of applications are cut by event date; a book without dates is one batch."""

    every: Literal["month", "day", "none"] = Field(
        default="month", description="Length of a batch; `none` for a book without dates."
    )
    start: Month = Field(default="2007-01", description="First month of applications, such as 2015-06.")
    end: Month | None = Field(
        default=None, description="Last month, for a book that takes no more applications; else the current month is."
    )

    @model_validator(mode="after")
    def _start_comes_first(self) -> Self:
        if self.end is not None and self.end < self.start:
            message = f"{self.end} is before start, {self.start}, so no batch would be scored"
            raise InconsistentError([Issue("end", message, "Put it later, or leave it out.")], self)
        return self


class Policies(Strict):
    """Everything a portfolio's `defs.yaml` decides."""

    sources: dict[str, Source] = Field(
        description="`loans`, or each of the contract's tables; where wanted `applications` and `outcomes`, which have "
        "the form of `loans`."
    )
    quarantine: Quarantine = Field(default=Quarantine(), description="How many rows may be refused.")
    split: Split = Field(default=Split(), description="Which loans train, calibrate and test the model.")
    training: Training = Field(
        default=Training(), description="Which model families compete, and how hard they are tuned."
    )
    scorecard: Scorecard = Field(default=Scorecard(), description="The points scale of the score.")
    decision: Decision = Field(
        default=Decision(), description="When an application is approved, referred or declined, and what a loan earns."
    )
    promotion: Promotion = Field(default=Promotion(), description="What a version must show to become the champion.")
    drift: Drift = Field(
        default=Drift(), description="When a batch differs too much, and when predictions are too bad."
    )
    partitions: Partitions = Field(default=Partitions(), description="How applications are cut into batches.")

    @model_validator(mode="after")
    def _has_loans(self) -> Self:
        if "loans" not in self.sources:
            meant = closest("loans", self.sources)
            path, hint = (
                (f"sources.{meant}", "Did you mean 'loans'?") if meant else ("sources", "Add it, with its path.")
            )
            raise InconsistentError([Issue(path, "there is no source 'loans', the loan book itself", hint)], self)
        return self
