from functools import reduce
from operator import add

import numpy as np

from loan_platform.core.models.portable import exp, sigmoid, softplus, sum_columns


def test_exp_agrees_with_numpy_to_two_units_in_the_last_place():
    x = np.random.default_rng(0).normal(0, 50, 100_000)
    assert np.abs(exp(x) / np.exp(x) - 1).max() < 5e-16


def test_sigmoid_at_its_ends():
    assert sigmoid(np.array([0.0])).tolist() == [0.5]
    low, high = sigmoid(np.array([-1e6, 1e6]))
    assert 0 < low < 1e-300
    assert high == 1


def test_softplus_agrees_with_numpy_and_has_no_limits():
    x = np.concatenate((np.random.default_rng(0).normal(0, 5, 100_000), [-600.0, -40.0, 0.0, 40.0, 1e6]))
    assert np.abs(softplus(x) / np.logaddexp(0, x) - 1).max() < 2e-15
    assert np.array_equal(softplus(x[7:8]), softplus(x)[7:8])


def test_sum_columns_adds_from_left_to_right():
    terms = np.random.default_rng(0).normal(size=(500, 37))
    expected = [reduce(add, row) for row in terms.tolist()]  # sum() compensates from Python 3.12 on
    assert sum_columns(terms).tolist() == expected
    assert sum_columns(terms[3:4]).tolist() == expected[3:4]
    assert sum_columns(np.zeros((4, 0))).tolist() == [0.0] * 4


def test_few_values_have_the_bits_of_many():
    drawn = np.random.default_rng(1).normal(0, 30, 20_000)
    ends = [0.0, -0.0, 5e-324, -5e-324, 1e-300, 700.0, -700.0, 701.0, -1e300, np.inf, -np.inf, np.nan, 0.5, -0.5]
    x = np.concatenate((drawn, ends))
    for function in (exp, sigmoid, softplus):
        with np.errstate(invalid="ignore"):
            many = function(x)
        few = np.concatenate([function(x[at : at + 7]) for at in range(0, len(x), 7)])
        assert np.array_equal(few.view(np.uint64)[:-3], many.view(np.uint64)[:-3])
        assert np.array_equal(few, many, equal_nan=True)
