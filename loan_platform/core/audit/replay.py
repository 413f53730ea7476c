"""A record's answer, worked out again from its inputs and the model that it names."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl

from loan_platform.core.scoring.answer import recorded_answer
from loan_platform.core.scoring.predictor import Predictor
from loan_platform.core.scoring.scoring_model import ScoringModel


def inputs_frame(model: ScoringModel, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Inputs as records hold them, in the types in which the model reads them.

    Args:
        model: that reads them.
        rows: the inputs of records, by column.
    """
    schema = model.feature_set.schema
    dates = [name for name, kind in schema.items() if kind == pl.Date]
    typed = [{**row, **{name: _date(row.get(name)) for name in dates}} for row in rows]
    return pl.from_dicts([{name: row.get(name) for name in schema} for row in typed], schema=schema)


def differences(
    predictor: Predictor, record: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, tuple[Any, Any]]:
    """What the model says differently today than the record, to the last bit.

    Returns:
        By field, what was recorded and what the model says; none where it says the same.
    """
    answer = predictor.predict_one(inputs_frame(predictor.model, [inputs]), explain=bool(record["explain"]))
    said = recorded_answer(answer)
    return {name: (record[name], value) for name, value in said.items() if record[name] != value}


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
