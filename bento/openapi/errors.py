"""Errors of the service's document: every code of each status, with an example."""

from http import HTTPStatus
from typing import Any

from bento.http.problems import field_error
from bento.model.champion import Serving
from bento.openapi.schemas import Schema, exactly
from loan_platform.core.applications.reader import ApplicationError

REQUEST_ID = "0123456789abcdef"
MEDIA = "application/problem+json"

# What each code says; a code that is not here may not be answered.
CODES: dict[int, dict[str, str]] = {
    400: {
        "malformed_json": "The body is not JSON at line 1, column 2.",
        "malformed_csv": "The body is not CSV in UTF-8 with a header.",
        "cut_off": "The connection ended before the body did.",
    },
    401: {"no_valid_key": "Send your key in the header X-API-Key."},
    403: {
        "not_in_scope": "This key lacks the scope predict.",
        "not_local": "LOAN_ENV is development: without keys the service answers this machine alone.",
    },
    404: {
        "unknown_path": "There is nothing at this path; /docs.json lists what there is.",
        "unknown_job": "There is no job of this id, or it is another's.",
    },
    405: {"method_not_allowed": "This path takes POST alone."},
    409: {"not_ready": "The job is worked on. Files are there once it has succeeded."},
    408: {"too_slow": "The body did not arrive within 3 s."},
    413: {
        "too_large": "The body may have at most 65,536 bytes.",
        "too_many_rows": "One request may have 1,000 rows.",
    },
    415: {"media_type": "Send application/json, and say so in Content-Type."},
    422: {
        "invalid_application": "2 fields keep the application from being scored.",
        "not_an_object": "The body is one JSON object, with a field for each column.",
        "duplicate_field": "A field is there twice.",
        "not_finite": "NaN is not a number of JSON.",
        "too_deep": "The body is nested deeper than 8 levels.",
        "unknown_form": "Send exactly one of dataframe_split, dataframe_records, inputs, instances.",
        "unknown_parameter": "The only parameter is explain, and it is true or false.",
    },
    429: {"rate_limited": "This key may ask 100 times a minute; ask again in 12 s."},
    500: {"defect": "The service has a defect; the request_id finds it in the log."},
    503: {
        "no_model": "No model answers yet: lending_club has no champion: materialize promoted_model first.",
        "ending": "This worker ends.",
        "overloaded": "Too many requests are under way; ask again.",
        "audit_unavailable": "No answer is given: the records cannot be written: No space left on device.",
    },
    507: {"no_room": "Finished jobs take all the room there is for them: delete some, or wait until they are old."},
}
KEY = ("no_valid_key", "not_in_scope", "not_local", "rate_limited", "overloaded")  # of routes that ask for one
LOCAL = ("not_local", "defect")  # of those that do not
OF_FIELDS = frozenset({"invalid_application", "duplicate_field"})

PROBLEM = exactly(
    {
        "type": {"const": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer", "enum": list(CODES)},
        "code": {"type": "string", "enum": [code for codes in CODES.values() for code in codes]},
        "detail": {"type": "string", "description": "What to do about it. Never a value that was sent."},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "minItems": 1,
            "description": "The fields at fault.",
            "items": exactly({name: {"type": "string"} for name in ("field", "code", "detail")}),
        },
    },
    "RFC 9457; `code` is stable.",
    optional=frozenset({"errors"}),
)


def problem_responses(*codes: str, serving: Serving) -> dict[str, Any]:
    """The responses of an operation that may answer with these codes, by status."""
    responses: dict[str, Any] = {}
    for status, texts in CODES.items():
        answered = {code: text for code, text in texts.items() if code in codes}
        if answered:
            responses[str(status)] = {
                "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in answered)}.",
                "content": {
                    MEDIA: {
                        "schema": {"$ref": "#/components/schemas/Problem"},
                        "examples": {
                            code: {"summary": text, "value": _problem(status, code, text, serving)}
                            for code, text in answered.items()
                        },
                    }
                },
            }
    return responses


def _problem(status: int, code: str, detail: str, serving: Serving) -> Schema:
    about = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "code": code}
    problem = {**about, "detail": detail, "request_id": REQUEST_ID}
    if code in OF_FIELDS:
        errors = _refused(serving) if code == "invalid_application" else []
        problem["errors"] = errors or [{"field": "amount", "code": code, "detail": "is there twice"}]
    return problem


def _refused(serving: Serving) -> list[Schema]:
    """What the reader says of an application whose every field is wrong: its first two issues."""
    first = next(iter(serving.bundle.model.inputs)).name
    try:
        serving.reader.read({first: [], "a_field_that_is_not_there": 1})
    except ApplicationError as error:
        return [field_error(issue) for issue in error.issues[:2]]
    return []
