"""OpenAPI of the service, from the contract in the model's bundle: every route, field, answer and error.

What stands here is held against the running service by a test, so an answer that changes changes here too.
"""

from collections.abc import Mapping
from typing import Any

from bento import openapi_schemas as schemas
from bento.champion import Serving
from bento.openapi_errors import PROBLEM, problem_responses
from bento.openapi_examples import answer_examples, scoring_example
from bento.openapi_schemas import Schema

JSON = "application/json"
BODY = ("malformed_json", "cut_off", "too_slow", "too_large", "media_type", "not_an_object", "duplicate_field")
SCORING = (*BODY, "not_finite", "invalid_application", "no_model", "defect")
KEY = ("no_valid_key", "not_in_scope", "not_local")
LOCAL = ("not_local", "defect")
TAGS = {
    "scoring": "Applications and their answers.",
    "mlflow": "MLflow's scoring protocol: callers of `mlflow models serve` need no change.",
    "service": "The model in force, probes and metrics.",
    "pages": "For people, and what the pages are made of.",
}
DESCRIPTION = """An application is one JSON object of the contract's columns; an answer is a calibrated probability of
default, points of score, a decision and its reasons. Keys travel in the header `X-API-Key`. Every error is
`application/problem+json` with a stable `code` and never repeats a value. All examples are made up."""


def openapi(portfolio: str, serving: Serving, applications: Mapping[str, Schema]) -> Schema:
    """The document, for the model in force.

    Args:
        portfolio: its name.
        serving: the model.
        applications: made-up ones that stand as examples, by name.
    """
    paths = {
        **_scoring(serving, applications),
        **_batch(),
        **_mlflow(serving, applications),
        **_service(serving),
        **_pages(serving),
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Loan service: {portfolio}",
            "version": str(serving.version),
            "description": f"{DESCRIPTION}\n\nThe book: {serving.bundle.model.contract.description}",
        },
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": {
                "Application": schemas.application(serving) | {"examples": list(applications.values())[:1]},
                "Answer": schemas.ANSWER,
                "Probability": schemas.SHORT,
                "LooseApplication": schemas.loose_application(serving),
                "ScoringRequest": schemas.scoring_request(serving),
                "Predictions": schemas.PREDICTIONS,
                "Model": schemas.MODEL,
                "Ready": schemas.READY,
                "Problem": PROBLEM,
            },
            "securitySchemes": {
                "key": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-API-Key",
                    "description": "`make key` gives one. With LOAN_ENV=development none is asked for.",
                }
            },
        },
    }


def _scoring(serving: Serving, applications: Mapping[str, Schema]) -> Schema:
    explain = {
        "name": "explain",
        "in": "query",
        "schema": {"type": "boolean", "default": False},
        "description": "Reasons in any case, not of a decline alone.",
    }
    asked = {name: {"summary": f"{name.capitalize()} risk", "value": value} for name, value in applications.items()}
    full, short = answer_examples(serving, applications)
    body = _content("Application", asked)
    problems = problem_responses(*SCORING, *KEY, "unknown_parameter", serving=serving)
    return {
        "/api/v1/predict": {
            "post": {
                **_about("predict", "scoring", "The answer to one application."),
                "parameters": [explain],
                "requestBody": {"required": True, "content": body},
                "responses": {"200": _ok("The answer.", _content("Answer", full)), **problems},
            }
        },
        "/predict": {
            "post": {
                **_about("probability", "scoring", "The probability of default of one application, alone."),
                "requestBody": {"required": True, "content": body},
                "responses": {
                    "200": _ok("The probability.", _content("Probability", short)),
                    **problem_responses(*SCORING, *KEY, serving=serving),
                },
            }
        },
    }


def _batch() -> Schema:
    """POST, GET and DELETE of /api/v1/predict/batch: their paths belong here."""
    return {}


def _mlflow(serving: Serving, applications: Mapping[str, Schema]) -> Schema:
    asked, answered = scoring_example(serving, applications)
    problems = problem_responses(*SCORING, *KEY, "too_many_rows", "unknown_form", serving=serving)
    text = {"text/plain": {"schema": {"type": "string"}}}
    waiting = problem_responses(*LOCAL, "no_model", serving=serving)
    return {
        "/invocations": {
            "post": {
                **_about("invocations", "mlflow", "Answers to up to 1,000 rows, checked as loosely as MLflow does."),
                "requestBody": {"required": True, "content": _content("ScoringRequest", asked)},
                "responses": {
                    "200": _ok("One answer a row, in order.", _content("Predictions", answered)),
                    **problems,
                },
            }
        },
        "/ping": {"get": _open("ping", "mlflow", "MLflow's health check: a model answers.", text, waiting)},
        "/version": {
            "get": _open(
                "version", "mlflow", "The version of MLflow whose protocol this is.", text,
                problem_responses(*LOCAL, serving=serving),
            )
        },
    }  # fmt: skip


def _service(serving: Serving) -> Schema:
    text = {"text/plain": {"schema": {"type": "string"}}}
    waiting, always = (
        problem_responses(*LOCAL, "no_model", serving=serving),
        problem_responses(*LOCAL, serving=serving),
    )
    return {
        "/api/v1/model/info": {
            "get": {
                **_about("model_info", "service", "The model in force, and what became of the candidates after it."),
                "responses": {
                    "200": _ok("The model.", _content("Model")),
                    **problem_responses(*KEY, "no_model", "defect", serving=serving),
                },
            }
        },
        "/livez": {"get": _open("livez", "service", "The process lives.", text, always)},
        "/healthz": {"get": _open("healthz", "service", "The process lives.", text, always)},
        "/readyz": {"get": _open("readyz", "service", "A verified model answers.", _content("Ready"), waiting)},
        "/metrics": {"get": _open("metrics", "service", "Prometheus' metrics.", text, always)},
    }


def _pages(serving: Serving) -> Schema:
    html = {"text/html": {"schema": {"type": "string"}}}
    thing = {JSON: {"schema": {"type": "object"}}}
    waiting, always = (
        problem_responses(*LOCAL, "no_model", serving=serving),
        problem_responses(*LOCAL, serving=serving),
    )
    no_model = {**always, "503": {"description": "No model answers yet; the page tries again.", "content": html}}
    assets = {
        path: {"get": _open(path.rpartition("/")[2], "pages", "A part of the pages.", _text(media), always)}
        for path, media in ASSETS.items()
    }
    return {
        "/": {"get": _open("page", "pages", "A form that asks for an application and shows its answer.", html, always)},
        "/form.json": {"get": _open("form", "pages", "What the form is made of.", thing, waiting)},
        "/docs": {"get": _open("docs", "pages", "This document, to read.", html, no_model)},
        "/docs.json": {"get": _open("docs_json", "pages", "This document.", thing, waiting)},
        **assets,
    }


ASSETS = {
    "/page/page.css": "text/css",
    "/page/page.js": "text/javascript",
    "/page/fields.js": "text/javascript",
    "/page/answer.js": "text/javascript",
}


def _about(name: str, tag: str, summary: str) -> Schema:
    return {"operationId": name, "tags": [tag], "summary": summary}


def _open(name: str, tag: str, summary: str, content: Schema, problems: Schema) -> Schema:
    """A route that asks for no key."""
    return {**_about(name, tag, summary), "security": [], "responses": {"200": _ok(summary, content), **problems}}


def _ok(description: str, content: Schema) -> Schema:
    return {"description": description, "content": content}


def _text(media: str) -> Schema:
    return {media: {"schema": {"type": "string"}}}


def _content(schema: str, examples: Schema | None = None) -> dict[str, Any]:
    given = {"examples": examples} if examples else {}
    return {JSON: {"schema": {"$ref": f"#/components/schemas/{schema}"}, **given}}
