"""The answer to one application, defined once: its fields with their Polars types and JSON schemas.

Batches, the service, audit records, the MLflow model and OpenAPI derive their fields from `Answer` and `Reason`.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, NamedTuple, get_type_hints

import polars as pl

from loan_platform.core.scoring.decisions import DECISIONS, RISKS

JsonSchema = dict[str, Any]

MAX_REASONS = 4  # of one answer: more are not asked of a lender (12 CFR 1002.9, official interpretation 9(b)(2)-1)


class FieldType(NamedTuple):
    """How a field is held in a frame and described in JSON."""

    dtype: pl.DataType
    json: JsonSchema


class Reason(NamedTuple):
    """One reason for a score. The value is text in frames, and keeps its type in the answer to one application.

    Attributes:
        code: the feature's name, with `_not_known` after it where the feature has no value.
        text: what the applicant is told.
        value: of the feature; None where it is missing or undefined, as a ratio to zero is.
        points: of score that it costs, against the average training loan; 0 or negative.
    """

    code: Annotated[
        str,
        FieldType(
            pl.String(), {"type": "string", "description": "The feature; with `_not_known` where it has no value."}
        ),
    ]
    text: Annotated[
        str,
        FieldType(pl.String(), {"type": "string", "description": "What the applicant is told."}),
    ]
    value: Annotated[
        float | str | None,
        FieldType(
            pl.String(),
            {
                "type": ["number", "string", "null"],
                "description": "Of the feature; null where it is not known or not finite.",
            },
        ),
    ]
    points: Annotated[
        float,
        FieldType(
            pl.Float64(),
            {
                "type": "number",
                "maximum": 0,
                "description": "Points of score that it cost, against the average training loan.",
            },
        ),
    ]


def field_types(fields: type[tuple[Any, ...]]) -> dict[str, FieldType]:
    """The type of each field of `Answer` or `Reason`, in order."""
    return {name: hint.__metadata__[0] for name, hint in get_type_hints(fields, include_extras=True).items()}


REASON_FIELDS = field_types(Reason)
REASONS = pl.List(pl.Struct({name: field.dtype for name, field in REASON_FIELDS.items()}))


class Answer(NamedTuple):
    """The answer to one application.

    Attributes:
        probability: of default, calibrated, 0 to 1.
        score: points, not rounded; a higher score is safer.
        risk: one of `RISKS`.
        decision: one of `DECISIONS`.
        expected_loss: in the unit of the exposure; None where the exposure is missing.
        reasons: the weightiest first; those of a decline, or those that the caller asks for.
    """

    probability: Annotated[
        float,
        FieldType(
            pl.Float64(),
            {"type": "number", "minimum": 0, "maximum": 1, "description": "Of default, calibrated."},
        ),
    ]
    score: Annotated[float, FieldType(pl.Float64(), {"type": "number", "description": "Points; more are safer."})]
    risk: Annotated[str, FieldType(pl.Enum(RISKS), {"type": "string", "enum": list(RISKS)})]
    decision: Annotated[str, FieldType(pl.Enum(DECISIONS), {"type": "string", "enum": list(DECISIONS)})]
    expected_loss: Annotated[
        float | None,
        FieldType(
            pl.Float64(),
            {
                "type": ["number", "null"],
                "description": "Probability x loss given default x exposure, in the exposure's unit; null where that "
                "is not known.",
            },
        ),
    ]
    reasons: Annotated[
        tuple[Reason, ...],
        FieldType(
            REASONS,
            {
                "type": "array",
                "maxItems": MAX_REASONS,
                "description": "The weightiest first; of a decline, or where they are asked for.",
            },
        ),
    ]


ANSWER_FIELDS = field_types(Answer)
ANSWER_SCHEMA: dict[str, pl.DataType] = {name: field.dtype for name, field in ANSWER_FIELDS.items()}
SCORE_SCHEMA = {name: dtype for name, dtype in ANSWER_SCHEMA.items() if name != "reasons"}

# An audit record keeps of a reason what replay compares; the text and the value follow from the model and the inputs.
RECORDED_OF_REASON = ("code", "points")
RECORDED_SCHEMA: dict[str, pl.DataType] = SCORE_SCHEMA | {
    "reasons": pl.List(pl.Struct({name: REASON_FIELDS[name].dtype for name in RECORDED_OF_REASON}))
}


def answer_rows(answers: Iterable[Answer]) -> list[dict[str, Any]]:
    """Answers as the rows of `Predictor.predict_frame`: the values of reasons are text."""
    return [
        answer._asdict()
        | {"reasons": [reason._asdict() | {"value": as_text(reason.value)} for reason in answer.reasons]}
        for answer in answers
    ]


def recorded_answer(answer: Answer) -> dict[str, Any]:
    """What an audit record keeps of the answer to one application."""
    return answer._asdict() | {"reasons": [[reason.code, reason.points] for reason in answer.reasons]}


def recorded_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """What an audit record keeps of a row of `Predictor.predict_frame`: as `recorded_answer`."""
    reasons = [[reason[name] for name in RECORDED_OF_REASON] for reason in row["reasons"]]
    return {name: row[name] for name in SCORE_SCHEMA} | {"reasons": reasons}


def as_text(value: float | str | None) -> str | None:
    """The value of a reason as frames hold it."""
    return value if value is None or isinstance(value, str) else str(pl.Series([value]).cast(pl.String)[0])
