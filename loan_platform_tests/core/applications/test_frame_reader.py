"""Many applications at once are accepted, typed and refused as each alone."""

import datetime as dt
import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loan_platform.core.applications.frame_reader import FrameReader
from loan_platform.core.applications.reader import ApplicationError, ApplicationReader
from loan_platform_tests.support.bundles import ranged_model, scoring_model

READER = ApplicationReader(ranged_model())
FRAMES = FrameReader(READER)
NAMES = ["loan_id", *[column.name for column in READER.columns.values() if column.name != "loan_id"]]
CELLS = st.sampled_from(
    ["", "1", "0", "-1", "36", "36.0", "36.5", "1e2", "1e400", "NaN", "inf", " 7", "07", "+7", "1_000", "0x1", "٣",
     "99999999", "true", "True", "FALSE", "yes", "2015-06-30", "2015-02-30", "1899-12-31", "2101-01-01", "15-06-30",
     "north", " North ", "Süd", "west", "N/A", "  ", "a,b", "9007199254740993", "1000000", "1000000.0000001",
     "100", "12", "72", "k" * 128, "k" * 129, f" {'k' * 128} ", "é" * 1_000, "é" * 1_001, "x" * 17_000]
)  # fmt: skip
VALUES = {
    "income": st.none() | st.floats() | st.sampled_from([0.0, 1e6, 5.5]),
    "term": st.none() | st.integers(-(2**63), 2**63 - 1) | st.sampled_from([12, 36, 72]),
    "owner": st.none() | st.booleans(),
    "opened": st.none() | st.dates(),
    "region": st.none() | CELLS,
}
TYPES: dict[str, Any] = {
    "income": pl.Float64, "term": pl.Int64, "owner": pl.Boolean, "opened": pl.Date, "region": pl.String,
}  # fmt: skip


def missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def alone(values: dict[str, Any]) -> list[Any] | set[tuple[str, ...]]:
    """The typed inputs of a row, or its issues."""
    try:
        return READER.inputs(values)
    except ApplicationError as error:
        return {(issue.path, issue.code, issue.detail) for issue in error.issues}


def held_against(raw: pl.DataFrame, as_text: bool, rows: list[dict[str, Any]]) -> None:
    read = FRAMES.read(raw, as_text)
    told = dict(zip(read.rows.to_list(), read.frame.rows(), strict=True))
    assert read.frame.schema == READER.schema
    for number, values in enumerate(rows, start=1):
        expected = alone(values)
        if isinstance(expected, set):
            issues = read.rejected.filter(pl.col("row") == number).drop("row").rows()
            assert number not in told, values
            assert set(issues) == expected
        else:
            assert told[number] == READER.frame([expected]).row(0), values
    assert len(told) + read.rejected["row"].n_unique() == raw.height


def of_text(name: str, cell: str) -> Any:
    """A cell as the value that a caller would send."""
    kind = READER.columns[name].type
    if kind == "boolean" and cell.lower() in ("true", "false"):
        return cell.lower() == "true"
    if kind in ("number", "percent", "integer"):
        import json

        try:
            value = json.loads(cell, parse_constant=str)
        except ValueError:
            return cell
        return (
            value if isinstance(value, int | float) and not isinstance(value, bool) and cell.strip() == cell else cell
        )
    return cell


@given(st.lists(st.fixed_dictionaries(dict.fromkeys(NAMES, CELLS)), min_size=1, max_size=20))
@settings(max_examples=150, deadline=None)
def test_cells_of_a_csv_are_read_as_each_row_alone(cells: list[dict[str, str]]) -> None:
    raw = pl.DataFrame(cells, schema=dict.fromkeys(NAMES, pl.String)).with_row_index("row", 1).cast({"row": pl.Int64})
    rows = [
        {name: of_text(name, cell) for name, cell in row.items() if cell.strip(" ") not in READER.missing}
        for row in cells
    ]
    held_against(raw, True, rows)


@given(st.lists(st.fixed_dictionaries(VALUES), min_size=1, max_size=20))
@settings(max_examples=150, deadline=None)
def test_typed_columns_are_read_as_each_row_alone(rows: list[dict[str, Any]]) -> None:
    raw = pl.DataFrame(rows, schema=TYPES).with_row_index("row", 1).cast({"row": pl.Int64})
    sent = [
        {n: v.isoformat() if isinstance(v, dt.date) else v for n, v in row.items() if not missing(v)} for row in rows
    ]
    held_against(raw, False, sent)


@pytest.mark.parametrize("numbers", [pl.Float32, pl.Float64, pl.Decimal(10, 2)])
def test_a_number_does_not_depend_on_its_row(numbers: Any) -> None:
    tenths = pl.Series([0.1, 0.1, -0.0]).cast(numbers)
    frame = pl.DataFrame({"row": [1, 2, 3], "income": tenths, "term": [36] * 3, "region": ["north", " NORTH", "north"]})
    read = FRAMES.read(frame, as_text=False)
    assert read.rejected.rows() == []
    assert [str(value) for value in read.frame["income"]] == ["0.1", "0.1", "0.0"]


@pytest.mark.parametrize("numbers", [pl.Float32, pl.Decimal(10, 2)])
def test_a_whole_number_of_any_numeric_type_is_an_integer(numbers: Any) -> None:
    frame = pl.DataFrame(
        {"row": [1, 2], "income": [5.5, 5.5], "region": ["north"] * 2, "term": pl.Series([36.0, 36.5]).cast(numbers)}
    )
    read = FRAMES.read(frame, as_text=False)
    assert read.rows.to_list() == [1]
    assert read.frame["term"].to_list() == [36.0]
    assert read.rejected.rows() == [(2, "term", "wrong_type", "must be a whole number")]


def test_columns_of_another_type_refuse_their_rows() -> None:
    raw = pl.DataFrame({"row": [1, 2], "income": ["5", None], "term": [36, 36], "region": ["north", "north"]})
    read = FRAMES.read(raw, as_text=False)
    assert read.rejected.rows() == [
        (1, "income", "wrong_type", "must be a number"),
        (2, "income", "required", "is required"),
    ]
    assert read.rows.to_list() == []


def test_an_unknown_column_is_named_with_the_closest_one() -> None:
    FRAMES.check_columns(["income", "term"])
    with pytest.raises(ApplicationError, match=r"incme: is not a field .* Did you mean 'income'") as refused:
        FRAMES.check_columns(["incme", "term"])
    assert [issue.path for issue in refused.value.issues if issue.code == "unknown_field"] == ["incme"]


@pytest.mark.parametrize("cell", ["9007199254740993", "-9007199254740993", "9007199254740992", "1\n"])
def test_numbers_at_the_edge_of_exactness_are_read_as_one_row_is(cell: str) -> None:
    reader = ApplicationReader(scoring_model())
    frames, whole = FrameReader(reader), int(cell)
    sent: list[tuple[pl.DataFrame, bool, Any]] = [(pl.DataFrame({"row": [1], "income": [cell]}), True, whole)]
    if cell.endswith("\n"):
        sent = [(sent[0][0], True, cell)]
    else:
        sent.append((pl.DataFrame({"row": [1], "income": [whole]}), False, whole))
    for raw, as_text, value in sent:
        try:
            expected = reader.inputs({"income": value}) is not None
        except ApplicationError:
            expected = False
        assert (frames.read(raw, as_text).frame.height == 1) is expected
