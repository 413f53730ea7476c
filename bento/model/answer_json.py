"""The answer to one application as JSON: in the service's responses and in the examples of the OpenAPI document."""

from collections.abc import Callable
from typing import Any

from bento.model.champion import Serving
from loan_platform.core.scoring.answer import ANSWER_FIELDS, REASON_FIELDS, Answer, JsonSchema
from loan_platform.core.scoring.decisions import DECLINED, RISKS

MESSAGES = {
    "approve": "The application is approved.",
    "refer": "The application is referred to a person.",
    "decline": "The application is declined.",
}
# Name in the response, and the field of `Answer`, in the order of the response.
NAMES = {
    "probability": "probability",
    "default_risk": "risk",
    "score": "score",
    "decision": "decision",
    "reasons": "reasons",
    "expected_loss": "expected_loss",
}
# Fields whose value differs from that of `Answer`.
SHOWN: dict[str, Callable[[Any], Any]] = {
    "risk": str.capitalize,
    "score": lambda score: round(score, 1),
    "reasons": lambda reasons: [reason._asdict() for reason in reasons],
}


def answer_json(serving: Serving, answer: Answer, request_id: str) -> dict[str, Any]:
    """The body of the response to one application."""
    data = {
        "prediction": int(answer.decision == DECLINED),
        **_public_fields(answer),
        "model_version": serving.version,
        "model_sha256": serving.sha256,
        "policy_version": serving.bundle.model.policy.version,
        "request_id": request_id,
        "features_used": len(serving.bundle.model.design.features),
    }
    return {"success": True, "message": MESSAGES[answer.decision], "data": data}


def _public_fields(answer: Answer) -> dict[str, Any]:
    values = answer._asdict()
    return {shown: SHOWN[name](values[name]) if name in SHOWN else values[name] for shown, name in NAMES.items()}


def answer_json_schemas(reason: Callable[[JsonSchema], JsonSchema]) -> JsonSchema:
    """JSON schemas of the fields of `answer_json` that come from `Answer`.

    Args:
        reason: makes the schema of one reason from the schemas of its fields.
    """
    found = {shown: dict(ANSWER_FIELDS[name].json) for shown, name in NAMES.items()}
    found["default_risk"]["enum"] = [risk.capitalize() for risk in RISKS]
    items = reason({name: field.json for name, field in REASON_FIELDS.items()})
    found["reasons"] = {"type": "array", "items": items} | found["reasons"]
    return found
