"""One loan book: its name, contract and policies."""

from collections.abc import Iterator
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from loan_platform.core.book.book_errors import InconsistentError
from loan_platform.core.book.close_names import closest, did_you_mean
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.contract_parts import Name, Strict, Text
from loan_platform.core.book.policies import UNDIRECTED, Policies
from loan_platform.core.errors import Issue

COMPONENT = "loan_platform.assets.loan_portfolio.LoanPortfolio"
SOURCES = ("loans", "applications", "outcomes")


class Attributes(Policies):
    """What a `defs.yaml` decides, under `attributes`."""

    contract: Text = Field(default="contract.yaml", description="The contract's file, beside this one.")


class Requirements(Strict):
    """What must be there before the book is loaded."""

    env: tuple[Text, ...] = Field(default=(), description="Environment variables that the file uses.")


class PostProcessing(Strict):
    """Changes to the finished assets of a book, as Dagster offers them."""

    assets: tuple[dict[str, Any], ...] = Field(
        default=(), description="Each with `target`, a selection of assets, and `attributes`, what they get."
    )


class DefsFile(Strict):
    """The `defs.yaml` of a loan book."""

    type: Literal["loan_platform.assets.loan_portfolio.LoanPortfolio"] = Field(
        description="The component: always this one."
    )
    attributes: Attributes = Field(description="Sources and policies of the book.")
    requirements: Requirements | None = Field(default=None, description="What the file needs from its surroundings.")
    template_vars_module: str | None = Field(
        default=None, description="Dagster's: the Python module of template variables for `post_processing`."
    )
    post_processing: PostProcessing | None = Field(
        default=None, description="Dagster's: owners, tags or metadata for assets of the book."
    )


class Portfolio(Policies):
    """Everything the platform knows about one loan book."""

    name: Name
    contract: Contract

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if issues := list(portfolio_issues(self, self.contract)):
            raise InconsistentError(issues, self)
        return self


def portfolio_issues(policies: Policies, contract: Contract) -> Iterator[Issue]:
    """Where the policies do not fit the contract, by the key of the policies."""
    known = {*SOURCES, *(table.name for table in contract.tables)}
    for table in contract.tables:
        if table.name not in policies.sources and table.name != "loans":  # of loans the policies tell themselves
            hint = f"Add `{table.name}: {{path: ...}}`, or remove the table from the contract."
            yield Issue("sources", f"there is no source {table.name!r}, which the contract joins", hint)
    for name in policies.sources:
        told_already = "loans" not in policies.sources and closest(name, known) == "loans"
        if name not in known and not told_already:
            hint = did_you_mean(name, known) or f"Known are {', '.join(sorted(known))}."
            yield Issue(f"sources.{name}", "is no source of a book, so nothing would read it", hint)
    if set(policies.training.families) <= UNDIRECTED and any(feature.monotone for feature in contract.features):
        what = f"{' and '.join(policies.training.families)} cannot keep features to the contract's directions"
        hint = "Add scorecard, or remove `monotone` from the contract's features."
        yield Issue("training.families", f"{what}, so no model could be chosen", hint)
    if contract.event_date is None:
        why = "the contract has no event_date, so"
        remedy = "or give the contract an event_date"
        if policies.split.kind != "hash":
            yield Issue("split.kind", f"{why} there are no vintages to split by", f"Write 'hash', {remedy}.")
        if policies.partitions.every != "none":
            yield Issue("partitions.every", f"{why} batches cannot be cut by it", f"Write 'none', {remedy}.")
