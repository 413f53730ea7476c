import numpy as np
import pytest
from scipy import stats

from loan_platform.core.evaluation.auc_interval import auc_interval, auc_standard_error, paired_auc_interval

# Two tests of the same ten patients. Placements by hand:
# a: bad (5, 4, 3, 1) against good (4, 2, 2, 1, 0, 0); b: bad (5, 2, 3, 4) against the same order of good.
TARGET = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
A = np.array([5, 4, 3, 1, 4, 2, 2, 1, 0, 0])
B = np.array([5, 2, 3, 4, 1, 2, 2, 1, 0, 0])


def by_definition(score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    pairs = np.array([[(x > y) + (x == y) / 2 for y in score[TARGET == 0]] for x in score[TARGET == 1]])
    return pairs.mean(axis=1), pairs.mean(axis=0)


def test_the_interval_is_that_of_delong_on_the_logit_scale() -> None:
    bad, good = by_definition(A)
    area, error = bad.mean(), np.sqrt(bad.var(ddof=1) / 4 + good.var(ddof=1) / 6)
    assert area == pytest.approx(19 / 24)  # 6 + 5.5 + 5 + 2.5 of 24 pairs
    half = 1.959963984540054 * error / (area * (1 - area))
    found = auc_interval(TARGET, A)
    ends = 1 / (1 + np.exp(-(np.log(area / (1 - area)) + np.array([-half, half]))))
    assert (found.estimate, found.low, found.high) == pytest.approx((area, *ends))
    assert auc_standard_error(TARGET, A) == pytest.approx(error)


def test_the_paired_interval_knows_that_the_loans_are_the_same() -> None:
    (bad_a, good_a), (bad_b, good_b) = by_definition(A), by_definition(B)
    error = np.sqrt((bad_a - bad_b).var(ddof=1) / 4 + (good_a - good_b).var(ddof=1) / 6)
    found = paired_auc_interval(TARGET, A, B)
    gain = bad_a.mean() - bad_b.mean()
    half = 1.959963984540054 * error
    assert (found.estimate, found.low, found.high) == pytest.approx((gain, gain - half, gain + half))
    same = paired_auc_interval(TARGET, A, A)
    assert (same.estimate, same.low, same.high) == (0, 0, 0)


def test_an_auc_of_one_is_not_certain() -> None:
    found = auc_interval([1, 1, 1, 0, 0, 0, 0], [7, 6, 5, 4, 3, 2, 1])
    assert (found.estimate, found.high) == (1, 1)
    assert found.low == pytest.approx(stats.binomtest(3, 3).proportion_ci(0.95, "exact").low)
    mirrored = auc_interval([0, 0, 0, 1, 1, 1, 1], [7, 6, 5, 4, 3, 2, 1])
    assert (mirrored.low, mirrored.high) == pytest.approx((0, 1 - found.low))


def test_equal_scores_know_nothing() -> None:
    found = auc_interval([1, 0, 1, 0], [2, 2, 2, 2])
    assert (found.estimate, found.low, found.high) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("target", [[1, 0, 0], [0, 0, 0], [1, 1, 0]])
def test_one_loan_of_a_class_has_no_interval(target: list[int]) -> None:
    with pytest.raises(ValueError, match="an interval needs two loans of each class"):
        auc_interval(target, [1, 2, 3])


@pytest.mark.thorough
@pytest.mark.parametrize(("loans", "rate"), [(80, 0.2), (300, 0.1), (2_000, 0.05)])
def test_noise_is_above_chance_as_often_as_stated(loans: int, rate: float) -> None:
    rng = np.random.default_rng(11)
    y = np.arange(loans) < round(loans * rate)
    above = [auc_interval(y, rng.random(loans)).low > 0.5 for _ in range(2_000)]
    assert 0.01 <= np.mean(above) <= 0.045  # 2.5 % is meant


@pytest.mark.thorough
def test_intervals_hold_the_truth_as_often_as_stated() -> None:
    rng, y = np.random.default_rng(12), np.arange(400) < 60
    truth = stats.norm.cdf(1 / np.sqrt(2))
    held, paired = [], []
    for _ in range(2_000):
        signal = y + rng.normal(size=400)
        one, other = auc_interval(y, signal), y + rng.normal(size=400)
        held.append(one.low <= truth <= one.high)
        gain = paired_auc_interval(y, signal, other)
        paired.append(gain.low <= 0 <= gain.high)
    assert 0.935 <= np.mean(held) <= 0.965
    assert 0.935 <= np.mean(paired) <= 0.965
