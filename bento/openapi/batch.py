"""Batch jobs in the service's document."""

from collections.abc import Mapping

from bento.batch.input import CSV, JSON, NDJSON, PARQUET
from bento.batch.routes import ONE, PATH
from bento.model.champion import Serving
from bento.openapi.errors import KEY, problem_responses
from bento.openapi.parts import about, content, ok
from bento.openapi.schemas import ROW_ANSWER, Schema, exactly

STATUS: Schema = {"type": "string", "enum": ["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]}
ID: Schema = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
COUNT: Schema = {"type": "integer", "minimum": 0}
MAYBE: Schema = {"type": ["integer", "null"], "description": "Rows; null until they are counted."}
SECONDS: Schema = {"type": ["number", "null"], "description": "Seconds since 1970."}
REFUSED = exactly({"row": COUNT, **{name: {"type": "string"} for name in ("field", "code", "detail")}})
ANSWERED = exactly(
    {
        "row": COUNT,
        "key": {"type": ["string", "null"], "description": "The loan's key, where it was stated."},
        **ROW_ANSWER,
    }
)
BATCH_SCHEMAS: dict[str, Schema] = {
    "Accepted": exactly({"job_id": ID, "status": STATUS, "message": {"type": "string"}, "total_predictions": MAYBE}),
    "Job": exactly(
        {
            "job_id": ID,
            "status": STATUS,
            "message": {"type": "string", "description": "Of a failed job: why."},
            "progress": {"type": "number", "minimum": 0, "maximum": 1},
            "total_predictions": MAYBE,
            "scored": COUNT,
            "refused_rows": COUNT,
            "model_version": COUNT,
            "model_sha256": {"type": "string"},
            "created": SECONDS,
            "finished": SECONDS,
            "offset": COUNT,
            "limit": COUNT,
            "answers": {"type": "array", "items": ANSWERED},
            "refused": {"type": "array", "items": REFUSED},
        },
        optional=frozenset({"offset", "limit", "answers", "refused"}),
    ),
}
PART: Schema = {"type": "string", "enum": ["answers", "refused"], "default": "answers"}
OFFSET: Schema = {"type": "integer", "minimum": 0, "maximum": 10**9, "default": 0}
LIMIT: Schema = {"type": "integer", "minimum": 1, "maximum": 1_000, "default": 100}
FORMAT: Schema = {"type": "string", "enum": ["ndjson", "csv", "parquet"]}
UPLOAD = ("too_slow", "too_large", "media_type", "cut_off", "unknown_form", "no_room", "no_model", "ending", "defect")
OF_JOB = ("unknown_job", "defect")
ASKED = ("malformed_json", "too_deep", "duplicate_field", "not_finite")


def batch_paths(serving: Serving, applications: Mapping[str, Schema]) -> Schema:
    """The operations.

    Args:
        serving: the model.
        applications: made-up ones that stand as an example.
    """
    files = {media: {"schema": {"type": "string"}} for media in (NDJSON, CSV, PARQUET)}
    rows = {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/LooseApplication"}}
    few = {"few": {"summary": "A few applications", "value": list(applications.values())}}
    job = {"name": "job_id", "in": "path", "required": True, "schema": {"type": "string"}, "description": "Of the job."}
    return {
        PATH: {
            "post": {
                **about("batch", "batch", "Many applications, answered in the background."),
                "requestBody": {"required": True, "content": {JSON: {"schema": rows, "examples": few}, **files}},
                "responses": {
                    "202": ok("The job.", content("Accepted")),
                    **problem_responses(*UPLOAD, *ASKED, *KEY, serving=serving),
                },
            }
        },
        ONE: {
            "get": {
                **about("batch_job", "batch", "How far a job is; once it has succeeded a page or a file of its rows."),
                "parameters": [
                    job,
                    _parameter("part", PART, "What a page or a file has."),
                    _parameter("offset", OFFSET, "Rows before the page."),
                    _parameter("limit", LIMIT, "Rows of the page."),
                    _parameter("format", FORMAT, "A file of all rows instead of a page."),
                ],
                "responses": {
                    "200": ok("The job.", {**content("Job"), **files}),
                    **problem_responses(
                        "unknown_job", "unknown_parameter", "not_ready", "defect", *KEY, serving=serving
                    ),
                },
            },
            "delete": {
                **about("end_batch_job", "batch", "End a job that is open; delete one that is at its end."),
                "parameters": [job],
                "responses": {
                    "204": {"description": "It ends, or is gone."},
                    **problem_responses(*OF_JOB, *KEY, serving=serving),
                },
            },
        },
    }


def _parameter(name: str, schema: Schema, text: str) -> Schema:
    return {"name": name, "in": "query", "schema": schema, "description": text}
