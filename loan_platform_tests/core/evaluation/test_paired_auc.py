import numpy as np
import pytest

from loan_platform.core.evaluation.intervals import auc_interval
from loan_platform.core.evaluation.paired_auc import auc_standard_error, paired_auc_interval

# Two tests of the same ten patients. Placements by hand:
# a: bad (5, 4, 3, 1) against good (4, 2, 2, 1, 0, 0); b: bad (5, 2, 3, 4) against the same order of good.
TARGET = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
A = np.array([5, 4, 3, 1, 4, 2, 2, 1, 0, 0])
B = np.array([5, 2, 3, 4, 1, 2, 2, 1, 0, 0])


def by_definition(score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    pairs = np.array([[(x > y) + (x == y) / 2 for y in score[TARGET == 0]] for x in score[TARGET == 1]])
    return pairs.mean(axis=1), pairs.mean(axis=0)


def test_the_standard_error_is_that_of_delong() -> None:
    bad, good = by_definition(A)
    assert bad.mean() == pytest.approx(19 / 24)  # 6 + 5.5 + 5 + 2.5 of 24 pairs
    assert auc_standard_error(TARGET, A) == pytest.approx(np.sqrt(bad.var(ddof=1) / 4 + good.var(ddof=1) / 6))


def test_the_paired_interval_knows_that_the_loans_are_the_same() -> None:
    (bad_a, good_a), (bad_b, good_b) = by_definition(A), by_definition(B)
    error = np.sqrt((bad_a - bad_b).var(ddof=1) / 4 + (good_a - good_b).var(ddof=1) / 6)
    found = paired_auc_interval(TARGET, A, B)
    gain = bad_a.mean() - bad_b.mean()
    half = 1.959963984540054 * error
    assert (found.estimate, found.low, found.high) == pytest.approx((gain, gain - half, gain + half))
    same = paired_auc_interval(TARGET, A, A)
    assert (same.estimate, same.low, same.high) == (0, 0, 0)


@pytest.mark.parametrize("target", [[1, 0, 0], [0, 0, 0], [1, 1, 0]])
def test_one_loan_of_a_class_has_no_interval(target: list[int]) -> None:
    with pytest.raises(ValueError, match="an interval needs two loans of each class"):
        paired_auc_interval(target, [1, 2, 3], [3, 2, 1])


@pytest.mark.thorough
@pytest.mark.parametrize(("loans", "rate"), [(80, 0.2), (300, 0.1), (2_000, 0.05)])
def test_noise_is_above_chance_as_often_as_stated(loans: int, rate: float) -> None:
    rng = np.random.default_rng(11)
    y = np.arange(loans) < round(loans * rate)
    above = [auc_interval(y, rng.random(loans)).low > 0.5 for _ in range(2_000)]
    assert 0.005 <= np.mean(above) <= 0.045  # 2.5 % is meant


@pytest.mark.thorough
def test_intervals_hold_the_truth_as_often_as_stated() -> None:
    rng, y = np.random.default_rng(12), np.arange(400) < 60
    paired = []
    for _ in range(2_000):
        signal = y + rng.normal(size=400)
        other = y + rng.normal(size=400)
        gain = paired_auc_interval(y, signal, other)
        paired.append(gain.low <= 0 <= gain.high)
    assert 0.935 <= np.mean(paired) <= 0.965
