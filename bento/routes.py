"""The one table of routes.

The application, the checks before it, the metrics labels, the OpenAPI document and `/docs` derive from this table. A
new route is one entry here plus its endpoint function.
"""

from collections.abc import Callable
from dataclasses import replace

from bento.batch.endpoints import JOB_PATH, PATH
from bento.batch.input import CSV, JSON, MEDIA, NDJSON, PARQUET
from bento.endpoints import Endpoints
from bento.http.operation import Content, Operation, Schema
from bento.http.routes import Handler, InFlight, Route, RouteTable
from bento.openapi.batch_schemas import APPLICATIONS, BATCH_QUERY, JOB_ID, JOB_QUERY

Endpoint = Callable[[Endpoints], Handler] | None

TEXT: Schema = {"type": "string"}
OBJECT: Schema = {"type": "object"}
HTML, PLAIN, ANY_JSON = Content("text/html", TEXT), Content("text/plain", TEXT), Content(JSON, OBJECT)
APPLICATION = Content(JSON, "Application", "applications")
CSV_ROWS: Schema = {"type": "string", "description": "A header with the column names, and one line per application."}
FILES = (Content(NDJSON, TEXT), Content(CSV, TEXT), Content(PARQUET, TEXT))
SCORING_CODES = ("not_an_object", "invalid_application", "no_model", "audit_unavailable")
EXPLAIN: Schema = {
    "name": "explain",
    "in": "query",
    "schema": {"type": "boolean", "default": False},
    "description": "Give reasons for every decision, not only for a decline.",
}
NO_MODEL_PAGE: Schema = {
    "description": "There is no model yet. The page reloads itself.",
    "content": {"text/html": {"schema": TEXT}},
}
ASSETS = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "fields.js": "text/javascript",
    "answer.js": "text/javascript",
}


def _scoring(
    path: str, endpoint: Endpoint, operation: Operation, media: tuple[str, ...], max_body_bytes: int = 65_536
) -> Route:
    """A route that scores the applications of its body."""
    return Route("POST", path, endpoint, operation, "predict", media, max_body_bytes, in_flight=InFlight.COUNTED)


def _open(path: str, endpoint: Endpoint, name: str, tag: str, summary: str, content: Content, *codes: str) -> Route:
    """A route without key and body."""
    return Route("GET", path, endpoint, Operation(name, tag, summary, summary, (content,), codes=codes))


def _file(path: str, name: str, summary: str, media: str, operation: str = "") -> Route:
    """A file of the pages."""
    return _open(path, lambda to: to.pages.file(name), operation or name, "pages", summary, Content(media, TEXT))


ROUTES = RouteTable(
    [
        _scoring(
            "/api/v1/predict",
            lambda to: to.scoring.predict,
            Operation(
                "predict",
                "scoring",
                "Score one application.",
                "The answer.",
                (Content(JSON, "Answer", "answers"),),
                body=(APPLICATION,),
                parameters=(EXPLAIN,),
                codes=(*SCORING_CODES, "unknown_parameter"),
            ),
            media=(JSON,),
        ),
        _scoring(
            "/predict",
            lambda to: to.scoring.probability,
            Operation(
                "probability",
                "scoring",
                "Get only the probability of default of one application.",
                "The probability.",
                (Content(JSON, "Probability", "probabilities"),),
                body=(APPLICATION,),
                codes=SCORING_CODES,
            ),
            media=(JSON,),
        ),
        Route(
            "POST",
            PATH,
            lambda to: to.batch.create,
            Operation(
                "batch",
                "batch",
                "Score a file of applications in the background.",
                "The job.",
                (Content(JSON, "Accepted"),),
                status=202,
                body=(Content(JSON, APPLICATIONS, "batch"), *FILES),
                parameters=BATCH_QUERY,
                codes=("unknown_form", "unknown_parameter", "no_room", "no_model", "ending"),
            ),
            scope="batch",
            media=MEDIA,
            max_body_bytes=None,
            streamed=True,
            in_flight=InFlight.REJECTED,  # not counted: an upload takes minutes and costs little
        ),
        Route(
            "GET",
            JOB_PATH,
            lambda to: to.batch.get,
            Operation(
                "batch_job",
                "batch",
                "Get the progress of a job. Once it has succeeded, get a page or a file of its rows.",
                "The job.",
                (Content(JSON, "Job"), *FILES),
                parameters=(JOB_ID, *JOB_QUERY),
                codes=("unknown_job", "unknown_parameter", "not_ready"),
            ),
            scope="batch",
        ),
        Route(
            "DELETE",
            JOB_PATH,
            lambda to: to.batch.delete,
            Operation(
                "end_batch_job",
                "batch",
                "Cancel an open job, or delete a finished one.",
                "The job is cancelled or deleted.",
                status=204,
                parameters=(JOB_ID,),
                codes=("unknown_job",),
            ),
            scope="batch",
        ),
        _scoring(
            "/invocations",
            lambda to: to.scoring.invocations,
            Operation(
                "invocations",
                "mlflow",
                "Score up to 1,000 rows in the forms of MLflow. One invalid row rejects them all.",
                "One answer per row, in order.",
                (Content(JSON, "Predictions", "predictions"),),
                body=(Content(JSON, "ScoringRequest", "rows"), Content(CSV, CSV_ROWS, "csv_rows")),
                codes=(*SCORING_CODES, "malformed_csv", "too_many_rows", "unknown_form"),
            ),
            media=(JSON, CSV),
            max_body_bytes=8_000_000,
        ),
        _open(
            "/ping",
            lambda to: to.status.ping,
            "ping",
            "mlflow",
            "MLflow's health check: a model is in force.",
            PLAIN,
            "no_model",
        ),
        _open(
            "/version",
            lambda to: to.status.version,
            "version",
            "mlflow",
            "The version of MLflow whose scoring protocol this is.",
            PLAIN,
        ),
        Route(
            "GET",
            "/api/v1/model/info",
            lambda to: to.status.model_info,
            Operation(
                "model_info",
                "service",
                "The model in force, its swaps and the rejected candidates.",
                "The model.",
                (Content(JSON, "Model"),),
                codes=("no_model",),
            ),
            scope="predict",
            in_flight=InFlight.COUNTED,
        ),
        _open("/schema.json", None, "schema", "service", "What BentoML's client reads first.", ANY_JSON),
        _open("/livez", None, "livez", "service", "The process is alive.", PLAIN),
        _open("/healthz", None, "healthz", "service", "The process is alive.", PLAIN),
        _open(
            "/readyz",
            lambda to: to.status.ready,
            "readyz",
            "service",
            "A verified model is in force.",
            Content(JSON, "Ready"),
            "no_model",
            "ending",
            "audit_unavailable",
        ),
        _open("/metrics", lambda to: to.status.metrics_page, "metrics", "service", "Prometheus metrics.", PLAIN),
        _file("/", "index.html", "A form that scores an application and shows the answer.", "text/html", "page"),
        _open(
            "/form.json",
            lambda to: to.pages.form,
            "form",
            "pages",
            "The fields of the form.",
            Content(JSON, "Form"),
            "no_model",
        ),
        Route(
            "GET",
            "/docs",
            lambda to: to.pages.docs,
            Operation(
                "docs",
                "pages",
                "This document as a page.",
                "This document as a page.",
                (HTML,),
                other_responses={"503": NO_MODEL_PAGE},
            ),
        ),
        _open("/docs.json", lambda to: to.pages.openapi, "docs_json", "pages", "This document.", ANY_JSON, "no_model"),
        *(_file(f"/page/{name}", name, "A part of the pages.", media) for name, media in ASSETS.items()),
    ]
)


def routes_of(metrics_need_a_key: bool) -> RouteTable:
    """The routes of a worker.

    Args:
        metrics_need_a_key: whether only holders of a key with the scope `metrics` may read the metrics.
    """
    if not metrics_need_a_key:
        return ROUTES
    return RouteTable(replace(route, scope="metrics") if route.path == "/metrics" else route for route in ROUTES)
