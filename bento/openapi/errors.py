"""Problems in the OpenAPI document: every code of each status, with an example."""

from http import HTTPStatus
from typing import Any

from bento.http.problems import field_error
from bento.http.routes import Route
from bento.model.champion import Serving
from bento.openapi.schemas import Schema, exactly
from loan_platform.core.applications.reader import ApplicationError

REQUEST_ID = "0123456789abcdef"
MEDIA = "application/problem+json"

# An example of the detail of each code. The service returns only codes that are listed here.
CODES: dict[int, dict[str, str]] = {
    400: {
        "malformed_json": "The body is not JSON at line 1, column 2.",
        "malformed_csv": "The body is not UTF-8 CSV with a header.",
        "malformed_gzip": "The body is not gzip, or it is cut short.",
        "cut_off": "The connection closed before the whole body arrived.",
        "preflight_refused": "The service does not let pages of this origin send such requests. See LOAN_CORS_ORIGINS.",
    },
    401: {"no_valid_key": "Send your key in the header X-API-Key."},
    403: {
        "not_in_scope": "This key does not have the scope predict.",
        "not_local": "LOAN_ENV is development: the service has no keys and answers only clients on this machine.",
    },
    404: {
        "unknown_path": "This path does not exist. See /docs.json for all paths.",
        "unknown_job": "No job with this id exists, or it belongs to another key.",
    },
    405: {"method_not_allowed": "This path accepts only POST."},
    409: {"not_ready": "The job is running. Files exist once a job has succeeded."},
    408: {"too_slow": "The body did not arrive within 3 s."},
    413: {
        "too_large": "The limit of the body is 65,536 bytes.",
        "too_many_rows": "The limit of one request is 1,000 rows.",
    },
    415: {
        "media_type": "Send application/json, and set the header Content-Type.",
        "content_encoding": "Send the body uncompressed, or with Content-Encoding: gzip.",
    },
    422: {
        "invalid_application": "2 fields are invalid.",
        "not_an_object": "The body must be one JSON object with a field for each column.",
        "duplicate_field": "A field appears twice.",
        "not_finite": "NaN is not a JSON number.",
        "too_deep": "The body is nested deeper than 8 levels.",
        "unknown_form": "Send exactly one of dataframe_split, dataframe_records, inputs, instances.",
        "unknown_parameter": "The only parameter is explain. It must be true or false.",
    },
    429: {"rate_limited": "The rate limit of this key is 100 requests per minute."},
    500: {"defect": "The service failed. Use the request_id to find the error in its log."},
    503: {
        "no_model": "No model is available yet: lending_club has no champion. Materialize promoted_model first.",
        "ending": "This worker is shutting down.",
        "overloaded": "Too many in-flight requests. Retry later.",
        "audit_unavailable": "The answer cannot be recorded: the records cannot be written: No space left on device.",
    },
    507: {"no_room": "Finished jobs use all the space for jobs. Delete some, or wait until they expire."},
}
EVERY_ROUTE = ("not_local", "defect")
WITH_KEY = ("no_valid_key", "not_in_scope", "rate_limited", "overloaded")
WITH_BODY = ("malformed_gzip", "cut_off", "too_slow", "too_large", "media_type", "content_encoding")
WITH_JSON = ("malformed_json", "too_deep", "duplicate_field", "not_finite")
OF_FIELDS = frozenset({"invalid_application", "duplicate_field"})

PROBLEM = exactly(
    {
        "type": {"const": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer", "enum": list(CODES)},
        "code": {"type": "string", "enum": [code for codes in CODES.values() for code in codes]},
        "detail": {"type": "string", "description": "What to do next. Never contains a value of the request."},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "minItems": 1,
            "description": "The invalid fields. A broken row rule has an entry for each field that it reads.",
            "items": exactly(
                {name: {"type": "string"} for name in ("field", "code", "detail", "rule")}, optional=frozenset({"rule"})
            ),
        },
    },
    "A problem as RFC 9457 defines it. `code` is stable.",
    optional=frozenset({"errors"}),
)


def route_codes(route: Route) -> tuple[str, ...]:
    """The codes that follow from the columns of a route in the table."""
    found = EVERY_ROUTE
    if route.scope is not None:
        found += WITH_KEY
    if route.media:
        found += WITH_BODY
    if "application/json" in route.media:
        found += WITH_JSON
    return found


def problem_responses(*codes: str, serving: Serving) -> dict[str, Any]:
    """The problem responses with these codes, by status."""
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
        errors = _field_errors(serving) if code == "invalid_application" else []
        problem["errors"] = errors or [{"field": "amount", "code": code, "detail": "appears twice"}]
    return problem


def _field_errors(serving: Serving) -> list[Schema]:
    """Two field errors as the reader reports them for an invalid application."""
    first = next(iter(serving.bundle.model.inputs)).name
    try:
        serving.reader.read({first: [], "a_field_that_is_not_there": 1})
    except ApplicationError as error:
        return [field_error(issue) for issue in error.issues[:2]]
    return []
