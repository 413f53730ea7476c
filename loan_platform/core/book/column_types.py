"""How a value of each column type is read: one table per type, one line per reader.

A difference between two readers is a difference between two lines here. `test_column_types.py` holds each reader to
its lines.

| reader | reads |
| --- | --- |
| `file` | the text of raw files, by SQL |
| `json` | one application as JSON |
| `cell` | a CSV cell of a batch job, which then counts as the JSON value of the same spelling |
| `mlflow_json` | the JSON forms of MLflow's scoring protocol |
| `mlflow_cell` | a CSV cell of that protocol, which then counts as the JSON value that it becomes |
| `pandas` | a pandas frame that is passed to the logged MLflow model |

A frame with types, such as a Parquet file, may hold numbers of any numeric type. Other columns must have exactly
`ColumnType.dtype`.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

import polars as pl

Reader = Literal["file", "json", "cell", "mlflow_json", "mlflow_cell", "pandas"]

# White space, as `str.strip` and `str.split` cut it. DuckDB and Polars each cut another set unless they are given this.
BLANKS = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
EXACT = 2**53  # above it, a JSON number may stand for another whole number
FIRST_DATE, LAST_DATE = date(1900, 1, 1), date(2100, 12, 31)

JSON_NUMBER = r"^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$"
JSON_INTEGER = r"^-?(?:0|[1-9]\d*)$"
JSON_DATE = r"^\d{4}-\d{2}-\d{2}$"


@dataclass(frozen=True)
class ColumnType:
    """A column type: how it is named in messages, held in frames and described in JSON.

    Attributes:
        in_file: after "is not".
        in_json: after "must be".
        in_frame: after "must hold", for a whole column.
        dtype: Polars type of the values.
        json: JSON schema of a value.
        is_number: the contract may bound it.
    """

    in_file: str
    in_json: str
    in_frame: str
    dtype: type[pl.DataType]
    json: dict[str, Any]
    is_number: bool = False


_NUMBER = {"type": "number"}
_DATE = {"type": "string", "format": "date", "pattern": r"^(19[0-9]{2}|20[0-9]{2}|2100)-[0-9]{2}-[0-9]{2}$"}

COLUMN_TYPES: dict[str, ColumnType] = {
    "number": ColumnType("a number", "a number", "numbers", pl.Float64, _NUMBER, is_number=True),
    "percent": ColumnType("a percentage", "a number", "numbers", pl.Float64, _NUMBER, is_number=True),
    "integer": ColumnType(
        "an integer", "a whole number", "whole numbers", pl.Int64, {"type": "integer"}, is_number=True
    ),
    "boolean": ColumnType("a boolean", "true or false", "true or false", pl.Boolean, {"type": "boolean"}),
    "date": ColumnType("a date", "a date as in 2015-06-30", "dates (ISO 8601 in JSON)", pl.Date, _DATE),
    "text": ColumnType("a text", "a text", "text", pl.String, {"type": "string"}),
}
NUMBERS = frozenset(name for name, kind in COLUMN_TYPES.items() if kind.is_number)


@dataclass(frozen=True)
class NumberForm:
    """How a reader takes a number. Infinity is none, and NaN is missing where a frame holds it.

    Attributes:
        pattern: of a number written as text; empty: text is no number.
        pattern_comma: the same, in a column with a decimal comma.
        any_float: instead of a pattern, every text that Python's `float` takes.
        booleans: true and false count as 1 and 0.
        largest: size of a number above which it is rejected; None: any finite number.
    """

    pattern: str = ""
    pattern_comma: str = ""
    any_float: bool = False
    booleans: bool = False
    largest: float | None = None


# Thousands in groups of three, or as in India: 1,23,456.
_GROUPED = r"(?:\d{1,3}(?:,\d{3})+|\d{1,2}(?:,\d{2})+,\d{3}|\d+)(?:\.\d*)?"
_GROUPED_COMMA = r"(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d*)?"


def _formatted(number: str) -> str:
    """With signs, a dollar and a percent sign. Negative is also `(5)` and `5-`, as accounts write it."""
    money = rf"\$?\s*{number}\s*%?"
    return rf"^\s*(?:[-+]?\s*{money}|\(\s*{money}\s*\)|{money}\s*-)\s*$"


_FORMATTED = _formatted(_GROUPED)  # `12,5` and `1.234,56` are no such number
_FORMATTED_COMMA = _formatted(_GROUPED_COMMA)  # `12.5` is no such number
NEGATIVE = r"^\s*\(|-\s*$"  # of a text that `_formatted` describes

NUMBER_FORMS: dict[Reader, NumberForm] = {
    "file": NumberForm(_FORMATTED, _FORMATTED_COMMA),
    "json": NumberForm(largest=EXACT),
    "cell": NumberForm(JSON_NUMBER, largest=EXACT),
    "mlflow_json": NumberForm(booleans=True, largest=EXACT),
    "mlflow_cell": NumberForm(any_float=True),
    "pandas": NumberForm(),
}
# A whole number is written as any number: 36.0 is one, 36.5 is none.
INTEGER_FORMS: dict[Reader, NumberForm] = {
    "file": NumberForm(_FORMATTED, _FORMATTED_COMMA, largest=9e15),
    "json": NumberForm(largest=EXACT),
    "cell": NumberForm(JSON_NUMBER, largest=EXACT),
    "mlflow_json": NumberForm(largest=EXACT),
    "mlflow_cell": NumberForm(any_float=True),
    "pandas": NumberForm(),
}


@dataclass(frozen=True)
class BooleanForm:
    """How a reader takes true and false.

    Attributes:
        true, false: what stands for each. In JSON and pandas, 1 stands for 1.0 too.
        any_case: the case of a word does not matter.
        numbers: 1 and 0 stand for true and false.
    """

    true: tuple[str, ...] = ()
    false: tuple[str, ...] = ()
    any_case: bool = False
    numbers: bool = False


BOOLEAN_FORMS: dict[Reader, BooleanForm] = {
    "file": BooleanForm(("y", "yes", "true", "t", "1", "1.0"), ("n", "no", "false", "f", "0", "0.0"), any_case=True),
    "json": BooleanForm(),
    "cell": BooleanForm(("true",), ("false",), any_case=True),
    "mlflow_json": BooleanForm(numbers=True),
    "mlflow_cell": BooleanForm(("true", "True", "TRUE"), ("false", "False", "FALSE")),
    "pandas": BooleanForm(numbers=True),
}


@dataclass(frozen=True)
class DateForm:
    """How a reader takes a date.

    Attributes:
        formats: as in `strptime`; empty: ISO 8601, with or without a time of day, which is dropped.
        short_formats: with a year of two digits.
        bounded: from 1900 to 2100 only.
        missing: texts that stand for a missing date.
    """

    formats: tuple[str, ...] = ()
    short_formats: tuple[str, ...] = ()
    bounded: bool = True
    missing: frozenset[str] = field(default_factory=frozenset[str])


_FILE_DATES = (
    "%Y-%m-%d",
    "%b-%Y",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S.%fZ",
    "%Y/%m/%d",
    "%d-%b-%Y",
)
# `Jan-29` is 2029 and `Jan-30` is 1930: credit lines are old, loans are not in the future.
LAST_SHORT_YEAR = 2029

DATE_FORMS: dict[Reader, DateForm] = {
    "file": DateForm(_FILE_DATES, short_formats=("%d-%b-%y", "%b-%y")),
    "json": DateForm(("%Y-%m-%d",)),
    "cell": DateForm(("%Y-%m-%d",)),
    "mlflow_json": DateForm(missing=frozenset({"NaT"})),  # as pandas writes a missing date
    "mlflow_cell": DateForm(missing=frozenset({"NaT"})),
    "pandas": DateForm(bounded=False),
}


@dataclass(frozen=True)
class TextForm:
    """How a reader takes a text.

    Attributes:
        trimmed: white space around it (`BLANKS`) is removed.
        marks: a text that the contract lists as missing is missing.
        categories: a text must be one of the contract's categories; case and spacing do not matter.
    """

    trimmed: bool = True
    marks: bool = True
    categories: bool = True


TEXT_FORMS: dict[Reader, TextForm] = {
    "file": TextForm(),
    "json": TextForm(),
    "cell": TextForm(),
    "mlflow_json": TextForm(),
    "mlflow_cell": TextForm(),
    "pandas": TextForm(trimmed=False, marks=False, categories=False),
}


def trimmed(text: str) -> str:
    """A text without white space (`BLANKS`) around it."""
    return text.strip()


def spelling(category: str) -> str:
    """A category in lower case with single spaces: what two spellings of it share."""
    return " ".join(category.lower().split())
