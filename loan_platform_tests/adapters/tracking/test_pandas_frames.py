import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from loan_platform.adapters.tracking.pandas_frames import FrameError, reject_invalid, typed_frame
from loan_platform_tests.support.bundles import every_type
from loan_platform_tests.support.service.club import APPLICATION, club_model

COLUMNS = every_type().columns[1:]


def test_columns_are_typed_and_absent_optional_ones_are_missing() -> None:
    typed = typed_frame(pd.DataFrame({"income": [1000]}), COLUMNS)
    assert typed.schema == {
        "income": pl.Float64,
        "utilisation": pl.Float64,
        "term": pl.Int64,
        "owner": pl.Boolean,
        "opened": pl.Date,
        "region": pl.String,
    }
    assert typed.row(0) == (1000.0, None, None, None, None, None)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("utilisation", [1, 2.5, None, np.nan, pd.NA], [1.0, 2.5, None, None, None]),
        ("utilisation", pd.array([1, None], dtype="Int64"), [1.0, None]),
        ("term", [36.0, np.nan, np.int32(60)], [36, None, 60]),
        ("owner", [True, None, np.bool_(False), 1.0], [True, None, False, True]),
        (
            "opened",
            ["2015-03-01", None, "2015-03-01T10:00:00"],
            [dt.date(2015, 3, 1), None, dt.date(2015, 3, 1)],
        ),
        ("opened", pd.to_datetime(["2015-03-01", None]), [dt.date(2015, 3, 1), None]),
        ("opened", [dt.date(2015, 3, 1), pd.NaT], [dt.date(2015, 3, 1), None]),
        ("region", pd.Categorical(["north", None]), ["north", None]),
        ("region", ["", "None"], ["", "None"]),
    ],
)
def test_values_keep_their_meaning(name: str, values: Any, expected: list[Any]) -> None:
    frame = pd.DataFrame({"income": [1.0] * len(expected), name: values})
    assert typed_frame(frame, COLUMNS)[name].to_list() == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("income", "4711", "numbers"),
        ("income", True, "numbers"),
        ("income", float("inf"), "numbers"),
        ("term", 36.5, "whole numbers"),
        ("term", "36", "whole numbers"),
        ("owner", "yes", "true or false"),
        ("owner", 2, "true or false"),
        ("opened", "01.03.2015", "dates"),
        ("opened", "2015-02-30", "dates"),
        ("opened", 20150301, "dates"),
        ("region", 7, "text"),
    ],
)
def test_another_type_is_refused_by_column_without_the_value(name: str, value: Any, expected: str) -> None:
    frame = pd.DataFrame({"income": [1.0, 1.0]}).assign(**{name: pd.Series([None, value], dtype=object)})
    with pytest.raises(FrameError, match=f"column '{name}' must hold {expected}") as refused:
        typed_frame(frame, COLUMNS)
    assert str(value) not in str(refused.value)


def test_absent_required_and_repeated_columns_are_named() -> None:
    with pytest.raises(FrameError, match="missing required columns: income"):
        typed_frame(pd.DataFrame({"term": [36]}), COLUMNS)
    with pytest.raises(FrameError, match="'income' occurs more than once"):
        typed_frame(pd.DataFrame([[1.0, 2.0]], columns=pd.Index(["income", "income"])), COLUMNS)


def test_a_large_frame_is_typed_fast_and_keeps_every_row() -> None:
    frame = pd.DataFrame({"income": np.arange(300_000, dtype="int64"), "utilisation": np.nan})
    typed = typed_frame(frame, COLUMNS)
    assert typed["income"].sum() == sum(range(300_000))
    assert typed["utilisation"].null_count() == 300_000


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, None),
        ({"annual_inc": -5.0}, "column 'annual_inc' has values out of the range"),
        ({"open_acc": 30}, "a row breaks the rule open_accounts_among_all: there are more open credit lines"),
    ],
)
def test_rows_that_the_contract_does_not_accept_are_refused(change: dict[str, Any], told: str | None) -> None:
    model = club_model()
    frame = typed_frame(pd.DataFrame([APPLICATION, {**APPLICATION, **change}]), model.inputs)
    if told is None:
        reject_invalid(frame, model)
        return
    with pytest.raises(FrameError, match=told):
        reject_invalid(frame, model)
