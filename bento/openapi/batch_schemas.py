"""Schemas and parameters of batch jobs in the OpenAPI document."""

from bento.batch.input import LISTS
from bento.http.operation import Schema
from bento.openapi.schemas import ROW_ANSWER, exactly

STATUS: Schema = {"type": "string", "enum": ["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]}
ID: Schema = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
COUNT: Schema = {"type": "integer", "minimum": 0}
ROWS_OR_NULL: Schema = {"type": ["integer", "null"], "description": "Number of rows. null until they are counted."}
SECONDS: Schema = {"type": ["number", "null"], "description": "Seconds since 1970."}
REFUSED = exactly({"row": COUNT, **{name: {"type": "string"} for name in ("field", "code", "detail")}})
ANSWERED = exactly(
    {
        "row": COUNT,
        "key": {"type": ["string", "null"], "description": "The loan's key, if the row has one."},
        **ROW_ANSWER,
    }
)
BATCH_SCHEMAS: dict[str, Schema] = {
    "Accepted": exactly(
        {"job_id": ID, "status": STATUS, "message": {"type": "string"}, "total_predictions": ROWS_OR_NULL}
    ),
    "Job": exactly(
        {
            "job_id": ID,
            "status": STATUS,
            "message": {"type": "string", "description": "For a failed job, the reason."},
            "progress": {"type": "number", "minimum": 0, "maximum": 1},
            "total_predictions": ROWS_OR_NULL,
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
ROWS: Schema = {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/LooseApplication"}}
APPLICATIONS: Schema = {"anyOf": [ROWS, *(exactly({name: ROWS}) for name in LISTS)]}
PART: Schema = {"type": "string", "enum": ["answers", "refused"], "default": "answers"}
OFFSET: Schema = {"type": "integer", "minimum": 0, "maximum": 10**9, "default": 0}
LIMIT: Schema = {"type": "integer", "minimum": 1, "maximum": 1_000, "default": 100}
COLUMNS: Schema = {"type": "string", "enum": ["contract", "raw"]}
FORMAT: Schema = {"type": "string", "enum": ["ndjson", "csv", "parquet"]}


def _query(name: str, schema: Schema, description: str) -> Schema:
    return {"name": name, "in": "query", "schema": schema, "description": description}


JOB_ID: Schema = {
    "name": "job_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
    "description": "The id of the job.",
}
BATCH_QUERY: tuple[Schema, ...] = (
    _query("columns", COLUMNS, "Columns of a CSV or Parquet file. By default its header decides. JSON cannot be raw."),
)
JOB_QUERY: tuple[Schema, ...] = (
    _query("part", PART, "The answers or the rejected rows."),
    _query("offset", OFFSET, "Rows to skip before the page."),
    _query("limit", LIMIT, "Rows of the page."),
    _query("format", FORMAT, "Send a file of all rows instead of a page."),
)
