from datetime import date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars import selectors

import loan_platform
from loan_platform.core.book.parts.columns import Column
from loan_platform.core.book.parts.features import Feature
from loan_platform.core.checking.contract_check import load_contract
from loan_platform.core.features.feature_set import FeatureError, FeatureSet
from loan_platform.core.features.undefined import LARGEST, undefined_at
from loan_platform_tests.support.lending import contract, odd_rows
from loan_platform_tests.support.random_loans import random_rows


def test_one_row_has_the_bits_of_the_bulk():
    features, frame = FeatureSet(contract(log="ln(amount)")), odd_rows()
    bulk = features.compute(frame)
    alone = pl.concat([features.compute(frame.slice(row, 1)) for row in range(frame.height)])
    assert alone.equals(bulk)


@pytest.mark.parametrize("rows", [2, 16, 17, 333])
def test_batch_size_changes_no_bit(rows: int):
    features, frame = FeatureSet(contract()), odd_rows()
    parts = [features.compute(part) for part in frame.iter_slices(rows)]
    assert pl.concat(parts).equals(features.compute(frame))


def test_a_repeated_value_has_the_bits_of_a_column():
    """Polars keeps a literal as a scalar, and divides it otherwise than a column."""
    features, frame = FeatureSet(contract()), odd_rows(50)
    for income in frame["income"].drop_nulls().to_list()[:20]:
        column = frame.with_columns(pl.Series("income", [income] * 50))
        assert features.compute(frame.with_columns(income=pl.lit(income))).equals(features.compute(column))


def test_numbers_are_float_and_categories_text():
    schema = FeatureSet(contract()).compute(odd_rows(5)).schema
    assert {name for name, dtype in schema.items() if dtype == pl.String} == {"purpose"}
    assert {dtype for name, dtype in schema.items() if name != "purpose"} == {pl.Float64()}


def test_a_result_that_is_not_finite_is_missing():
    frame = pl.DataFrame({"amount": [5.0, float("nan"), 0.0, 5.0], "income": [0.0, 1.0, 0.0, 2.0]})
    features = FeatureSet(contract())
    assert features.compute(frame)["burden"].to_list() == [None, None, None, 2.5]
    assert features.compute(frame.head(1))["burden"].to_list() == [None]


def test_absent_columns_are_missing_and_others_are_ignored():
    features = FeatureSet(contract()).compute(pl.DataFrame({"amount": [7, 8], "unknown": ["a", "b"]}))
    assert features["amount"].to_list() == [7.0, 8.0]
    assert features.columns == [*FeatureSet(contract()).names, "exposure"]
    assert features["exposure"].to_list() == [7.0, 8.0]
    assert features.drop("amount", "exposure").null_count().row(0) == (2,) * 7


def test_lazy_and_eager_frames_agree():
    features, frame = FeatureSet(contract()), odd_rows(100)
    assert features.compute(frame.lazy()).equals(features.compute(frame))


def test_no_rows_give_no_rows():
    assert FeatureSet(contract()).compute(odd_rows(5).clear()).height == 0


def test_pricing_is_left_out_unless_allowed():
    assert "rate" not in FeatureSet(contract()).names
    assert "rate" in FeatureSet(contract(), use_pricing=True).names


def test_a_category_made_of_an_integer_reads_as_an_integer():
    base = contract()
    grade = base.features[4].model_copy(update={"name": "grade", "kind": "category", "monotone": None})
    features = FeatureSet(base.model_copy(update={"features": (grade,)}))
    assert features.compute(pl.DataFrame({"inquiries": [2.0, None]}))["grade"].to_list() == ["2", None]
    with pytest.raises(FeatureError, match="'inquiries' is integer in the contract and holds fractions"):
        features.compute(pl.DataFrame({"inquiries": [2.5]}))


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("amount / AVG(amount)", "reads other rows"),
        ("RANK() OVER (ORDER BY amount)", "reads other rows"),
        ("no_such_function(amount)", "unsupported function"),
        ("purpose", "gives text, not a number"),
    ],
)
def test_a_feature_that_does_not_compile_is_named(sql: str, reason: str):
    with pytest.raises(FeatureError, match=f"(?s)feature 'bad'.*{reason}.*its SQL is"):
        FeatureSet(contract(bad=sql))


def test_text_in_place_of_a_number_is_rejected_without_its_value():
    with pytest.raises(FeatureError, match="'income' is number in the contract and holds String") as error:
        FeatureSet(contract()).compute(pl.DataFrame({"income": ["secret"]}))
    assert "secret" not in str(error.value)


def test_what_single_precision_cannot_hold_is_missing_or_an_end():
    frame = pl.DataFrame({"amount": [1e39, -1e39, 3e38, 1.0], "income": [1e-39, 1.0, 1.0, 1.0]})
    bulk = FeatureSet(contract()).compute(pl.concat([frame] * 10))
    assert bulk["amount"].head(4).to_list() == [None, None, 3e38, 1.0]
    assert bulk["burden"].head(4).to_list() == [LARGEST, -LARGEST, 3e38, 1.0]  # it has a direction
    alone = [FeatureSet(contract()).compute(row) for row in frame.iter_slices(1)]
    assert pl.concat(alone).equals(bulk.head(4))


def ratio(sql: str, **keys: str | None) -> Feature:
    return Feature.model_validate({"name": "ratio", "sql": sql, "description": "-", "reason": "-"} | keys)


def computed(feature: Feature, frame: pl.DataFrame) -> list[float | None]:
    """The feature in bulk, which must be the same alone."""
    features = FeatureSet(contract().model_copy(update={"features": (feature,)}))
    bulk = features.compute(pl.concat([frame] * 20)).head(frame.height)
    assert pl.concat([features.compute(row) for row in frame.iter_slices(1)]).equals(bulk)
    return bulk["ratio"].to_list()


@pytest.mark.parametrize(
    ("monotone", "when_undefined", "end"),
    [
        ("increasing", "highest_risk", LARGEST),
        ("increasing", "lowest_risk", -LARGEST),
        ("decreasing", "highest_risk", -LARGEST),
        ("decreasing", "lowest_risk", LARGEST),
        (None, "largest", LARGEST),
        (None, "smallest", -LARGEST),
        (None, "missing", None),
        ("increasing", None, None),
    ],
)
@pytest.mark.parametrize("divisor", ["income", "NULLIF(income, 0)"])
def test_a_known_zero_divisor_gives_the_stated_end(
    divisor: str, monotone: str | None, when_undefined: str | None, end: float | None
):
    feature = ratio(f"amount / {divisor}", monotone=monotone, when_undefined=when_undefined)
    frame = pl.DataFrame(
        {"amount": [5.0, 0.0, -5.0, None, 5.0, 5.0], "income": [0.0, 0.0, -0.0, 0.0, None, 2.0]},
    )
    assert computed(feature, frame) == [end, end, end, None, None, 2.5]


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("amount / COALESCE(NULLIF(income, 0), 1)", 2.0),
        ("COALESCE(amount / NULLIF(income, 0), 0)", 0.0),
        ("amount / (CASE WHEN NULLIF(income, 0) IS NULL THEN 1 ELSE income END)", 2.0),
        ("amount / (1 + NULLIF(income, 0))", None),
        ("GREATEST(amount / NULLIF(income, 0), 3)", 3.0),
        ("1 / (amount / NULLIF(income, 0))", None),
        ("CASE WHEN amount / NULLIF(income, 0) IS NULL THEN 7 ELSE 8 END", 7.0),
        ("EXP(-amount / NULLIF(income, 0))", None),
    ],
)
def test_a_guard_with_a_result_of_its_own_keeps_it(sql: str, value: float | None):
    frame = pl.DataFrame({"amount": [2.0], "income": [0.0]})
    assert computed(ratio(sql, when_undefined="largest"), frame) == [value]


@pytest.mark.parametrize(
    "sql",
    [
        "amount / (2 * NULLIF(income, 0))",
        "100 * (amount / -CAST(NULLIF(income, 0) AS DOUBLE) - 1) / amount",
        "ln(amount / NULLIF(income, 0))",
        "amount // NULLIF(income, 0)",
        "amount // income // 2",
        "amount % income",
    ],
)
def test_a_known_zero_in_a_divisor_is_the_stated_end(sql: str):
    frame = pl.DataFrame({"amount": [2.0], "income": [0.0]})
    assert computed(ratio(sql, when_undefined="largest"), frame) == [LARGEST]


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("amount // income", [None, -4.0, 2.0, None]),
        ("amount % income", [None, 1.5, 0.0, None]),
        ("CAST(amount / income AS INTEGER)", [None, -3.0, 2.0, None]),
        ("CAST(amount AS INTEGER)", [5.0, 7.0, None, None]),
        ("CAST(purpose AS DOUBLE)", [None, 1.5, None, None]),
    ],
)
def test_no_value_of_a_row_makes_a_feature_raise(sql: str, values: list[float | None]):
    frame = pl.DataFrame(
        {
            "amount": [5.0, 7.5, 1e300, None],
            "income": [0.0, -2.0, 5e299, 1.0],
            "purpose": ["car", "1.5", "", None],
        }
    )
    assert computed(ratio(sql), frame) == values


@pytest.mark.parametrize("rows", [1, 2, 20])
@pytest.mark.parametrize("sql", ["CASE WHEN 1 <= income THEN 1 ELSE 0 END", "NULLIF(0, income)", "COALESCE(0, income)"])
def test_a_missing_value_beside_a_literal_has_a_result(sql: str, rows: int):
    features = FeatureSet(contract().model_copy(update={"features": (ratio(sql),)}))
    for frame in (
        pl.DataFrame({"amount": [1.0], "income": [None]}),
        pl.DataFrame({"amount": [1.0]}),
    ):
        assert features.compute(pl.concat([frame] * rows))["ratio"].to_list() == [0.0] * rows


@pytest.mark.parametrize(
    ("sql", "kind", "value"),
    [("EXTRACT(MONTH FROM opened) * 30", "number", 360.0), ("EXTRACT(YEAR FROM opened)", "category", "1999")],
)
def test_parts_of_a_date_do_not_overflow(sql: str, kind: str, value: float | str):
    features = FeatureSet(contract().model_copy(update={"features": (ratio(sql, kind=kind),)}))
    assert features.compute(pl.DataFrame({"opened": [date(1999, 12, 31)]}))["ratio"].to_list() == [value]


def test_zero_has_no_sign():
    frame = pl.DataFrame({"amount": [0.0, -0.0, 0.0], "income": [-1.0, 2.0, 3.0]})
    assert [str(value) for value in computed(ratio("amount / income"), frame)] == ["0.0"] * 3


@pytest.mark.parametrize("book", ["lending_club", "credit_cards", "bank_customers", "retail_loans"])
def test_shipped_features_have_the_same_bits_alone(book: str):
    features = FeatureSet(load_contract(Path(loan_platform.__file__).parent / "defs" / book / "contract.yaml"))
    rows = random_rows(features.inputs, 150).with_columns(selectors.integer().clip(-2, 3))
    bulk = features.compute(rows)
    alone = pl.concat([features.compute(row) for row in rows.iter_slices(1)])
    numbers = selectors.float()
    assert alone.select(~numbers).equals(bulk.select(~numbers))
    one, all_ = (frame.select(numbers.fill_null(-1.5)).to_numpy().view(np.int64) for frame in (alone, bulk))
    assert np.array_equal(one, all_)


@pytest.mark.parametrize(
    ("sql", "minimum", "at"),
    [
        ("ln(income)", 0.0, {"income": 0.0}),
        ("ln(income)", 1.0, None),
        ("ln(income + 1)", 0.0, None),
        ("sqrt(income - 5)", None, {"income": 0.0}),
        ("power(income, -1)", 0.0, {"income": 0.0}),
        ("CASE WHEN income > 0 THEN ln(income) ELSE 0 END", 0.0, None),
    ],
)
def test_a_number_without_a_finite_result_is_found(sql: str, minimum: float | None, at: dict[str, float] | None):
    column = Column(name="income", type="number", description="Income.", minimum=minimum, maximum=100)
    feature = Feature(name="x", sql=sql, description="x", reason="x", monotone="decreasing")
    assert undefined_at(feature, {"income": column}) == at


@pytest.mark.parametrize(
    ("sql", "minimum", "maximum", "at"),
    [
        ("ln(0 - income)", -10.0, -1.0, None),
        ("ln(0 - income)", -10.0, 0.0, {"income": 0.0}),
        ("sqrt(0 - income)", -5.0, 0.0, None),
        ("ln(0 - income)", None, -1.0, None),
        ("ln(5 - income)", 2.0, None, None),
        ("ln(income)", -3.0, None, {"income": -3.0}),
    ],
)
def test_only_values_inside_the_range_are_tried(
    sql: str, minimum: float | None, maximum: float | None, at: dict[str, float] | None
):
    column = Column(name="income", type="number", description="Income.", minimum=minimum, maximum=maximum)
    feature = Feature(name="x", sql=sql, description="x", reason="x", monotone="decreasing")
    assert undefined_at(feature, {"income": column}) == at


def test_a_time_with_a_zone_is_the_day_of_its_own_clock():
    late = pl.Series([datetime(2021, 12, 31, 23, 30)]).dt.replace_time_zone("America/New_York")
    frame = odd_rows(1).with_columns(pl.lit(date(2021, 12, 31)).alias("opened"))
    features = FeatureSet(contract(year="EXTRACT(year FROM opened)"))
    assert features.compute(frame.with_columns(late.alias("opened"))).equals(features.compute(frame))
