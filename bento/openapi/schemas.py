"""Schemas of the service's document: an application by the contract, and every answer, exactly."""

from typing import Any

from bento.model.answer_json import answer_json_schemas
from bento.model.champion import Serving
from loan_platform.core.scoring.answer import ANSWER_FIELDS, REASON_FIELDS

Schema = dict[str, Any]

NAMES: Schema = {"type": "array", "items": {"type": "string"}}


def exactly(properties: Schema, description: str = "", optional: frozenset[str] = frozenset()) -> Schema:
    """An object with exactly these properties."""
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
        "trained_on": {
            "type": ["object", "null"],
            "description": "The windows of the split: first, last, rows, defaults.",
        },
        "choice": {"type": ["string", "null"], "description": "Reason for the choice of the family."},
        "decision_policy": {"type": "object", "description": "Points scale, cut-offs and risk bands."},
        "policy_version": {"type": "string"},
        "metrics": {"type": ["object", "null"], "description": "Metrics on the folds of the model selection."},
        "contract": exactly(
            {
                "sha256": {"type": ["string", "null"]},
                "inputs": {**NAMES, "description": "Columns that the model uses."},
                "features": {**NAMES, "description": "Features computed from them."},
            }
        ),
        "challenger": {
            "type": ["object", "null"],
            "description": "The last version that was rejected since the promotion: version, sha256, why, decided_at.",
        },
        "drift": {
            "type": ["object", "null"],
            "description": "Drift of recent applications: detected, verdict, rows, window, features over the limit.",
        },
        "swaps": {"type": "integer", "minimum": 0},
        "last_swap": {"type": ["number", "null"], "description": "Seconds since 1970."},
        "refusals": {"type": "integer", "minimum": 0},
        "last_refusal": {"type": ["string", "null"], "description": "Reason why the last candidate was rejected."},
    }
)


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
                "description": "One list per row, as long as `columns`.",
            },
        },
    }
    either = {"anyOf": [rows, columns], "description": "Rows, or one list per column, all of the same length."}
    forms = {"dataframe_split": split, "dataframe_records": rows, "inputs": either, "instances": either}
    return {
        "type": "object",
        "description": "Exactly one of the four forms.",
        "properties": forms,
        "oneOf": [{"required": [name]} for name in forms],
    }
