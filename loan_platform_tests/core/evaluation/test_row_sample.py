"""A sample of rows that no period of a file can bias."""

import numpy as np
import polars as pl
import pytest

from loan_platform.core.drafting.judging.statistics import MAX_ROWS, statistics
from loan_platform.core.evaluation.row_sample import sampled_rows


@pytest.mark.parametrize("rows", [0, 1, 9, 10, 11, 19, 21, 1000, 1009])
def test_one_row_of_each_group_is_taken(rows: int) -> None:
    found = sampled_rows(rows, 10)
    every = max(1, -(-rows // 10))
    assert len(found) <= 10
    assert len(found) >= rows // every
    assert (found // every == np.arange(len(found))).all()
    assert (found < rows).all()
    if rows <= 10:
        assert found.tolist() == list(range(rows))


@pytest.mark.parametrize("period", [2, 3, 4, 7, 10, 12, 100])
def test_no_period_of_the_file_biases_it(period: int) -> None:
    for every in (2, 3, 7, 12):
        places = sampled_rows(every * 5000, 5000) % period
        shares = np.bincount(places, minlength=period) / len(places)
        assert abs(shares * period - 1).max() < 0.1


def test_a_column_of_alternating_outcomes_is_judged() -> None:
    target = pl.Series([1, 0] * (MAX_ROWS // 2 + 1))
    found = statistics((target * 3).cast(pl.Float64), target)
    assert (found.auc, found.rises) == (1.0, True)
