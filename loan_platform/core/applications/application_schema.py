"""The typed model of an application, made from the contract: its fields, and the JSON schema of each."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from loan_platform.core.book.column_types import BLANKS, COLUMN_TYPES, EXACT
from loan_platform.core.book.parts.columns import Column
from loan_platform.core.scoring.scoring_model import ScoringModel
from loan_platform.core.staging.keys import refused_pattern

JsonSchema = dict[str, Any]


@dataclass(frozen=True)
class ApplicationField:
    """One field of an application.

    Attributes:
        column: of the contract.
        required: an application without a value in it is rejected.
        read: the model in force reads it.
        missing: texts that mean a missing value.
        is_key: it identifies the loan.
    """

    column: Column
    required: bool
    read: bool
    missing: tuple[str, ...]
    is_key: bool = False

    @property
    def unit(self) -> str | None:
        """The unit of its values, for people."""
        return self.column.unit or ("%" if self.column.type == "percent" else None)

    def json_schema(self) -> JsonSchema:
        """JSON schema of the values that `ApplicationReader.inputs` accepts."""
        column, kind = self.column, COLUMN_TYPES[self.column.type]
        unit = f" ({self.unit})" if self.unit else ""
        found: JsonSchema = {**kind.json, "description": f"{column.description}{unit}"}
        if kind.is_number:
            found["minimum"] = -EXACT if column.minimum is None else column.minimum
            found["maximum"] = EXACT if column.maximum is None else column.maximum
        if column.allowed is not None:
            words = [word for word in column.allowed if word not in self.missing]
            found["enum"] = words if self.required else [*words, None]
        if (longest := column.longest(self.is_key)) is not None:
            found["maxLength"] = longest
        if column.allowed is None and column.type == "text" and (self.required or self.is_key):
            refused = [f"({'|'.join(re.escape(word) for word in self.missing if word)})?"] if self.required else []
            refused += [f"({refused_pattern()})"] if self.is_key else []
            blank = f"[{BLANKS}]*"
            found["pattern"] = "^" + "".join(f"(?!{blank}{pattern}{blank}$)" for pattern in refused)
        if not self.required:
            found["type"] = [kind.json["type"], "null"]
        return found


@dataclass(frozen=True)
class ApplicationSchema:
    """The fields of an application to one model, in the order of the contract."""

    fields: tuple[ApplicationField, ...]

    @classmethod
    def from_model(cls, model: ScoringModel) -> Self:
        """The key, the event date, and each column that is known at application or read by the model."""
        contract = model.contract
        inputs = {column.name for column in model.inputs}
        always = {contract.entity_key, contract.event_date, *inputs}
        return cls(
            tuple(
                ApplicationField(
                    column,
                    column.required and column.name in inputs,
                    column.name in inputs,
                    marks,
                    column.name == contract.entity_key,
                )
                for column in contract.columns
                for marks in (contract.missing_texts,)
                if column.available_at == "application" or column.name in always
            )
        )

    @cached_property
    def columns(self) -> dict[str, Column]:
        """Columns by name."""
        return {field.column.name: field.column for field in self.fields}

    @cached_property
    def required(self) -> frozenset[str]:
        """Names of the required fields."""
        return frozenset(field.column.name for field in self.fields if field.required)

    def json_schema(self) -> JsonSchema:
        """JSON schema of an application that the strict reader accepts."""
        return {
            "type": "object",
            "description": "What is known when the applicant asks. What is absent or null is missing.",
            "additionalProperties": False,
            "properties": {
                field.column.name: {**field.json_schema(), "x-read-by-model": field.read} for field in self.fields
            },
            "required": sorted(self.required),
        }

    def mlflow_json_schema(self) -> JsonSchema:
        """JSON schema of a row of MLflow's scoring protocol: as of an application, with unknown fields ignored."""
        return {
            "type": "object",
            "properties": {f.column.name: f.json_schema() for f in self.fields if f.read},
            "required": sorted(self.required),
        }
