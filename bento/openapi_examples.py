"""Examples of the service's document: the answers that the model in force gives to made-up applications."""

from collections.abc import Mapping
from typing import Any

from bento.answer_json import answer_json
from bento.champion import Serving
from bento.openapi_errors import REQUEST_ID
from bento.openapi_schemas import Schema


def answer_examples(serving: Serving, applications: Mapping[str, Schema]) -> tuple[Schema, Schema]:
    """Named examples of the answer, and of its short form."""
    full: dict[str, Any] = {}
    short: dict[str, Any] = {}
    for name, values in applications.items():
        answer = serving.answers.one(serving.reader.read(values), explain=True)
        summary = f"{name.capitalize()} risk"
        full[name] = {"summary": f"{summary}, explained", "value": answer_json(serving, answer, REQUEST_ID)}
        short[name] = {"summary": summary, "value": {"probability": answer.probability}}
    return full, short


def scoring_example(serving: Serving, applications: Mapping[str, Schema]) -> tuple[Schema, Schema]:
    """One example of MLflow's protocol, and its answer."""
    rows = list(applications.values())
    if not rows:
        return {}, {}
    answers = serving.answers.of(serving.reader.read_many(rows)).to_dicts()
    asked = {"rows": {"summary": "Rows", "value": {"dataframe_records": rows}}}
    return asked, {"rows": {"summary": "Their answers", "value": {"predictions": answers}}}
