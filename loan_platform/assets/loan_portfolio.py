"""`LoanPortfolio`: the component that turns one folder of YAML into the whole asset graph of a loan book."""

from typing import Self

import dagster as dg
from pydantic import BaseModel, Field

from loan_platform.core.policies import Policies
from loan_platform.core.portfolio import Portfolio, load_contract


class Attributes(Policies):
    """The `attributes` of a `defs.yaml`."""

    contract: str = Field(default="contract.yaml", description="The contract's file, beside this one.")


class LoanPortfolio(dg.Component):
    """One loan book, from raw files to drift reports. The folder's name is the book's name and key prefix."""

    def __init__(self, attributes: Attributes):
        self.attributes = attributes

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """What `dg check yaml` and editors know of the YAML file."""
        return Attributes

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> Self:
        """Keep the checked attributes: they hold no templates to resolve."""
        assert isinstance(attributes, Attributes)
        return cls(attributes)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Assets, checks, jobs and sensors of the book."""
        portfolio = self.portfolio(context)
        @dg.asset(key=[portfolio.name, "x"])
        def x(): ...
        return dg.Definitions(assets=[x])

    def portfolio(self, context: dg.ComponentLoadContext) -> Portfolio:
        """The book's contract and policies."""
        policies = {name: getattr(self.attributes, name) for name in Policies.model_fields}
        contract = load_contract(context.path / self.attributes.contract)
        return Portfolio(name=context.path.name, contract=contract, **policies)
