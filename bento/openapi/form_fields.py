"""The form of the page: the fields of an application, with plausible values and ranges for sliders."""

import math
from typing import Any

from bento.model.champion import Serving
from bento.openapi.schemas import Schema, exactly
from loan_platform.core.applications.examples import ExampleApplications
from loan_platform.core.book.column_types import NUMBERS
from loan_platform.core.book.parts.columns import Column
from loan_platform.core.scoring.decisions import RISKS

SLIDER_STEPS = 100
SHARE = {"type": "number", "minimum": 0, "maximum": 1}
TEXT: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
NUMBER_OR_NULL: Schema = {"type": ["number", "null"]}
COUNT: Schema = {"type": "integer", "minimum": 1}
FLAG: Schema = {"type": "boolean"}
SLIDER = exactly({name: {"type": "number"} for name in ("minimum", "maximum", "step")})
FIELD = exactly(
    {
        "name": TEXT,
        "label": TEXT,
        "type": {"type": "string", "enum": ["number", "integer", "boolean", "date", "text"]},
        "unit": TEXT_OR_NULL,
        "minimum": NUMBER_OR_NULL,
        "maximum": NUMBER_OR_NULL,
        "allowed": {"type": ["array", "null"], "items": TEXT},
        "required": FLAG,
        "protected": FLAG,
        "read": {**FLAG, "description": "Whether the model in force uses it."},
        "example": {"type": ["number", "string", "boolean", "null"], "description": "A made-up value."},
        "slider": {"anyOf": [SLIDER, {"type": "null"}]},
    }
)
FORM = exactly(
    {
        "portfolio": TEXT,
        "description": TEXT,
        "model": exactly({"version": COUNT, "sha256": TEXT, "family": TEXT, "features": COUNT}),
        "cut_offs": exactly({"approve_below": SHARE, "decline_from": SHARE}),
        "exposure": {"anyOf": [exactly({"description": TEXT, "unit": TEXT_OR_NULL}), {"type": "null"}]},
        "fields": {"type": "array", "minItems": 1, "items": FIELD},
        "examples": {
            "type": "object",
            "description": "Made-up applications by their risk.",
            "propertyNames": {"enum": list(RISKS)},
            "additionalProperties": {"type": "object"},
        },
    }
)


def form_json(portfolio: str, serving: Serving, examples: ExampleApplications) -> dict[str, Any]:
    """The form of the model in force, as the script of the page reads it. Columns that the model uses come first."""
    model, reader = serving.bundle.model, serving.reader
    inputs = {column.name for column in model.inputs}
    ordered = sorted(reader.columns.values(), key=lambda column: column.name not in inputs)
    rule = model.policy.decision
    return {
        "portfolio": portfolio,
        "description": model.contract.description,
        "model": {
            "version": serving.version,
            "sha256": serving.sha256,
            "family": model.family,
            "features": len(model.design.features),
        },
        "cut_offs": {"approve_below": rule.approve_below, "decline_from": rule.decline_from},
        "exposure": _exposure(serving),
        "fields": [
            {**_field(column, column.name in reader.required), "read": column.name in inputs}
            | {"example": examples.ordinary.get(column.name), "slider": _slider(column, examples)}
            for column in ordered
        ],
        "examples": examples.by_risk,
    }


def _field(column: Column, required: bool) -> dict[str, Any]:
    return {
        "name": column.name,
        "label": column.description,
        "type": "number" if column.type == "percent" else column.type,
        "unit": column.unit or ("%" if column.type == "percent" else None),
        "minimum": column.minimum,
        "maximum": column.maximum,
        "allowed": column.allowed,
        "required": required,
        "protected": column.protected,
    }


def _exposure(serving: Serving) -> dict[str, Any] | None:
    """Description and unit of the expected loss. None: it is a share of the amount owed."""
    contract = serving.bundle.model.contract
    if contract.exposure is None:
        return None
    read = contract.computed(use_pricing=True)[-1].columns
    units = {column.unit for column in contract.columns if column.name in read}
    return {"description": contract.exposure.description, "unit": units.pop() if len(units) == 1 else None}


def _slider(column: Column, examples: ExampleApplications) -> dict[str, float] | None:
    """Range and step of a slider."""
    span = examples.spans.get(column.name)
    if column.type not in NUMBERS or span is None:
        return None
    low, high = span
    width = (high - low) / SLIDER_STEPS
    decade = 10.0 ** math.floor(math.log10(width))
    step = next(decade * mantissa for mantissa in (1, 2, 5, 10) if decade * mantissa >= width * 0.999)
    step = max(step, 1.0) if column.type == "integer" else step
    return {"minimum": low, "maximum": high, "step": step}
