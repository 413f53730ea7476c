"""Golden rows: loans with their exact probability. A bundle must reproduce them before it is used."""

from datetime import date
from typing import Any

import polars as pl
from pydantic import Field

from loan_platform.core.book.column_types import COLUMN_TYPES
from loan_platform.core.book.parts.strict import Strict
from loan_platform.core.scoring.scoring_model import ScoringModel

MIN_ROWS = 32
ALONE = 64  # rows that are also scored one by one
UNKNOWN = "not a category that anyone has seen"


class GoldenRows(Strict):
    """Typed columns by name (dates as ISO text), and each row's exact probability in hexadecimal."""

    columns: dict[str, tuple[bool | int | float | str | None, ...]]
    probability: tuple[str, ...] = Field(min_length=MIN_ROWS)

    def frame(self, model: ScoringModel) -> pl.DataFrame:
        """The rows as the model's input columns."""
        data = {c.name: _read(self.columns[c.name], c.type) for c in model.inputs}
        return pl.DataFrame(data, schema={c.name: COLUMN_TYPES[c.type].dtype for c in model.inputs})

    def problem(self, model: ScoringModel) -> str | None:
        """The first difference between the model and the rows; None if every bit agrees, in bulk and row by row."""
        if set(self.columns) != {column.name for column in model.inputs}:
            return "its columns are not those that the model reads"
        if any(len(values) != len(self.probability) for values in self.columns.values()):
            return "its columns are not of one length"
        frame = self.frame(model)
        if row := _first_difference(self.probability, _probabilities(model, frame)):
            return f"golden row {row} scores differently from when the bundle was written"
        few = min(frame.height, ALONE)
        alone = tuple(p for row in range(few) for p in _probabilities(model, frame.slice(row, 1)))
        if row := _first_difference(self.probability[:few], alone):
            return f"golden row {row} scores differently alone than in bulk"
        return None


def golden_rows(model: ScoringModel, frame: pl.DataFrame) -> GoldenRows:
    """Golden rows of these loans, of a row without any value, and of a row with unknown categories.

    Raises:
        ValueError: fewer than 32 loans.
    """
    if frame.height < MIN_ROWS:
        raise ValueError(f"{frame.height} golden rows: {MIN_ROWS} are the least")
    known = pl.DataFrame({c.name: _typed(frame, c.name, COLUMN_TYPES[c.type].dtype) for c in model.inputs})
    empty = known.clear(1)
    text = [pl.lit(UNKNOWN).alias(c.name) for c in model.inputs if c.type == "text"]
    rows = pl.concat([known, empty, known.head(1).with_columns(text)]).rechunk()
    return GoldenRows(
        columns={name: tuple(map(_write, rows[name].to_list())) for name in rows.columns},
        probability=_probabilities(model, rows),
    )


def _typed(frame: pl.DataFrame, name: str, dtype: type[pl.DataType]) -> pl.Series:
    if name not in frame.columns:
        return pl.Series(name, [None] * frame.height, dtype=dtype)
    values = frame.get_column(name).cast(dtype)
    # JSON has no infinity
    return values.set(~values.is_finite(), None) if dtype == pl.Float64 else values


def _probabilities(model: ScoringModel, frame: pl.DataFrame) -> tuple[str, ...]:
    return tuple(p.hex() for p in model.score(frame)["probability"].to_list())


def _first_difference(expected: tuple[str, ...], found: tuple[str, ...]) -> int | None:
    """Number (from 1) of the first row that differs."""
    return next((i for i, (a, b) in enumerate(zip(expected, found, strict=True), start=1) if a != b), None)


def _write(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _read(values: tuple[Any, ...], kind: str) -> list[Any]:
    if kind == "date":
        return [None if value is None else date.fromisoformat(value) for value in values]
    return list(values)
