"""Request bodies: strict JSON, and the forms of MLflow's scoring protocol."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, NoReturn, cast

from bento.http.nesting import MAX_DEPTH, is_deeper
from bento.http.problems import HttpError
from loan_platform.core.book.column_types import BOOLEAN_FORMS, NUMBERS, trimmed
from loan_platform.core.book.parts.columns import Column
from loan_platform.core.errors import Issue

Row = dict[str, Any]
MAX_VALUES = 500_000  # of one body: 8 MB of [] would take 500 MB of memory as Python's lists
_BY_NAME = "must be a list of objects, or an object with one list per column, all of the same length"
FORMS = {
    "dataframe_split": "must be an object with unique names in columns, and one value for each in the rows of data",
    "dataframe_records": "must be a list of objects",
    "inputs": f"{_BY_NAME}. Rows need column names",
    "instances": f"{_BY_NAME}. Rows need column names",
}


def json_object(body: bytes, nan_is_missing: bool = False) -> Row:
    """The JSON object of a body.

    Args:
        body: its bytes.
        nan_is_missing: read NaN, which is not valid JSON, as null.

    Raises:
        HttpError: 400 if it is not JSON. 422 if it is not an object, is nested too deep, or repeats a field.
    """
    value = json_value(body, nan_is_missing)
    if not isinstance(value, dict):
        raise HttpError(422, "not_an_object", "The body must be one JSON object with a field for each column.")
    return cast("Row", value)


def json_value(body: bytes, nan_is_missing: bool = False) -> Any:
    """The JSON value of a body in UTF-8. A byte order mark before it is skipped.

    Args:
        body: its bytes.
        nan_is_missing: read NaN, which is not valid JSON, as null.

    Raises:
        HttpError: 400 if it is not JSON, 413 if it has too many values, 422 if it is nested too deep or an object
            repeats a field.
    """
    _check_values(body, b",[{", "commas and brackets")
    if is_deeper(body):
        raise HttpError(422, "too_deep", f"The body is nested deeper than {MAX_DEPTH} levels.")
    constant = _nan_as_null if nan_is_missing else _reject_constant
    try:
        return json.loads(body.decode("utf-8-sig"), object_pairs_hook=_object, parse_constant=constant)
    except UnicodeDecodeError:
        raise HttpError(400, "malformed_json", "The body is not UTF-8.") from None
    except (ValueError, RecursionError) as error:
        at = f" at line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise HttpError(400, "malformed_json", f"The body is not JSON{at}.") from None


def scoring_rows(body: bytes, max_rows: int) -> list[Row]:
    """The rows of a request in MLflow's scoring protocol.

    Raises:
        HttpError: 400 or 422.
    """
    value = json_object(body, nan_is_missing=True)  # MLflow's client writes missing values as NaN
    forms = [form for form in FORMS if form in value]
    if len(forms) != 1:
        raise HttpError(422, "unknown_form", f"Send exactly one of {', '.join(FORMS)}.")
    rows = _rows(forms[0], value[forms[0]])
    if rows is None:
        raise HttpError(422, "unknown_form", f"{forms[0]} {FORMS[forms[0]]}.")
    _check_count(rows, max_rows)
    return rows


def csv_rows(body: bytes, columns: Mapping[str, Column], missing: frozenset[str], max_rows: int) -> list[Row]:
    """The rows of a CSV request with a header. A cell that is not of the column's type stays text.

    Args:
        body: UTF-8 CSV.
        columns: of an application.
        missing: texts that mean a missing value.
        max_rows: that one request may have.

    Raises:
        HttpError: 400 if it is not CSV, 413 if it has too many rows or values, 422 if a column or a cell is missing or
            repeated.
    """
    _check_values(body, b",\n\r", "commas and lines")
    try:
        lines = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        header = next(lines)
        rows = list(islice(filter(None, lines), max_rows + 1))
    except (UnicodeDecodeError, csv.Error, ValueError, StopIteration):
        raise HttpError(400, "malformed_csv", "The body is not UTF-8 CSV with a header.") from None
    _check_count(rows, max_rows)
    if not _is_names(header) or not all(_is_row(row, len(header)) for row in rows):
        raise HttpError(
            422, "unknown_form", "The names in the header must be unique, and each row needs one cell for each name."
        )
    types = [columns[name].type if name in columns else "text" for name in header]
    return [
        {
            n: None if trimmed(cell) in missing else _cell(kind, cell)
            for n, kind, cell in zip(header, types, row, strict=True)
        }
        for row in rows
    ]


def _cell(kind: str, cell: str) -> Any:
    if kind == "boolean":
        form = BOOLEAN_FORMS["mlflow_cell"]
        return True if cell in form.true else False if cell in form.false else cell
    if kind not in NUMBERS:
        return cell
    try:
        return float(cell)
    except ValueError:
        return cell


def _check_values(body: bytes, signs: bytes, what: str) -> None:
    """Check how many values a body can have, before they are made: the parsers keep other threads waiting."""
    if sum(body.count(sign) for sign in signs) > MAX_VALUES:
        detail = f"The body has more than {MAX_VALUES:,} {what}. Send fewer rows at a time."
        raise HttpError(413, "too_large", detail)


def _check_count(rows: Sequence[Any], max_rows: int) -> None:
    if len(rows) > max_rows:
        raise HttpError(413, "too_many_rows", f"The limit of one request is {max_rows:,} rows.")


def _rows(form: str, value: Any) -> list[Row] | None:
    if form == "dataframe_split" and isinstance(value, dict):
        value = cast("Row", value)
        columns, data = value.get("columns"), value.get("data")
        if _is_names(columns) and isinstance(data, list) and all(_is_row(row, len(columns)) for row in data):
            return [dict(zip(columns, row, strict=True)) for row in data]
    if isinstance(value, list) and all(isinstance(row, dict) for row in cast("list[Any]", value)):
        return cast("list[Row]", value)
    if form in {"inputs", "instances"} and isinstance(value, dict):
        return _from_columns(cast("Row", value))
    return None


def _from_columns(value: Row) -> list[Row] | None:
    columns = {name: column if isinstance(column, list) else [column] for name, column in value.items()}
    if len({len(column) for column in columns.values()}) != 1:
        return None
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _is_names(value: Any) -> bool:
    if not isinstance(value, list):
        return False
    names = cast("list[Any]", value)
    return all(isinstance(name, str) for name in names) and len(set(names)) == len(names)


def _is_row(value: Any, width: int) -> bool:
    return isinstance(value, list) and len(cast("list[Any]", value)) == width


def _object(pairs: Sequence[tuple[str, Any]]) -> Row:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        repeated = next(name for name, _ in pairs if name in seen or seen.add(name))
        printable = "".join(letter if letter.isprintable() else "?" for letter in repeated[:64])
        issue = Issue(printable, "appears twice", code="duplicate_field")
        raise HttpError(422, "duplicate_field", "A field appears twice.", (issue,))
    return value


def _reject_constant(name: str) -> NoReturn:
    raise HttpError(422, "not_finite", f"{name} is not a JSON number.")


def _nan_as_null(name: str) -> None:
    if name != "NaN":
        _reject_constant(name)
