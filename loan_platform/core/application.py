"""One application as a caller sends it: JSON values by the contract's column names, checked and typed.

The same rules as for rows of a file: what is refused there is refused here, field by field, and never with its value.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from math import isfinite
from typing import Any, NamedTuple

import polars as pl

from loan_platform.core.contract import Column
from loan_platform.core.errors import ExplainedError
from loan_platform.core.mistakes import did_you_mean
from loan_platform.core.scoring import ScoringModel

EXACT = 2**53  # whole numbers above it are not exact in JSON
MOST_PROBLEMS = 100  # that an answer lists
GUESSES = 5  # unknown fields for which a meant one is looked up, which takes half a millisecond
FIRST_DATE, LAST_DATE = date(1900, 1, 1), date(2100, 12, 31)  # as in files
NAME_SHOWN = 64  # characters of an unknown field's name that an answer repeats


_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class FieldProblem(NamedTuple):
    """What is wrong with a field: a code for programs, a sentence for people."""

    field: str
    code: str
    detail: str


class ApplicationError(ExplainedError, ValueError):
    """An application that cannot be scored, with every field that keeps it from that."""

    def __init__(self, problems: list[FieldProblem]) -> None:
        super().__init__("; ".join(f"{problem.field}: {problem.detail}" for problem in problems))
        self.problems = problems


class ApplicationReader:
    """Reads applications for one model; made once for it, safe to share among threads.

    Attributes:
        columns: what an application may state, by name: the key, the date, and all columns known at application.
        key: the column that names the loan.
        required: those that must be stated.
        missing: texts that mean: not stated.
        schema: the columns that the model reads, with the types in which it reads them.
    """

    def __init__(self, model: ScoringModel) -> None:
        contract, self.missing = model.contract, frozenset(model.contract.missing)
        self.key = contract.entity_key
        about = (contract.entity_key, contract.event_date)
        self._inputs = [column.name for column in model.inputs]
        self.columns = {
            column.name: column
            for column in contract.columns
            if column.known == "application" or column.name in (*about, *self._inputs)
        }
        self.required = frozenset(
            name for name, column in self.columns.items() if column.required and column.name in self._inputs
        )
        self._parsers = {name: _PARSERS[column.type] for name, column in self.columns.items()}
        self._spellings = {
            name: {_plain(word): word for word in column.allowed}
            for name, column in self.columns.items()
            if column.allowed is not None
        }
        self.schema = model.feature_set.schema
        self._counted = frozenset(
            name for name in self._inputs if self.columns[name].type == "integer" and self.schema[name] == pl.Float64
        )
        self._simple = {
            name: _simple(column)
            for name, column in self.columns.items()
            if column.type in _WHOLE and self.schema.get(name, pl.Float64) == pl.Float64
        }

    def read(self, values: Mapping[str, Any]) -> pl.DataFrame:
        """One row of the columns that the model reads, in the types in which it reads them.

        Args:
            values: of the fields, as a JSON parser gives them; an absent field and null both mean: not stated.

        Raises:
            ApplicationError: with every problem: `unknown_field`, `required`, `wrong_type`, `out_of_range`,
                `not_allowed`.
        """
        return self.frame([self.inputs(values)])

    def frame(self, rows: Sequence[Sequence[Any]]) -> pl.DataFrame:
        """Rows that `inputs` gave, as one frame."""
        return pl.from_dicts([dict(zip(self._inputs, row, strict=True)) for row in rows], schema=self.schema)

    def inputs(self, values: Mapping[str, Any]) -> list[Any]:
        """The values that the model reads, in its order and typed; None where one is not stated.

        Args:
            values: as `read` takes them.

        Raises:
            ApplicationError: as `read` does.
        """
        problems: list[FieldProblem] = []
        typed: dict[str, Any] = {}
        for name, value in values.items():
            if len(problems) >= MOST_PROBLEMS:
                raise ApplicationError(problems)
            if name not in self.columns:
                unknown = sum(problem.code == "unknown_field" for problem in problems)
                problems.append(self._unknown(name, guess=unknown < GUESSES))
            elif (
                (simple := self._simple.get(name))
                and type(value) in simple.types
                and simple.low <= value <= simple.high
            ):
                typed[name] = float(value)
            elif value is not None:
                try:
                    typed[name] = self._typed(name, value)
                except _WrongError as wrong:
                    problems.append(FieldProblem(name, wrong.code, wrong.detail))
        stated = {name for name, value in typed.items() if value is not None} | {problem.field for problem in problems}
        problems += [FieldProblem(name, "required", "must be stated") for name in sorted(self.required - stated)]
        if problems:
            raise ApplicationError(problems)
        return [typed.get(name) for name in self._inputs]

    def read_many(self, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
        """Rows as `read` gives them, checked as loosely as a model of MLflow does.

        Ranges and categories are not checked, fields that the model does not read are ignored, and a required column
        must be there, though not in each row.

        Raises:
            ApplicationError: a value is of another type; its field is `rows[i].name`.
        """
        problems: list[FieldProblem] = []
        typed = [
            [self._loosely(f"rows[{i}].", name, row, problems) for name in self._inputs] for i, row in enumerate(rows)
        ]
        problems += [
            FieldProblem(name, "required", "must be a column of the rows")
            for name in sorted(self.required)
            if rows and not any(name in row for row in rows)
        ]
        if problems:
            raise ApplicationError(problems[:MOST_PROBLEMS])
        return pl.DataFrame(typed, schema=self.schema, orient="row")

    def _loosely(self, where: str, name: str, row: Mapping[str, Any], problems: list[FieldProblem]) -> Any:
        if (value := row.get(name)) is None:
            return None
        try:
            found = _LOOSE.get(self.columns[name].type, self._parsers[name])(value)
        except _WrongError as wrong:
            problems.append(FieldProblem(where + name, wrong.code, wrong.detail))
            return None
        if isinstance(found, str):
            return None if (trimmed := found.strip(" ")) in self.missing else trimmed
        return float(found) if name in self._counted else found

    def _typed(self, name: str, value: Any) -> Any:
        column = self.columns[name]
        found = self._parsers[name](value)
        if column.minimum is not None and found < column.minimum:
            raise _WrongError("out_of_range", f"must be at least {column.minimum:g}")
        if column.maximum is not None and found > column.maximum:
            raise _WrongError("out_of_range", f"must be at most {column.maximum:g}")
        if column.type == "text":
            return self._text(column, found)
        return float(found) if name in self._counted else found

    def _text(self, column: Column, text: str) -> str | None:
        trimmed = text.strip(" ")  # as in files
        if trimmed in self.missing:
            return None
        if column.allowed is None:
            return trimmed
        try:
            return self._spellings[column.name][_plain(text)]
        except KeyError:
            raise _WrongError("not_allowed", f"must be one of {', '.join(column.allowed)}") from None

    def _unknown(self, name: str, guess: bool) -> FieldProblem:
        shown = "".join(letter if letter.isprintable() else "?" for letter in name[:NAME_SHOWN])
        meant = did_you_mean(name[:NAME_SHOWN], self.columns) if guess else ""
        detail = f"is not a field of an application. {meant}".strip()
        return FieldProblem(shown, "unknown_field", detail)


class _WrongError(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


class _Simple(NamedTuple):
    """Numbers that need no closer look: most of an application's fields, at a third of the time."""

    types: frozenset[type]
    low: float
    high: float


_WHOLE = {"number": False, "percent": False, "integer": True}


def _simple(column: Column) -> _Simple:
    low = -EXACT if column.minimum is None else max(column.minimum, -EXACT)
    high = EXACT if column.maximum is None else min(column.maximum, EXACT)
    return _Simple(frozenset({int} if _WHOLE[column.type] else {int, float}), low, high)


def _plain(word: str) -> str:
    return " ".join(word.lower().split())


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _WrongError("wrong_type", "must be a number")
    if isinstance(value, int) and abs(value) > EXACT:
        raise _WrongError("out_of_range", "must be at most 2^53 in size")
    if not isfinite(value):
        raise _WrongError("wrong_type", "must be a finite number")
    return float(value)


def _integer(value: Any) -> int:
    number = _number(value)
    if number != int(number) or abs(number) > EXACT:
        raise _WrongError("wrong_type", "must be a whole number")
    return int(number)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _WrongError("wrong_type", "must be true or false")
    return value


def _date(value: Any) -> date:
    try:
        if isinstance(value, str) and _DATE.fullmatch(value):
            found = date.fromisoformat(value)
            if FIRST_DATE <= found <= LAST_DATE:
                return found
    except ValueError:
        pass
    raise _WrongError("wrong_type", "must be a date as in 2015-06-30")


def _text(value: Any) -> str:
    try:
        if isinstance(value, str):
            value.encode()  # JSON can write half of a pair of code units, which is no text
            return value
    except UnicodeEncodeError:
        pass
    raise _WrongError("wrong_type", "must be a text")


_PARSERS: dict[str, Callable[[Any], Any]] = {
    "number": _number,
    "percent": _number,
    "integer": _integer,
    "boolean": _boolean,
    "date": _date,
    "text": _text,
}


def _loose_number(value: Any) -> float:
    return _number(float(value) if isinstance(value, bool) else value)


def _loose_boolean(value: Any) -> bool:
    return _boolean(bool(value) if isinstance(value, int | float) and value in (0, 1) else value)


def _loose_date(value: Any) -> date | None:
    if value == "NaT":  # as pandas writes a date that a frame lacks
        return None
    try:  # frames in pandas are written with the time of day
        day = datetime.fromisoformat(value).date().isoformat() if isinstance(value, str) else value
    except ValueError:
        day = value
    return _date(day)


_LOOSE: dict[str, Callable[[Any], Any]] = {
    "number": _loose_number,
    "percent": _loose_number,
    "boolean": _loose_boolean,
    "date": _loose_date,
}
