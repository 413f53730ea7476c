"""Policies of monitoring: the batches that are scored, and when a batch has drifted."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from loan_platform.core.book.book_errors import InconsistentError
from loan_platform.core.book.parts.strict import Share, Strict
from loan_platform.core.errors import Issue

Month = Annotated[str, StringConstraints(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]


class DriftPolicy(Strict):
    """When a batch differs too much from the champion's training data, and when its predictions are too bad.

    Differences are measured by the population stability index (PSI) of each feature and of the score.
    """

    warning: float = Field(
        default=0.1, gt=0, description="PSI threshold for a warning, before the sample-size correction."
    )
    critical: float = Field(
        default=0.2,
        gt=0,
        description="PSI threshold from which retraining is requested, before the sample-size correction.",
    )
    null_quantile: float = Field(
        default=0.99,
        gt=0.5,
        lt=1,
        description="Sample-size correction: this quantile of the PSI without drift is added to both thresholds.",
    )
    min_rows: int = Field(
        default=100, ge=1, description="Smallest batch with a verdict. Smaller ones have the verdict `unknown`."
    )
    min_feature_share: Share = Field(
        default=0.05,
        description="Share of the model that critical features must carry together to make a report critical. Below it "
        "they warn. The score always counts. 0.05 means 5 %.",
    )
    sample_rows: int = Field(
        default=5_000, ge=100, description="Rows drawn from the reference, and from the batch, for the HTML report."
    )
    report_batches: int = Field(
        default=12, ge=1, description="Number of most recent batches of a run that get an HTML report."
    )
    report_variables: int = Field(
        default=20, ge=1, description="Number of features in the HTML report, those with the highest PSI first."
    )
    min_relative_gini: Share = Field(
        default=0.7,
        description="Share of a version's Gini on its test loans that its loans with known outcomes must reach. 0.7 "
        "means 70 %. Approved loans are compared with approved test loans.",
    )
    max_rate_factor: float = Field(
        default=1.5,
        gt=1,
        description="Largest factor between the observed default rate and the predicted one, either way. Beyond it, "
        "and beyond chance, performance is degraded.",
    )
    min_outcomes: int = Field(
        default=200, ge=1, description="Smallest number of known outcomes for a verdict on performance."
    )

    @model_validator(mode="after")
    def _warning_first(self) -> Self:
        if self.warning > self.critical:
            message = f"{self.warning:g} is above critical, {self.critical:g}: there would never be a warning"
            raise InconsistentError([Issue("warning", message, "Lower it, or raise critical.", "wrong_order")], self)
        return self


class PartitionPolicy(Strict):
    """How applications are divided into batches by event date. A book without dates is one batch."""

    every: Literal["month", "day", "none"] = Field(
        default="month", description="Period of one batch. Write `none` for a book without dates."
    )
    start: Month = Field(default="2007-01", description="First month with applications, such as 2015-06.")
    end: Month | None = Field(
        default=None,
        description="Last month with applications, for a book that takes no new ones. Default: the current month.",
    )

    @model_validator(mode="after")
    def _start_comes_first(self) -> Self:
        if self.end is not None and self.end < self.start:
            message = f"{self.end} is before start, {self.start}: no batch would be scored"
            hint = "Correct it, or leave it out."
            raise InconsistentError([Issue("end", message, hint, "wrong_order")], self)
        return self
