"""Examples of the OpenAPI document: made-up applications and the answers of the model in force."""

import csv
import io
from collections.abc import Mapping
from typing import Any

from bento.model.answer_json import answer_json
from bento.model.champion import Serving
from bento.openapi.errors import REQUEST_ID
from bento.openapi.schemas import Schema


def examples(serving: Serving, applications: Mapping[str, Schema]) -> dict[str, Schema]:
    """The examples by the name with which the routes refer to them.

    Args:
        serving: the model.
        applications: made-up applications by name.
    """
    answers, probabilities = _answer_examples(serving, applications)
    rows, csv_rows, predictions = _scoring_examples(serving, applications)
    return {
        "applications": {
            name: {"summary": f"{name.capitalize()} risk", "value": value} for name, value in applications.items()
        },
        "answers": answers,
        "probabilities": probabilities,
        "batch": {"few": {"summary": "A few applications", "value": list(applications.values())}},
        "rows": rows,
        "csv_rows": csv_rows,
        "predictions": predictions,
    }


def _answer_examples(serving: Serving, applications: Mapping[str, Schema]) -> tuple[Schema, Schema]:
    """The answers in full, and in their short form."""
    full: dict[str, Any] = {}
    short: dict[str, Any] = {}
    for name, values in applications.items():
        answer = serving.predictor.predict_one(serving.reader.read(values), explain=True)
        summary = f"{name.capitalize()} risk"
        full[name] = {"summary": f"{summary}, explained", "value": answer_json(serving, answer, REQUEST_ID)}
        short[name] = {"summary": summary, "value": {"probability": answer.probability}}
    return full, short


def _scoring_examples(serving: Serving, applications: Mapping[str, Schema]) -> tuple[Schema, Schema, Schema]:
    """The applications in MLflow's protocol as JSON and as CSV, and their answers."""
    rows = list(applications.values())
    answers = serving.predictor.predict_frame(serving.reader.read_many(rows)).to_dicts()
    text = io.StringIO()
    writer = csv.DictWriter(text, [column.name for column in serving.bundle.model.inputs], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return (
        {"rows": {"summary": "Rows", "value": {"dataframe_records": rows}}},
        {"rows": {"summary": "Rows", "value": text.getvalue()}},
        {"rows": {"summary": "Their answers", "value": {"predictions": answers}}},
    )
