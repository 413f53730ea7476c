"""Example applications for documents and the scoring form: an ordinary one, and one of each risk band.

No example is a real loan. Values are round numbers, the contract's categories and the model's levels. The frozen bins
of the development sample, which are counts of many loans, decide how ordinary a value is.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loan_platform.core.applications.example_values import values_of
from loan_platform.core.applications.reader import ApplicationReader
from loan_platform.core.book.column_types import NUMBERS
from loan_platform.core.monitoring.reference import Reference, VariableReference
from loan_platform.core.scoring.decisions import RISKS
from loan_platform.core.scoring.scoring_model import ScoringModel

Floats = NDArray[np.float64]
Application = dict[str, Any]

STEPS = 8  # largest number of columns in which an example differs from the ordinary one
VARIANTS, MAX_VARIANTS = 20, 1_000  # values tried per column: first the smaller number, then the larger one
COMMON = 0.002  # smallest share of a bin whose values may stand in an example
FAR = 1e6  # distance that a broken row rule adds
COMMON_GAP = 0.01  # the same for a missing value


class ExampleApplications:
    """Example applications to one model. They are deterministic, and the reader accepts each of them.

    Args:
        model: scores them.
        reader: accepts them.
        reference: the bundle's reference as JSON. Without a valid one, values come from the middle of the ranges.

    Attributes:
        ordinary: JSON values by name of a column that the model reads; a missing value is absent.
        by_risk: an application of each risk band by its name; a band that no example reaches is absent.
        spans: for each number, the smallest and the largest plausible value in the ordinary application.
    """

    def __init__(self, model: ScoringModel, reader: ApplicationReader, reference: Mapping[str, Any]) -> None:
        self._model, self._reader = model, reader
        try:
            of_features = Reference.from_json(reference).features
        except ValueError:
            of_features = ()
        computed = set(model.feature_set.names)
        self._known = tuple(variable for variable in of_features if variable.name in computed)
        self._values = {column.name: values_of(column, model, self._known) for column in model.inputs}
        for name, values in self._values.items():
            if name not in reader.required:
                values.insert(0, None)
        self._ordinary = self._most_ordinary()
        self.ordinary = _without_missing(self._ordinary)
        nearest = {risk: self._of_risk(risk, VARIANTS) or self._of_risk(risk, MAX_VARIANTS) for risk in RISKS}
        self.by_risk = {risk: found for risk, found in nearest.items() if found is not None}
        self.spans = {column.name: self._span(column.name) for column in model.inputs if column.type in NUMBERS}

    def _most_ordinary(self) -> Application:
        row = {name: values[len(values) // 2 if not self._known else 0] for name, values in self._values.items()}
        for _ in range(2):  # the best value of one column depends on the others
            for name, values in self._values.items():
                variants = [row, *({**row, name: value} for value in values)]
                row = variants[int(self._ordinariness(self._frame(variants)).argmax())]
        return row

    def _of_risk(self, risk: str, values: int) -> Application | None:
        """An application of a risk band that differs from the ordinary one in few columns."""
        rule = self._model.policy.decision
        low, high = {
            "low": (0.0, min(rule.medium_from, rule.approve_below)),
            "medium": (rule.medium_from, rule.high_from),
            "high": (max(rule.high_from, rule.decline_from), 1.0),
        }[risk]
        row = self._ordinary
        for _ in range(STEPS + 1):
            variants = [row, *self._variants(row, values)]
            frame = self._frame(variants)
            scored = self._model.score(frame)
            probability: Floats = scored["probability"].to_numpy()
            away = np.maximum(low - probability, 0) + np.maximum(np.nextafter(probability, 1) - high, 0)
            away[~self._plausible(frame)] = np.inf
            away[0] = away[0] if np.isfinite(away[0]) else 1.0
            best = int(away.argmin())
            if away[best] == 0 or best == 0:
                return _without_missing(variants[best]) if scored["risk"][best] == risk else None
            row = variants[best]
        return None

    def _variants(self, row: Application, most: int) -> Iterator[Application]:
        for name, values in self._values.items():
            few = values[:: math.ceil(len(values) / most)]
            yield from ({**row, name: value} for value in few if value != row[name])

    def _span(self, name: str) -> tuple[float, float] | None:
        numbers = [value for value in self._values[name] if value is not None]
        variants = [{**self._ordinary, name: value} for value in numbers]
        plausible = self._plausible(self._frame(variants))
        found = [value for value, is_plausible in zip(numbers, plausible, strict=True) if is_plausible]
        return (min(found), max(found)) if len(found) > 1 else None

    def _frame(self, rows: Sequence[Application]) -> pl.DataFrame:
        return self._reader.read_many(rows)

    def _broken(self, frame: pl.DataFrame) -> Floats:
        """How many issues of row rules each row has. Shape [rows]."""
        found = np.zeros(frame.height)
        for row, issues in self._reader.broken_rules(frame).items():
            found[row] = len(issues)
        return found

    def _ordinariness(self, frame: pl.DataFrame) -> Floats:
        """How close each row is to the middle of the development sample; higher is closer. Shape [rows].

        A row that breaks a row rule is further than one that breaks none.
        """
        features, total = self._model.features(frame), -FAR * self._broken(frame)
        for variable in self._known:
            bins = _bins(variable, features[variable.name])
            counts = np.array(variable.counts, np.float64)
            shares = counts / max(counts.sum(), 1.0)
            if variable.kind == "number":  # distance from the median, by the rank of the bin's middle
                known = max(counts[:-1].sum(), 1.0)
                rank = (counts[:-1].cumsum() - counts[:-1] / 2) / known
                shares[:-1] = (1 - np.abs(2 * rank - 1)) * (1 - shares[-1])
            total += shares[bins]
        return total

    def _plausible(self, frame: pl.DataFrame) -> NDArray[np.bool_]:
        """Whether a row keeps the row rules, with all features in or near the development sample. Shape [rows]."""
        features, found = self._model.features(frame), self._broken(frame) == 0
        for variable in self._known:
            column = features[variable.name]
            counts = np.array(variable.counts, np.float64)
            common = counts >= COMMON * counts.sum()
            common[-1] = counts[-1] >= COMMON_GAP * counts.sum()
            found &= common[_bins(variable, column)]
            if variable.kind == "number":
                width = variable.edges[-1] - variable.edges[0]
                numbers = column.cast(pl.Float64).to_numpy()
                found &= ~((numbers < variable.edges[0] - width) | (numbers > variable.edges[-1] + width))
        return found


def _bins(variable: VariableReference, column: pl.Series) -> NDArray[np.int64]:
    """The index of each value's bin in `VariableReference.counts`. Shape [rows]."""
    last = len(variable.counts) - 1
    if variable.kind == "category":
        place = {level: at for at, level in enumerate(variable.levels)}
        return np.array([last if v is None else place.get(v, last - 1) for v in column.cast(pl.String)], np.int64)
    numbers = column.cast(pl.Float64).to_numpy()
    edges = np.array(variable.edges)
    found = np.searchsorted(edges, numbers, side="left").astype(np.int64)
    if variable.kind == "values":
        listed = found < len(edges)
        listed[listed] = edges[found[listed]] == numbers[listed]
        found = np.where(listed, found, last - 1)
    return np.where(np.isnan(numbers), last, found)


def _without_missing(row: Application) -> Application:
    return {name: value for name, value in row.items() if value is not None}
