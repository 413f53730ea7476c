"""Single values of an application, as a JSON parser gives them: typed by the kind of their column, or refused."""

import re
from collections.abc import Callable
from datetime import date, datetime
from math import isfinite
from typing import Any

from loan_platform.core.book.contract_parts import Column

EXACT = 2**53  # whole numbers above it are not exact in JSON
FIRST_DATE, LAST_DATE = date(1900, 1, 1), date(2100, 12, 31)  # as in files

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class WrongValueError(Exception):
    """A value that a column cannot have: a code for programs, a sentence for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


def exact_range(column: Column) -> tuple[float, float]:
    """The least and the greatest number that a column may have and that no other whole number is rounded to."""
    most = EXACT - 1  # one above EXACT may be rounded to it
    low = -most if column.minimum is None else max(column.minimum, -most)
    high = most if column.maximum is None else min(column.maximum, most)
    return low, high


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongValueError("wrong_type", "must be a number")
    if isinstance(value, int) and abs(value) > EXACT:
        raise WrongValueError("out_of_range", "must be at most 2^53 in size")
    if not isfinite(value):
        raise WrongValueError("wrong_type", "must be a finite number")
    return float(value)


def _integer(value: Any) -> int:
    number = _number(value)
    if number != int(number) or abs(number) > EXACT:
        raise WrongValueError("wrong_type", "must be a whole number")
    return int(number)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise WrongValueError("wrong_type", "must be true or false")
    return value


def _date(value: Any) -> date:
    try:
        if isinstance(value, str) and _DATE.fullmatch(value):
            found = date.fromisoformat(value)
            if FIRST_DATE <= found <= LAST_DATE:
                return found
    except ValueError:
        pass
    raise WrongValueError("wrong_type", "must be a date as in 2015-06-30")


def _text(value: Any) -> str:
    try:
        if isinstance(value, str):
            value.encode()  # JSON can write half of a pair of code units, which is no text
            return value
    except UnicodeEncodeError:
        pass
    raise WrongValueError("wrong_type", "must be a text")


# By the kind of a column: what it takes from callers.
STRICT: dict[str, Callable[[Any], Any]] = {
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


# Where a model of MLflow takes more than that.
LOOSE: dict[str, Callable[[Any], Any]] = {
    "number": _loose_number,
    "percent": _loose_number,
    "boolean": _loose_boolean,
    "date": _loose_date,
}
