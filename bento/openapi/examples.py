"""Examples of the service's document: the answers that the model in force gives to made-up applications."""

import csv
import io
from collections.abc import Mapping
from typing import Any

from bento.model.answer_json import answer_json
from bento.model.champion import Serving
from bento.openapi.errors import REQUEST_ID
from bento.openapi.schemas import Schema


def answer_examples(serving: Serving, applications: Mapping[str, Schema]) -> tuple[Schema, Schema]:
    """Named examples of the answer, and of its short form."""
    full: dict[str, Any] = {}
    short: dict[str, Any] = {}
    for name, values in applications.items():
        answer = serving.predictor.predict_one(serving.reader.read(values), explain=True)
        summary = f"{name.capitalize()} risk"
        full[name] = {"summary": f"{summary}, explained", "value": answer_json(serving, answer, REQUEST_ID)}
        short[name] = {"summary": summary, "value": {"probability": answer.probability}}
    return full, short


def scoring_examples(serving: Serving, applications: Mapping[str, Schema]) -> tuple[Schema, Schema, Schema]:
    """The applications in MLflow's protocol: as JSON, as CSV, and their answers."""
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
