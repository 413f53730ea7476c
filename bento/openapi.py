"""OpenAPI of the service, from the contract in the model's bundle: real names, types, units, ranges, an example."""

from typing import Any

from bento.champion import Serving
from loan_platform.core.contract import Column

TYPES: dict[str, dict[str, Any]] = {
    "number": {"type": "number"},
    "percent": {"type": "number"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "text": {"type": "string"},
}
REASON = {
    "type": "object",
    "properties": {
        "code": {"type": "string"},
        "text": {"type": "string"},
        "value": {"type": ["number", "string", "null"]},
        "points": {"type": "number", "description": "Points of score that it cost."},
    },
}
ANSWER = {
    "prediction": {"type": "integer", "enum": [0, 1], "description": "1 where the application is declined."},
    "probability": {"type": "number", "minimum": 0, "maximum": 1, "description": "Of default, calibrated."},
    "default_risk": {"type": "string", "enum": ["Low", "Medium", "High"]},
    "score": {"type": "number", "description": "Points; more are safer."},
    "decision": {"type": "string", "enum": ["approve", "refer", "decline"]},
    "reasons": {"type": "array", "items": REASON, "maxItems": 4},
    "expected_loss": {"type": ["number", "null"]},
    "model_version": {"type": "integer"},
    "model_sha256": {"type": "string"},
    "policy_version": {"type": "string"},
    "request_id": {"type": "string"},
    "features_used": {"type": "integer"},
}
PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("field", "code", "detail")},
            },
        },
    },
}
ERRORS = {
    400: "Not JSON",
    401: "No valid key",
    403: "Not in the key's scope",
    413: "Too large",
    415: "Not JSON by type",
}
ERRORS |= {422: "Fields that cannot be scored, each with its reason", 503: "No model answers yet"}


def openapi(portfolio: str, serving: Serving) -> dict[str, Any]:
    """The document, for the model in force."""
    application = _application(serving)
    answer = {"type": "object", "properties": ANSWER, "required": list(ANSWER)}
    full = {
        "type": "object",
        "required": ["success", "message", "data"],
        "properties": {"success": {"type": "boolean"}, "message": {"type": "string"}, "data": answer},
    }
    short = {"type": "object", "required": ["probability"], "properties": {"probability": {"type": "number"}}}
    explain = {"name": "explain", "in": "query", "schema": {"type": "boolean"}, "description": "Reasons in any case."}
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Loan service: {portfolio}", "version": str(serving.version)},
        "components": {
            "schemas": {"Application": application, "Answer": full, "Probability": short, "Problem": PROBLEM},
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}},
        },
        "security": [{"key": []}],
        "paths": {
            "/api/v1/predict": {
                "post": {**_operation("Answer", "The answer to one application."), "parameters": [explain]}
            },
            "/predict": {"post": _operation("Probability", "The probability of default alone.")},
        },
    }


def _operation(schema: str, summary: str) -> dict[str, Any]:
    def refers(name: str, media: str) -> dict[str, Any]:
        return {media: {"schema": {"$ref": f"#/components/schemas/{name}"}}}

    problems = {
        str(status): {"description": text, "content": refers("Problem", "application/problem+json")}
        for status, text in ERRORS.items()
    }
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": refers("Application", "application/json")},
        "responses": {"200": {"description": summary, "content": refers(schema, "application/json")}, **problems},
    }


def _application(serving: Serving) -> dict[str, Any]:
    reader = serving.reader
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _field(column, name in reader.required) for name, column in reader.columns.items()},
        "required": sorted(reader.required),
        "example": {name: _made_up(column) for name, column in reader.columns.items()},
    }


def _field(column: Column, required: bool) -> dict[str, Any]:
    plain = TYPES[column.type]
    unit = column.unit or ("%" if column.type == "percent" else None)
    field = {**plain, "description": f"{column.description}{f' ({unit})' if unit else ''}"}
    if not required:
        field["type"] = [plain["type"], "null"]
    bounds = {"minimum": column.minimum, "maximum": column.maximum}
    if column.allowed is not None:
        field["examples"] = list(column.allowed)
    return field | {name: bound for name, bound in bounds.items() if bound is not None}


def _made_up(column: Column) -> Any:
    """A value that the column may have; nobody's."""
    match column.type:
        case "boolean":
            return False
        case "date":
            return "2015-06-30"
        case "text":
            return column.allowed[0] if column.allowed else "example"
        case _:
            low, high = column.minimum, column.maximum
            value = 1.0 if low is None else max(low, 1.0)
            value = value if high is None else min(value, high)
            return int(value) if column.type == "integer" else value
