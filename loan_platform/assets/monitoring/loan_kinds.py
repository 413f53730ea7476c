"""The kind of each past loan by `split.mature_by`, such as its term: loans of one kind mature together."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

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
        """Key and kind of responses.

        One whose inputs were not kept has the kind of a missing value. So has one of an earlier contract, if its inputs
        are not of the present types.
        """
        read = self.feature.features[0].columns
        schema = {name: dtype for name, dtype in self.feature.schema.items() if name in read}
        inputs = [json.loads(text) if text else {} for text in served["inputs"]]
        return self._kinds(_typed(schema, inputs).with_columns(served[self.entity]))

    def _kinds(self, rows: pl.DataFrame) -> pl.DataFrame:
        values = self.feature.compute(rows).to_series()
        return rows.select(self.entity, kind_text(values).alias(KIND))


def _typed(schema: Mapping[str, type[pl.DataType]], inputs: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """A row for each; of missing values where the recorded ones are of other types."""
    if not inputs:
        return pl.DataFrame(schema=schema)
    try:
        return typed_inputs(schema, inputs)
    except (pl.exceptions.PolarsError, TypeError, ValueError):
        if len(inputs) == 1:
            return typed_inputs(schema, [{}])
        return pl.concat([_typed(schema, [row]) for row in inputs])
