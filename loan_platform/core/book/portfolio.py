"""One loan book: its name, contract and policies."""

from collections.abc import Iterator
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from loan_platform.core.book.book_errors import InconsistentError
from loan_platform.core.book.close_names import closest, did_you_mean
from loan_platform.core.book.constants import MAIN_TABLE
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.parts.strict import Name, Strict, Text
from loan_platform.core.book.policies import Policies
from loan_platform.core.book.sql import SqlError
from loan_platform.core.book.training_policies import NON_MONOTONE_FAMILIES
from loan_platform.core.errors import Issue

COMPONENT = "loan_platform.assets.loan_portfolio.LoanPortfolio"
SOURCES = ("loans", "applications", "outcomes")
ADDED_TO = ("applications", "outcomes")  # sources whose files add to those before them


class Attributes(Policies):
    """Sources and policies of a book: the key `attributes` of `defs.yaml`."""

    contract: Text = Field(default="contract.yaml", description="File name of the contract, in the same folder.")


class Requirements(Strict):
    """What must exist before the book is loaded."""

    env: tuple[Text, ...] = Field(default=(), description="Environment variables that this file uses.")


class PostProcessing(Strict):
    """Changes to the assets of a book, applied by Dagster after they are built."""

    assets: tuple[dict[str, Any], ...] = Field(
        default=(), description="Each entry has `target`, an asset selection, and `attributes`, the values to set."
    )


class DefsFile(Strict):
    """The `defs.yaml` of a loan book."""

    type: Literal["loan_platform.assets.loan_portfolio.LoanPortfolio"] = Field(
        description="Dagster component. Always this one."
    )
    attributes: Attributes = Field(description="Sources and policies of the book.")
    requirements: Requirements | None = Field(default=None, description="What this file needs.")
    template_vars_module: str | None = Field(
        default=None, description="Dagster option: Python module with the template variables of `post_processing`."
    )
    post_processing: PostProcessing | None = Field(
        default=None, description="Dagster option: owners, tags or metadata for assets of the book."
    )


class Portfolio(Policies):
    """One loan book: its name, contract, sources and policies."""

    name: Name
    contract: Contract

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if issues := list(portfolio_issues(self, self.contract)):
            raise InconsistentError(issues, self)
        return self


def portfolio_issues(policies: Policies, contract: Contract) -> Iterator[Issue]:
    """Issues of policies that do not fit the contract, by the key of the policy."""
    known = {*SOURCES, *(table.name for table in contract.tables)}
    for table in contract.tables:
        if table.name not in policies.sources and table.name != "loans":  # `Policies` reports a missing `loans`
            hint = f"Add `{table.name}: {{path: ...}}`, or remove the table from the contract."
            yield Issue(
                "sources", f"there is no source {table.name!r}, which the contract joins", hint, "missing_source"
            )
    for name in policies.sources:
        reported = "loans" not in policies.sources and closest(name, known) == "loans"
        if name not in known and not reported:
            hint = did_you_mean(name, known) or f"The sources are {', '.join(sorted(known))}."
            yield Issue(f"sources.{name}", "is no source of this book: nothing would read it", hint, "unknown_source")
    added_to = {*ADDED_TO, *(table.name for table in contract.tables if table.key and table.name != MAIN_TABLE)}
    for name, source in policies.sources.items():
        if name not in added_to and (source.same_key != "latest" or source.latest_by):
            what = "latest_by" if source.latest_by else "same_key"
            message = "only applications, outcomes and linked sources with a key add up over several files"
            yield Issue(f"sources.{name}.{what}", message, "Remove it.", "not_added_to")
    if set(policies.training.families) <= NON_MONOTONE_FAMILIES and any(
        feature.monotone for feature in contract.features
    ):
        what = f"{' and '.join(policies.training.families)} cannot keep the contract's monotone constraints"
        hint = "Add scorecard, or remove `monotone` from the contract's features."
        yield Issue("training.families", f"{what}: no model could be chosen", hint, "no_monotone_family")
    yield from _named_features(policies, contract)
    if policies.split.kind == "hash" and policies.split.mature_by is not None and contract.event_date is not None:
        message = "a split by a hash has no months that could mature, so it would be ignored"
        yield Issue("split.mature_by", message, "Remove it, or write `kind: out_of_time`.", "not_used")
    if contract.event_date is None:
        why = "the contract has no event_date, so"
        remedy = "or give the contract an event_date"
        if policies.split.kind != "hash":
            message = f"{why} there are no vintages to split by"
            yield Issue("split.kind", message, f"Write 'hash', {remedy}.", "no_event_date")
        if policies.split.mature_by is not None:
            yield Issue("split.mature_by", f"{why} no vintage can be mature", f"Remove it, {remedy}.", "no_event_date")
        if policies.partitions.every != "none":
            message = f"{why} applications cannot be divided by date"
            yield Issue("partitions.every", message, f"Write 'none', {remedy}.", "no_event_date")


def _named_features(policies: Policies, contract: Contract) -> Iterator[Issue]:
    """Features that policies name and the model may not read."""
    try:
        names = [f.name for f in contract.features_for(policies.training.use_pricing)]
    except (SqlError, KeyError):  # told among the contract's own issues
        names = [f.name for f in contract.features]
    told = "is no feature that the model may read"
    for name in policies.promotion.accepted_signs:
        if name not in names:
            hint = did_you_mean(name, names) or "Remove it."
            yield Issue(f"promotion.accepted_signs.{name}", told, hint, "unknown_feature")
    matures = policies.split.mature_by
    if matures is not None and matures not in names:
        hint = did_you_mean(matures, names) or "Write the name of a feature, such as that of the term."
        yield Issue("split.mature_by", f"{matures!r} {told}", hint, "unknown_feature")
