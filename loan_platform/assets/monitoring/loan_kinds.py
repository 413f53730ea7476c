"""The kind of each past loan by `split.mature_by`, such as its term: loans of one kind mature together."""

import json
from dataclasses import dataclass
from typing import Self

import polars as pl

from loan_platform.core.audit.replay import typed_inputs
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.features.feature_set import FeatureSet
from loan_platform.core.training.matured_months import kind_text

KIND = "kind"


@dataclass(frozen=True)
class LoanKinds:
    """Computes the feature `mature_by` of applications, as training does, and of responses of the service."""

    entity: str
    feature: FeatureSet

    @classmethod
    def of_book(cls, book: Portfolio) -> Self | None:
        """None without `split.mature_by`, and where the split has no months."""
        name = book.split.mature_by
        if name is None or book.split.kind != "out_of_time":
            return None
        stated = book.contract.model_dump()
        stated |= {"features": [f for f in stated["features"] if f["name"] == name], "exposure": None}
        return cls(book.contract.entity_key, FeatureSet(Contract.model_validate(stated), book.training.use_pricing))

    def of_applications(self, applications: pl.LazyFrame) -> pl.DataFrame:
        """Key and kind of each application."""
        read = {self.entity, *self.feature.features[0].columns}
        return self._kinds(applications.select(sorted(read)).collect())

    def of_answers(self, served: pl.DataFrame) -> pl.DataFrame:
        """Key and kind of responses. One whose inputs were not kept has the kind of a missing value."""
        inputs = [json.loads(text) if text else {} for text in served["inputs"]]
        rows = typed_inputs(self.feature.schema, inputs) if inputs else pl.DataFrame(schema=self.feature.schema)
        return self._kinds(rows.with_columns(served[self.entity]))

    def _kinds(self, rows: pl.DataFrame) -> pl.DataFrame:
        values = self.feature.compute(rows).to_series()
        return rows.select(self.entity, kind_text(values).alias(KIND))
