"""The policies of a portfolio: the keys of `defs.yaml` under `attributes`."""

from typing import Literal, Self

from pydantic import Field, model_validator

from loan_platform.core.book.book_errors import InconsistentError
from loan_platform.core.book.close_names import closest
from loan_platform.core.book.date_formats import FORMAT_HINT, format_issue
from loan_platform.core.book.decision_policies import DecisionPolicy, PromotionPolicy, ScorecardPolicy
from loan_platform.core.book.monitoring_policies import DriftPolicy, PartitionPolicy
from loan_platform.core.book.parts.strict import Share, Strict, Text
from loan_platform.core.book.training_policies import SplitPolicy, TrainingPolicy
from loan_platform.core.errors import Issue

SameKey = Literal["latest", "first", "refuse"]


class LatestBy(Strict):
    """The date that says which of two rows with one key is the latest."""

    column: Text = Field(description="Name of the column in the file, such as `as_of`.")
    date_format: str | None = Field(
        default=None,
        description="Format of its dates, as `date_format` of a column in the contract.",
    )

    @model_validator(mode="after")
    def _names_dates(self) -> Self:
        if self.date_format is not None and (message := format_issue(self.date_format)):
            raise InconsistentError([Issue("date_format", message, FORMAT_HINT, "invalid_date_format")], self)
        return self


class Source(Strict):
    """Where raw files are."""

    path: Text = Field(
        description="File, glob or gs:// URI. A relative path starts at the platform home. The environment variable "
        "<BOOK>_<SOURCE> overrides it. Example: data/my_book/*.csv."
    )
    max_rows: int = Field(default=50_000_000, gt=0, description="Largest number of rows. More rows are an error.")
    max_bytes: int = Field(
        default=20_000_000_000, gt=0, description="Largest size in bytes after unpacking. More bytes are an error."
    )
    encoding: Literal["utf-8", "windows-1252", "latin-1", "utf-16"] = Field(
        default="utf-8", description="Encoding of CSV files. In `utf-8` a line of another encoding is quarantined."
    )
    same_key: SameKey = Field(
        default="latest",
        description="Which row counts when several rows of `applications` or `outcomes` have one key, in one file or "
        "in files that arrive later. `latest`: the last one that was read, or the one with the latest date. `first`: "
        "the first one. `refuse`: the first one, and a check fails. The others stay in the history.",
    )
    latest_by: LatestBy | None = Field(
        default=None, description="Date that decides which row is the latest. Default: the order of reading."
    )


class QuarantinePolicy(Strict):
    """How many invalid rows are accepted in a source."""

    max_share: Share = Field(
        default=0.05,
        description="Largest share of quarantined rows. Above it all rows are refused, and those before them stay. "
        "0.05 means 5 %.",
    )


class Policies(Strict):
    """Sources and policies of a portfolio."""

    sources: dict[str, Source] = Field(
        description="Raw files by name. `loans` is required, and one source for each table of the contract. "
        "`applications` and `outcomes` are optional and have the columns of `loans`."
    )
    quarantine: QuarantinePolicy = Field(default=QuarantinePolicy(), description="Limit for the share of invalid rows.")
    split: SplitPolicy = Field(default=SplitPolicy(), description="Sizes of training, calibration and test set.")
    training: TrainingPolicy = Field(default=TrainingPolicy(), description="Model families and their tuning.")
    scorecard: ScorecardPolicy = Field(default=ScorecardPolicy(), description="Points scale of the score.")
    decision: DecisionPolicy = Field(
        default=DecisionPolicy(), description="When an application is approved, referred to a person or declined."
    )
    promotion: PromotionPolicy = Field(
        default=PromotionPolicy(), description="What a new version must show to become the champion."
    )
    drift: DriftPolicy = Field(
        default=DriftPolicy(), description="When a batch differs too much, and when its predictions are too bad."
    )
    partitions: PartitionPolicy = Field(
        default=PartitionPolicy(), description="How applications are divided into batches."
    )

    @model_validator(mode="after")
    def _has_loans(self) -> Self:
        if "loans" not in self.sources:
            meant = closest("loans", self.sources)
            path = f"sources.{meant}" if meant else "sources"
            hint = "Did you mean 'loans'?" if meant else "Add it, with its path."
            message = "there is no source 'loans', the loan book itself"
            raise InconsistentError([Issue(path, message, hint, "missing_source")], self)
        return self
