"""Replay of an audit record: its answer is computed again from its inputs and its model."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl

from loan_platform.core.scoring.answer import recorded_answer
from loan_platform.core.scoring.predictor import Predictor
from loan_platform.core.scoring.scoring_model import ScoringModel


def inputs_frame(model: ScoringModel, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """A frame of the inputs of audit records, with the columns and types of the model's inputs.

    Args:
        model: reads the inputs.
        rows: inputs of audit records by column.
    """
    return typed_inputs(model.feature_set.schema, rows)


def typed_inputs(schema: Mapping[str, type[pl.DataType]], rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """A frame of the inputs of audit records.

    Args:
        schema: columns that are wanted, with their types. A record without one has a missing value.
        rows: inputs of audit records by column.
    """
    dates = [name for name, kind in schema.items() if kind == pl.Date]
    typed = [{**row, **{name: _date(row.get(name)) for name in dates}} for row in rows]
    return pl.from_dicts([{name: row.get(name) for name in schema} for row in typed], schema=schema)


def differences(
    predictor: Predictor, record: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, tuple[Any, Any]]:
    """Compare the answer in an audit record with the model's answer, to the last bit.

    Returns:
        For each field that differs, the recorded value and the model's; empty if all are the same.
    """
    answer = predictor.predict_one(inputs_frame(predictor.model, [inputs]), explain=bool(record["explain"]))
    said = recorded_answer(answer)
    return {name: (record[name], value) for name, value in said.items() if record[name] != value}


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
