"""The answer to one application as JSON: the same for callers and in the examples of the document."""

from typing import Any

from bento.model.champion import Serving
from loan_platform.core.scoring.answer import DECLINED, Answer

MESSAGES = {
    "approve": "The application is approved.",
    "refer": "The application is referred to a person.",
    "decline": "The application is declined.",
}


def answer_json(serving: Serving, answer: Answer, request_id: str) -> dict[str, Any]:
    """The whole body of an answer."""
    data = {
        "prediction": int(answer.decision == DECLINED),
        "probability": answer.probability,
        "default_risk": answer.risk.capitalize(),
        "score": round(answer.score, 1),
        "decision": answer.decision,
        "reasons": [reason._asdict() for reason in answer.reasons],
        "expected_loss": answer.expected_loss,
        "model_version": serving.version,
        "model_sha256": serving.sha256,
        "policy_version": serving.bundle.model.policy.version,
        "request_id": request_id,
        "features_used": len(serving.bundle.model.design.features),
    }
    return {"success": True, "message": MESSAGES[answer.decision], "data": data}
