"""The contract of a portfolio: which columns a loan has, what counts as default, what the model may see."""

from functools import cached_property
from typing import Self

from pydantic import model_validator

from loan_platform.core.book.book_errors import InconsistentError
from loan_platform.core.book.constants import EXPOSURE
from loan_platform.core.book.parts.columns import Column
from loan_platform.core.book.parts.contract_parts import ContractParts
from loan_platform.core.book.parts.contract_rules import contract_issues
from loan_platform.core.book.parts.features import Feature
from loan_platform.core.book.parts.join_rules import join_issues


class Contract(ContractParts):
    """The `contract.yaml` of a loan book: its columns, the definition of default, and the features of the model."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if issues := [*contract_issues(self), *join_issues(self)]:
            raise InconsistentError(issues, self)
        return self

    def features_for(self, use_pricing: bool) -> tuple[Feature, ...]:
        """Features the model may use: those that read the lender's own pricing only where that is allowed."""
        return tuple(f for f in self.features if use_pricing or not self._reads_pricing(f))

    def computed(self, use_pricing: bool) -> tuple[Feature, ...]:
        """Everything computed from a loan's columns: the allowed features, and the exposure if the contract has one."""
        return self.features_for(use_pricing) + self._exposure

    @cached_property
    def _exposure(self) -> tuple[Feature, ...]:
        stated = self.exposure
        if stated is None:
            return ()
        return (Feature(name=EXPOSURE, sql=stated.sql, description=stated.description, reason=stated.description),)

    def application_columns(self, use_pricing: bool) -> tuple[Column, ...]:
        """Columns that features, exposure and critical row rules read, in contract order: inputs of an application."""
        parts = (*self.computed(use_pricing), *self.critical_rules)
        read = frozenset[str]().union(*(part.columns for part in parts))
        return tuple(column for column in self.columns if column.name in read)

    def _reads_pricing(self, feature: Feature) -> bool:
        return any(self.by_name[name].available_at == "pricing" for name in feature.columns)
