import numpy as np
import polars as pl

from loan_platform.core.features.design_matrix import MAX_ROWS_IN_PYTHON, Design
from loan_platform.core.features.feature_set import FeatureSet
from loan_platform_tests.support.lending import contract, loans, odd_rows


def _design() -> tuple[Design, FeatureSet]:
    features, frame = FeatureSet(contract()), loans()
    return Design.learn(features.features, features.compute(frame), np.arange(frame.height)), features


def test_columns_are_numbers_then_sorted_levels():
    design, _ = _design()
    assert design.names == (
        *("amount", "income", "burden", "monthly_income", "inquiries", "history", "owner"),
        *("purpose=car", "purpose=debt", "purpose=home", "purpose=wedding"),
    )


def test_missing_values_that_were_seen_are_zero_or_nan():
    design, _ = _design()
    empty = dict.fromkeys(design.numbers, None)
    frame = pl.DataFrame(
        [{**empty, "amount": 3.0, "purpose": p} for p in ("home", "moon", None)],
        schema={**dict.fromkeys(empty, pl.Float64), "purpose": pl.String},
    )
    matrix = design.matrix(frame)
    assert matrix.dtype == np.float32
    assert matrix[[0, 2], -4:].tolist() == [[0, 0, 1, 0], [0] * 4]
    assert sorted(matrix[1, -4:].tolist()) == [0, 0, 0, 1]  # no loan was for the moon: another level stands in
    assert matrix[0, 0] == 3
    assert np.isnan(matrix[:, 1:7]).all()


def test_few_rows_and_bulk_give_the_same_matrix():
    design, features = _design()
    frame = features.compute(odd_rows())
    parts = [design.matrix(part) for part in frame.iter_slices(MAX_ROWS_IN_PYTHON)]
    assert np.array_equal(np.concatenate(parts), design.matrix(frame), equal_nan=True)


def test_rows_select_and_order():
    design, features = _design()
    frame, rows = features.compute(loans()), np.array([5, 3, 100])
    assert np.array_equal(design.matrix(frame, rows), design.matrix(frame)[rows], equal_nan=True)


def test_a_feature_that_never_varies_has_no_column():
    features = FeatureSet(contract())
    frame = features.compute(loans().with_columns(amount=pl.lit(5.0), owner=None))
    design = Design.learn(features.features, frame, np.arange(frame.height))
    assert not {"amount", "owner"} & set(design.names)
