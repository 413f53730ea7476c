"""Schemas of the service's document: an application by the contract, and every answer, exactly."""

import re
from typing import Any

from bento.model.answer_json import answer_json_schemas
from bento.model.champion import Serving
from loan_platform.core.applications.json_values import EXACT
from loan_platform.core.book.contract_parts import Column
from loan_platform.core.scoring.answer import ANSWER_FIELDS, REASON_FIELDS

Schema = dict[str, Any]

TYPES: dict[str, Schema] = {
    "number": {"type": "number"},
    "percent": {"type": "number"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date", "pattern": r"^(19[0-9]{2}|20[0-9]{2}|2100)-[0-9]{2}-[0-9]{2}$"},
    "text": {"type": "string"},
}
NAMES: Schema = {"type": "array", "items": {"type": "string"}}
NUMBERS = frozenset({"number", "percent", "integer"})
NOTHING_CHECKED = {"minimum": None, "maximum": None, "allowed": None}


def exactly(properties: Schema, description: str = "", optional: frozenset[str] = frozenset()) -> Schema:
    """An object of these properties and no others."""
    about = {"description": description} if description else {}
    required = [name for name in properties if name not in optional]
    return {
        "type": "object",
        **about,
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


REASON = exactly({name: field.json for name, field in REASON_FIELDS.items()})
ROW_REASON = exactly(REASON["properties"] | {"value": {**REASON_FIELDS["value"].json, "type": ["string", "null"]}})
PROBABILITY = ANSWER_FIELDS["probability"].json
ROW_ANSWER: Schema = {name: field.json for name, field in ANSWER_FIELDS.items()}
ROW_ANSWER["reasons"] = {"type": "array", "items": ROW_REASON} | ROW_ANSWER["reasons"]

DATA = exactly(
    {
        "prediction": {"type": "integer", "enum": [0, 1], "description": "1 where the application is declined."},
        **answer_json_schemas(exactly),
        "model_version": {"type": "integer", "minimum": 1},
        "model_sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "policy_version": {"type": "string", "description": "Names the decision policy: the start of its hash."},
        "request_id": {
            "type": "string",
            "description": "Also in the header X-Request-ID; finds the answer in the logs.",
        },
        "features_used": {"type": "integer", "minimum": 1},
    }
)
ANSWER = exactly({"success": {"type": "boolean"}, "message": {"type": "string"}, "data": DATA})
SHORT = exactly({"probability": PROBABILITY})
PREDICTIONS = exactly({"predictions": {"type": "array", "items": exactly(ROW_ANSWER)}})
READY = exactly({"status": {"const": "ready"}, "model_version": {"type": "integer", "minimum": 1}})
MODEL = exactly(
    {
        "name": {"type": "string", "description": "The portfolio."},
        "version": {"type": "integer", "minimum": 1},
        "alias": {"const": "production"},
        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "family": {"type": "string"},
        "trained_on": {"type": ["object", "null"], "description": "Windows of the split: first, last, rows, defaults."},
        "choice": {"type": ["string", "null"], "description": "Why this family was chosen."},
        "decision_policy": {"type": "object", "description": "Points scale, cut-offs, risk bands."},
        "policy_version": {"type": "string"},
        "metrics": {"type": ["object", "null"], "description": "Of the folds on which it was chosen."},
        "contract": exactly(
            {
                "sha256": {"type": ["string", "null"]},
                "inputs": {**NAMES, "description": "Columns that the model reads."},
                "features": {**NAMES, "description": "What it makes of them."},
            }
        ),
        "challenger": {
            "type": ["object", "null"],
            "description": "The last version that was refused since: version, sha256, why, decided_at.",
        },
        "drift": {
            "type": ["object", "null"],
            "description": "Of what was asked lately: detected, verdict, rows, window, features over the limit.",
        },
        "swaps": {"type": "integer", "minimum": 0},
        "last_swap": {"type": ["number", "null"], "description": "Seconds since 1970."},
        "refusals": {"type": "integer", "minimum": 0},
        "last_refusal": {"type": ["string", "null"], "description": "Why the last candidate was refused."},
    }
)


def application(serving: Serving) -> Schema:
    """One application: the columns that the reader of this model takes."""
    reader, missing = serving.reader, serving.bundle.model.contract.missing
    inputs = {column.name for column in serving.bundle.model.inputs}
    return {
        "type": "object",
        "description": "What is known when the applicant asks. What is absent or null is missing.",
        "additionalProperties": False,
        "properties": {
            name: {**field(column, name in reader.required, missing), "x-read-by-model": name in inputs}
            for name, column in reader.columns.items()
        },
        "required": sorted(reader.required),
    }


def field(column: Column, required: bool, missing: tuple[str, ...]) -> Schema:
    """One column of an application."""
    plain = TYPES[column.type]
    found: Schema = {**plain, "description": f"{column.description}{unit(column)}"}
    if column.type in NUMBERS:  # larger whole numbers are not exact in JSON
        found["minimum"] = -EXACT if column.minimum is None else column.minimum
        found["maximum"] = EXACT if column.maximum is None else column.maximum
    if column.allowed is not None:
        words = [word for word in column.allowed if word not in missing]
        found["enum"] = words if required else [*words, None]
    elif column.type == "text" and required:  # a text that means "not stated" is none
        found["pattern"] = f"^(?! *({'|'.join(re.escape(word) for word in missing if word)})? *$)"
    if not required:
        found["type"] = [plain["type"], "null"]
    return found


def unit(column: Column) -> str:
    """The unit after a description."""
    stated = column.unit or ("%" if column.type == "percent" else None)
    return f" ({stated})" if stated else ""


def scoring_request(serving: Serving) -> Schema:
    """The forms of MLflow's scoring protocol."""
    row = {"$ref": "#/components/schemas/LooseApplication"}
    rows = {"type": "array", "items": row, "maxItems": 1_000}
    columns = {"type": "object", "additionalProperties": {"type": "array"}}
    split = {
        "type": "object",
        "required": ["columns", "data"],
        "properties": {
            "columns": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
            "data": {
                "type": "array",
                "items": {"type": "array"},
                "maxItems": 1_000,
                "description": "One list a row, as long as `columns`.",
            },
        },
    }
    either = {"anyOf": [rows, columns], "description": "Rows, or a list for each column, all of one length."}
    forms = {"dataframe_split": split, "dataframe_records": rows, "inputs": either, "instances": either}
    return {
        "type": "object",
        "description": "Exactly one of the four forms.",
        "properties": forms,
        "oneOf": [{"required": [name]} for name in forms],
    }


def loose_application(serving: Serving) -> Schema:
    """A row as MLflow takes it: types alone are checked, and unknown fields ignored."""
    model, required = serving.bundle.model, serving.reader.required
    bare = {column.name: column.model_copy(update=NOTHING_CHECKED) for column in model.inputs}
    return {
        "type": "object",
        "properties": {name: field(column, False, ()) for name, column in bare.items()},
        "required": sorted(required),
    }
