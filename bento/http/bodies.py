"""Bodies of requests: JSON read strictly, and the forms of MLflow's scoring protocol."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, cast

from bento.http.nesting import DEEPEST, is_deeper
from bento.http.problems import HttpError
from loan_platform.core.book.column_types import BOOLEAN_FORMS, MISSING_CELLS, NUMBERS
from loan_platform.core.book.contract_parts import Column
from loan_platform.core.errors import Issue

Row = dict[str, Any]
FORMS = ("dataframe_split", "dataframe_records", "inputs", "instances")


def json_object(body: bytes, nan_is_missing: bool = False) -> Row:
    """The JSON object of a body.

    Args:
        body: as it came.
        nan_is_missing: read NaN, which JSON does not have, as null.

    Raises:
        HttpError: 400 where it is no JSON, 422 where it is no object, nested too deep, or has a field twice.
    """
    if is_deeper(body):
        raise HttpError(422, "too_deep", f"The body is nested deeper than {DEEPEST} levels.")
    constant = _missing_or_none if nan_is_missing else _no_constant
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=constant)
    except UnicodeDecodeError:
        raise HttpError(400, "malformed_json", "The body is not UTF-8.") from None
    except (ValueError, RecursionError) as error:
        at = f" at line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise HttpError(400, "malformed_json", f"The body is not JSON{at}.") from None
    if not isinstance(value, dict):
        raise HttpError(422, "not_an_object", "The body is one JSON object, with a field for each column.")
    return cast("Row", value)


def scoring_rows(body: bytes, most: int) -> list[Row]:
    """The rows of a request in MLflow's scoring protocol.

    Raises:
        HttpError: 400 or 422.
    """
    value = json_object(body, nan_is_missing=True)  # as MLflow's own client writes what a frame lacks
    forms = [form for form in FORMS if form in value]
    if len(forms) != 1:
        raise HttpError(422, "unknown_form", f"Send exactly one of {', '.join(FORMS)}.")
    rows = _rows(forms[0], value[forms[0]])
    if rows is None:
        raise HttpError(422, "unknown_form", f"{forms[0]} is not of the form that MLflow documents.")
    return _at_most(most, rows)


def csv_rows(body: bytes, columns: Mapping[str, Column], most: int) -> list[Row]:
    """The rows of a request as CSV, with a header; what is not of the column's type stays text.

    Raises:
        HttpError: 400 where it is no CSV, 413, or 422 where a name is there twice or a row has another length.
    """
    try:
        header, *lines = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
    except (UnicodeDecodeError, csv.Error, ValueError):
        raise HttpError(400, "malformed_csv", "The body is not CSV in UTF-8 with a header.") from None
    rows = [line for line in lines if line]
    if not _is_names(header) or not all(_is_row(row, len(header)) for row in rows):
        raise HttpError(422, "unknown_form", "Each row has a cell for each name in the header, and no name is twice.")
    types = [columns[name].type if name in columns else "text" for name in header]
    return _at_most(
        most, [{n: _cell(kind, cell) for n, kind, cell in zip(header, types, row, strict=True)} for row in rows]
    )


def _cell(kind: str, cell: str) -> Any:
    if cell in MISSING_CELLS["mlflow_cell"]:
        return None
    if kind == "boolean":
        form = BOOLEAN_FORMS["mlflow_cell"]
        return True if cell in form.true else False if cell in form.false else cell
    if kind not in NUMBERS:
        return cell
    try:
        return float(cell)
    except ValueError:
        return cell


def _at_most(most: int, rows: list[Row]) -> list[Row]:
    if len(rows) > most:
        raise HttpError(413, "too_many_rows", f"One request may have {most:,} rows.")
    return rows


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


def _unique(pairs: Sequence[tuple[str, Any]]) -> Row:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))
        shown = "".join(letter if letter.isprintable() else "?" for letter in twice[:64])
        issue = Issue(shown, "is there twice", code="duplicate_field")
        raise HttpError(422, "duplicate_field", "A field is there twice.", (issue,))
    return value


def _no_constant(name: str) -> NoReturn:
    raise HttpError(422, "not_finite", f"{name} is not a number of JSON.")


def _missing_or_none(name: str) -> None:
    if name != "NaN":
        _no_constant(name)
