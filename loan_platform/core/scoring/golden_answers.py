"""The exact answers to the golden rows. They prove the policy, the texts and the contributions of a bundle."""

import hashlib
import json
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import polars as pl

from loan_platform.core.book.parts.strict import Strict
from loan_platform.core.scoring.answer import Answer, Reason
from loan_platform.core.scoring.predictor import Predictor
from loan_platform.core.scoring.scoring_model import ScoringModel

EXPLAINED = 64  # rows with reasons: those of deep trees cost 20 ms a row
ALONE = 8  # rows that are also answered one by one
DIGITS = 16

_FIELDS = ("score", "risk", "decision", "expected_loss")


class GoldenAnswers(Strict):
    """Each row's answer. Numbers are hexadecimal; `reasons` has a digest of the reasons of each explained row."""

    score: tuple[str, ...]
    risk: tuple[str, ...]
    decision: tuple[str, ...]
    expected_loss: tuple[str | None, ...]
    reasons: tuple[str, ...]

    def problem(self, model: ScoringModel, rows: pl.DataFrame) -> str | None:
        """The first difference from what the model answers, in bulk, as a few rows, and row by row."""
        predictor, features = Predictor(model), model.features(rows)
        bulk = model.score_features(features).select(_FIELDS)
        named = ((name, bulk[name].to_list()) for name in _FIELDS)
        found = {name: tuple(map(_exact, values)) for name, values in named}
        explained = tuple(map(_digest, _reasons(predictor, features.head(EXPLAINED))))
        for name, values in {**found, "reasons": explained}.items():
            if row := _first_difference(getattr(self, name), values):
                return f"golden row {row} has another answer than when the bundle was written ({name})"
        for row in range(min(features.height, ALONE)):
            (alone,) = predictor.answer(features.slice(row, 1), [True])
            if self._row(row) != _written(alone):
                return f"golden row {row + 1} has another answer alone than in bulk"
        return None

    def _row(self, row: int) -> tuple[str | None, ...]:
        return (*(getattr(self, name)[row] for name in _FIELDS), self.reasons[row])


def golden_answers(model: ScoringModel, rows: pl.DataFrame) -> GoldenAnswers:
    """The model's answers to typed rows."""
    predictor, features = Predictor(model), model.features(rows)
    bulk = model.score_features(features)
    return GoldenAnswers(
        **{name: tuple(map(_exact, bulk[name].to_list())) for name in _FIELDS},
        reasons=tuple(map(_digest, _reasons(predictor, features.head(EXPLAINED)))),
    )


def _reasons(predictor: Predictor, features: pl.DataFrame) -> Iterator[tuple[Reason, ...]]:
    """Reasons of each row, whatever its decision."""
    return (answer.reasons for answer in predictor.answer(features, [True] * features.height))


def _written(answer: Answer) -> tuple[str | None, ...]:
    return (*(_exact(getattr(answer, name)) for name in _FIELDS), _digest(answer.reasons))


def _exact(value: float | str | None) -> Any:
    return value.hex() if isinstance(value, float) else value


def _digest(reasons: tuple[Reason, ...]) -> str:
    values = [[_exact(value) for value in reason] for reason in reasons]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:DIGITS]


def _first_difference(expected: tuple[Any, ...], found: tuple[Any, ...]) -> int | None:
    """Number (from 1) of the first row that differs; rows that one of the two lacks differ."""
    pairs = enumerate(zip_longest(expected, found, fillvalue=""), start=1)
    return next((row for row, (a, b) in pairs if a != b), None)
