"""Every reader takes a value as the tables of `column_types` say."""

from typing import Any

import pandas as pd
import polars as pl
import pytest

from bento.http.bodies import csv_rows
from loan_platform.adapters.tracking.pandas_frames import FrameError, typed_frame
from loan_platform.core.applications.frame_reader import FrameReader
from loan_platform.core.applications.reader import ApplicationError, ApplicationReader
from loan_platform.core.book.column_types import (
    BOOLEAN_FORMS,
    COLUMN_TYPES,
    DATE_FORMS,
    EXACT,
    INTEGER_FORMS,
    NUMBER_FORMS,
    TEXT_FORMS,
    Reader,
)
from loan_platform_tests.support.bundles import scoring_model
from loan_platform_tests.support.small_books.one_column import staged, table_of

MODEL = scoring_model()
READER = ApplicationReader(MODEL)
COLUMNS = {"number": "income", "percent": "utilisation", "integer": "term", "boolean": "owner", "date": "opened",
           "text": "region"}  # fmt: skip
READERS: tuple[Reader, ...] = ("file", "json", "cell", "mlflow_json", "mlflow_cell", "pandas")
TEXT_READERS: tuple[Reader, ...] = ("file", "cell", "mlflow_cell")
REJECTED = "rejected"


def read(reader: Reader, kind: str, value: Any) -> Any:
    """What a reader makes of a value, or `REJECTED`."""
    name = COLUMNS[kind]
    row = {"income": 1.0} | {name: value}
    try:
        if reader == "file":
            found = staged(table_of(type=kind), [value])[0]
            return REJECTED if found == "unparseable" else found
        return _read_frame(reader, row)[name][0]
    except (ApplicationError, FrameError):
        return REJECTED


def _read_frame(reader: Reader, row: dict[str, Any]) -> pl.DataFrame:
    if reader == "json":
        return READER.read(row)
    if reader == "mlflow_json":
        return READER.read_many([row])
    if reader == "mlflow_cell":
        body = f"{','.join(row)}\n{','.join(map(str, row.values()))}\n".encode()
        return READER.read_many(csv_rows(body, READER.columns, READER.missing, 10))
    if reader == "pandas":
        frame = pd.DataFrame({column: pd.Series([cell], dtype=object) for column, cell in row.items()})
        return typed_frame(frame, list(MODEL.inputs))
    cells = {"row": [1]} | {column: [str(cell)] for column, cell in row.items()}
    found = FrameReader(READER).read(pl.DataFrame(cells), as_text=True)
    if found.rejected.height:
        raise ApplicationError([])
    return found.frame


@pytest.mark.parametrize("reader", TEXT_READERS)
def test_words_for_true_and_false(reader: Reader) -> None:
    words = {word for other in TEXT_READERS for word in (*BOOLEAN_FORMS[other].true, *BOOLEAN_FORMS[other].false)}
    form = BOOLEAN_FORMS[reader]
    for word in words | {word.title() for word in words}:
        shown = word.lower() if form.any_case else word
        expected = True if shown in form.true else False if shown in form.false else REJECTED
        assert read(reader, "boolean", word) == expected, word


@pytest.mark.parametrize("reader", ["json", "mlflow_json", "pandas"])
def test_numbers_as_booleans_and_booleans_as_numbers(reader: Reader) -> None:
    as_boolean = [True, False, REJECTED] if BOOLEAN_FORMS[reader].numbers else [REJECTED] * 3
    assert [read(reader, "boolean", value) for value in (1, 0.0, 2)] == as_boolean
    assert read(reader, "number", True) == (1.0 if NUMBER_FORMS[reader].booleans else REJECTED)
    assert read(reader, "integer", True) == (1 if INTEGER_FORMS[reader].booleans else REJECTED)


@pytest.mark.parametrize("reader", READERS)
def test_largest_numbers(reader: Reader) -> None:
    whole = 2**62
    for kind, forms in (("number", NUMBER_FORMS), ("integer", INTEGER_FORMS)):
        sent = str(whole) if reader == "file" else whole
        largest = forms[reader].largest
        if reader == "mlflow_cell":  # the cell becomes a JSON number, whose reader then decides
            largest = forms["mlflow_json"].largest if kind == "integer" else None
        expected = REJECTED if largest is not None and largest < whole else whole
        assert read(reader, kind, sent) == expected, kind
    assert whole > EXACT


@pytest.mark.parametrize("reader", READERS)
def test_dates_with_a_time_of_day_and_out_of_bounds(reader: Reader) -> None:
    form = DATE_FORMS[reader]
    takes_time = not form.formats or "%Y-%m-%dT%H:%M:%S" in form.formats
    found = read(reader, "date", "2015-06-30T10:00:00")
    assert (found == REJECTED) is not takes_time
    assert (read(reader, "date", "1850-06-30") == REJECTED) is form.bounded
    assert str(read(reader, "date", "2015-06-30")) == "2015-06-30"
    for word in form.missing:
        assert read(reader, "date", word) is None


@pytest.mark.parametrize("reader", READERS)
def test_spaces_and_missing_marks_of_texts(reader: Reader) -> None:
    form = TEXT_FORMS[reader]
    assert read(reader, "text", " north ") == ("north" if form.trimmed else " north ")
    assert (read(reader, "text", " NA ") is None) is form.marks
    allowed = table_of(type="text", allowed=("north", "south"))
    if reader == "file":
        assert staged(allowed, ["  NORTH", "west"]) == ["north", "unknown_category"]
        assert form.categories


@pytest.mark.parametrize("reader", ["cell", "mlflow_cell"])
def test_the_contract_lists_what_is_missing_in_a_cell(reader: Reader) -> None:
    for cell in ("", "NaN", "nan", " NA ", "None", "#N/A", "x"):
        for kind in COLUMN_TYPES:
            if kind in ("number", "text"):
                continue  # the income is required, and a text may be any of these words
            assert (read(reader, kind, cell) is None) is (cell != "x"), (kind, cell)
