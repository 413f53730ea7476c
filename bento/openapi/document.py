"""The OpenAPI document of the service, rendered from the table of routes and the contract of the model in force.

A test compares the document with the running service.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from bento.http.operation import Content
from bento.http.routes import Route
from bento.model.champion import Serving
from bento.openapi.batch_schemas import BATCH_SCHEMAS
from bento.openapi.errors import PROBLEM, problem_responses, route_codes
from bento.openapi.examples import examples
from bento.openapi.form_fields import FORM
from bento.openapi.schemas import (
    ANSWER,
    MODEL,
    PREDICTIONS,
    READY,
    SHORT,
    Schema,
    scoring_request,
)

TAGS = {
    "scoring": "Score single applications.",
    "batch": "Score files of applications.",
    "mlflow": "MLflow's scoring protocol. Clients of `mlflow models serve` need no change.",
    "service": "The model in force, probes and metrics.",
    "pages": "Pages for people, and their parts.",
}
DESCRIPTION = """An application is one JSON object with the columns of the contract. The answer is a calibrated
probability of default, a score in points, a decision and its reasons. Send the API key in the header `X-API-Key`. Every
error is `application/problem+json` with a stable `code` and contains no value of the request. All examples are made
up."""
KEY_SCHEME = {
    "type": "apiKey",
    "in": "header",
    "name": "X-API-Key",
    "description": "Create a key with `make key`. With LOAN_ENV=development no key is needed.",
}


def openapi(
    routes: Iterable[Route], portfolio: str, serving: Serving, applications: Mapping[str, Schema]
) -> dict[str, Any]:
    """The document for the model in force.

    Args:
        routes: of the service.
        portfolio: its name.
        serving: the model.
        applications: made-up applications by name, for the examples.
    """
    shown = examples(serving, applications)
    paths: dict[str, Schema] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, serving, shown)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Loan service: {portfolio}",
            "version": str(serving.version),
            "description": f"{DESCRIPTION}\n\nThe book: {serving.bundle.model.contract.description}",
        },
        "servers": [{"url": ".", "description": "The folder of this document, also behind the path of a proxy."}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "security": [{"key": []}],
        "paths": paths,
        "components": {"schemas": _schemas(serving, applications), "securitySchemes": {"key": KEY_SCHEME}},
    }


def _schemas(serving: Serving, applications: Mapping[str, Schema]) -> dict[str, Schema]:
    return {
        "Application": serving.reader.application.json_schema() | {"examples": list(applications.values())[:1]},
        "Answer": ANSWER,
        "Probability": SHORT,
        "LooseApplication": serving.reader.application.mlflow_json_schema(),
        "ScoringRequest": scoring_request(serving),
        "Predictions": PREDICTIONS,
        "Model": MODEL,
        "Ready": READY,
        "Form": FORM,
        "Problem": PROBLEM,
        **BATCH_SCHEMAS,
    }


def _operation(route: Route, serving: Serving, shown: Mapping[str, Schema]) -> Schema:
    about = route.operation
    found: Schema = {"operationId": about.name, "tags": [about.tag], "summary": about.summary}
    if route.scope is None:
        found["security"] = []
    if about.parameters:
        found["parameters"] = list(about.parameters)
    if about.body:
        found["requestBody"] = {"required": True, "content": _content(about.body, shown)}
    success: Schema = {"description": about.result}
    if about.content:
        success["content"] = _content(about.content, shown)
    problems = problem_responses(*route_codes(route), *about.codes, serving=serving)
    found["responses"] = {str(about.status): success, **problems, **about.other_responses}
    return found


def _content(contents: Iterable[Content], shown: Mapping[str, Schema]) -> Schema:
    found: Schema = {}
    for content in contents:
        schema = (
            {"$ref": f"#/components/schemas/{content.schema}"} if isinstance(content.schema, str) else content.schema
        )
        given = {"examples": shown[content.examples]} if content.examples else {}
        found[content.media] = {"schema": schema, **given}
    return found
