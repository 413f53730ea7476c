"""Single values of an application, as a JSON parser gives them: typed by the type of their column, or rejected."""

import re
from collections.abc import Callable
from datetime import date, datetime
from math import isfinite
from typing import Any, Literal, NamedTuple

from loan_platform.core.book.column_types import (
    BOOLEAN_FORMS,
    COLUMN_TYPES,
    DATE_FORMS,
    EXACT,
    FIRST_DATE,
    INTEGER_FORMS,
    JSON_DATE,
    LAST_DATE,
    NUMBER_FORMS,
    BooleanForm,
    DateForm,
    NumberForm,
)
from loan_platform.core.book.parts.columns import Column
from loan_platform.core.staging.keys import INEXACT_KEY, NO_KEY, NoKeyError, canonical_key

Parser = Callable[[Any], Any]

_ISO_DAY = re.compile(JSON_DATE.strip("^$"), re.ASCII)


class WrongValueError(Exception):
    """A value that a column cannot have: a code for programs, a sentence for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


def parsers(reader: Literal["json", "mlflow_json"]) -> dict[str, Parser]:
    """For each column type, what makes its value of a JSON value.

    A parser returns None for a missing value and raises `WrongValueError` for a wrong one.
    """
    number = _number_parser(NUMBER_FORMS[reader])
    return {
        "number": number,
        "percent": number,
        "integer": _integer_parser(INTEGER_FORMS[reader]),
        "boolean": _boolean_parser(BOOLEAN_FORMS[reader]),
        "date": _date_parser(DATE_FORMS[reader]),
        "text": _text,
    }


def exact_range(column: Column) -> tuple[float, float]:
    """Lowest and highest number of a column that no other whole number is rounded to."""
    largest = EXACT - 1  # one above EXACT may be rounded to it
    low = -largest if column.minimum is None else max(column.minimum, -largest)
    high = largest if column.maximum is None else min(column.maximum, largest)
    return low, high


class SimpleNumbers(NamedTuple):
    """Types and range of numbers that need no further check. This fast path takes a third of the time."""

    types: frozenset[type]
    low: float
    high: float


def simple_numbers(column: Column) -> SimpleNumbers:
    """The numbers that a column takes as they are."""
    types = {int} if column.type == "integer" else {int, float}
    return SimpleNumbers(frozenset(types), *exact_range(column))


def key_text(value: Any) -> str:
    """The key that a value stands for; empty if it is no text and no number.

    Raises:
        WrongValueError: it is a number with decimals, an exponent or separated thousands, or an inexact float.
    """
    if isinstance(value, str):
        try:
            return canonical_key(value)
        except NoKeyError:
            raise WrongValueError("wrong_type", NO_KEY) from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if isinstance(value, float) and not value.is_integer():
        raise WrongValueError("wrong_type", NO_KEY)
    if isinstance(value, float) and abs(value) >= EXACT:
        raise WrongValueError("wrong_type", INEXACT_KEY)
    return str(int(value))


def _wrong_type(kind: str) -> WrongValueError:
    return WrongValueError("wrong_type", f"must be {COLUMN_TYPES[kind].in_json}")


def _number_parser(form: NumberForm) -> Callable[[Any], float]:
    assert form.largest is not None  # JSON holds larger whole numbers inexactly
    booleans, largest = form.booleans, form.largest

    def number(value: Any) -> float:
        if isinstance(value, bool) and booleans:
            return float(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _wrong_type("number")
        if isinstance(value, int) and abs(value) > largest:
            raise WrongValueError("out_of_range", "must be at most 2^53 in size")
        if not isfinite(value):
            raise WrongValueError("wrong_type", "must be a finite number")
        return float(value) + 0.0  # zero has no sign

    return number


def _integer_parser(form: NumberForm) -> Callable[[Any], int]:
    number = _number_parser(form)

    def integer(value: Any) -> int:
        found = number(value)
        if found != int(found) or abs(found) > EXACT:
            raise _wrong_type("integer")
        return int(found)

    return integer


def _boolean_parser(form: BooleanForm) -> Callable[[Any], bool]:
    numbers = form.numbers

    def boolean(value: Any) -> bool:
        if isinstance(value, bool):
            return value
        if numbers and isinstance(value, int | float) and value in (0, 1):
            return bool(value)
        raise _wrong_type("boolean")

    return boolean


def _date_parser(form: DateForm) -> Callable[[Any], date | None]:
    def day(value: Any) -> date:
        try:
            if isinstance(value, str) and _ISO_DAY.fullmatch(value):
                found = date.fromisoformat(value)
                if FIRST_DATE <= found <= LAST_DATE:
                    return found
        except ValueError:
            pass
        raise _wrong_type("date")

    if form.formats:
        return day

    def day_of_time(value: Any) -> date | None:
        if not isinstance(value, str):
            raise _wrong_type("date")
        if value in form.missing:
            return None
        try:
            return day(datetime.fromisoformat(value).date().isoformat())
        except ValueError:
            raise _wrong_type("date") from None

    return day_of_time


def _text(value: Any) -> str:
    try:
        if isinstance(value, str):
            value.encode()  # JSON can hold half of a surrogate pair, which is no text
            return value
    except UnicodeEncodeError:
        pass
    raise _wrong_type("text")
