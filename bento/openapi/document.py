"""OpenAPI of the service, from the contract in the model's bundle: every route, field, answer and error.

What stands here is held against the running service by a test, so an answer that changes changes here too.
"""

from collections.abc import Mapping

from bento.model.champion import Serving
from bento.openapi.batch import BATCH_SCHEMAS, batch_paths
from bento.openapi.errors import KEY, LOCAL, PROBLEM, problem_responses
from bento.openapi.examples import answer_examples, scoring_examples
from bento.openapi.form_fields import FORM
from bento.openapi.open import page_paths, service_paths
from bento.openapi.parts import about, content, ok, open_route, text
from bento.openapi.schemas import (
    ANSWER,
    MODEL,
    PREDICTIONS,
    READY,
    SHORT,
    Schema,
    scoring_request,
)

BODY = (
    "malformed_json",
    "too_deep",
    "cut_off",
    "too_slow",
    "too_large",
    "media_type",
    "not_an_object",
    "duplicate_field",
)
SCORING = (*BODY, "not_finite", "invalid_application", "no_model", "audit_unavailable", "defect")
CSV = {"type": "string", "description": "A header of column names, and a line for each application."}
TAGS = {
    "scoring": "Applications and their answers.",
    "batch": "Files of applications.",
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
        **batch_paths(serving, applications),
        **_mlflow(serving, applications),
        **service_paths(serving),
        **page_paths(serving),
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
    body = content("Application", asked)
    problems = problem_responses(*SCORING, *KEY, "unknown_parameter", serving=serving)
    return {
        "/api/v1/predict": {
            "post": {
                **about("predict", "scoring", "The answer to one application."),
                "parameters": [explain],
                "requestBody": {"required": True, "content": body},
                "responses": {"200": ok("The answer.", content("Answer", full)), **problems},
            }
        },
        "/predict": {
            "post": {
                **about("probability", "scoring", "The probability of default of one application, alone."),
                "requestBody": {"required": True, "content": body},
                "responses": {
                    "200": ok("The probability.", content("Probability", short)),
                    **problem_responses(*SCORING, *KEY, serving=serving),
                },
            }
        },
    }


def _mlflow(serving: Serving, applications: Mapping[str, Schema]) -> Schema:
    asked, csv, answered = scoring_examples(serving, applications)
    problems = problem_responses(*SCORING, *KEY, "malformed_csv", "too_many_rows", "unknown_form", serving=serving)
    plain = text("text/plain")
    waiting = problem_responses(*LOCAL, "no_model", serving=serving)
    always = problem_responses(*LOCAL, serving=serving)
    body = {**content("ScoringRequest", asked), "text/csv": {"schema": CSV, "examples": csv}}
    return {
        "/invocations": {
            "post": {
                **about("invocations", "mlflow", "Answers to up to 1,000 rows, checked as loosely as MLflow does."),
                "requestBody": {"required": True, "content": body},
                "responses": {"200": ok("One answer a row, in order.", content("Predictions", answered)), **problems},
            }
        },
        "/ping": {"get": open_route("ping", "mlflow", "MLflow's health check: a model answers.", plain, waiting)},
        "/version": {
            "get": open_route("version", "mlflow", "The version of MLflow whose protocol this is.", plain, always)
        },
    }
