from collections.abc import Callable

import numpy as np
import pytest

from loan_platform.core.evaluation.bootstrap import Interval
from loan_platform.core.evaluation.intervals import (
    Counts,
    auc_interval,
    auc_interval_of_counts,
    difference,
    ece_interval,
    intervals,
    ks_interval,
)
from loan_platform.core.evaluation.metrics import auc, ece, evaluate, ks

Loans = tuple[np.ndarray, np.ndarray]
NAMES = ("auc", "gini", "ks", "brier", "log_loss", "ece")
INTERCEPTS = {0.05: -3.372, 0.2: -1.632}  # of default rates of 5 and 20 %, with a standard normal risk


def draw(rows: int, rate: float, rng: np.random.Generator, ranks: bool = True) -> Loans:
    """Loans with the probabilities of a calibrated model, or of one without any ranking."""
    p = 1 / (1 + np.exp(-INTERCEPTS[rate] - rng.normal(size=rows)))
    return (rng.random(rows) < (p if ranks else rate)).astype(float), p


def test_every_interval_contains_its_estimate() -> None:
    for seed in range(30):
        y, p = draw(300, 0.05, np.random.default_rng(seed))
        found = intervals(y, p)
        assert set(found) == set(NAMES)
        for name, interval in found.items():
            assert interval.estimate == pytest.approx(getattr(evaluate(y, p), name))
            assert interval.low <= interval.estimate < interval.high


@pytest.mark.parametrize("defaults", [1, 2, 5])
def test_a_few_defaults_have_wide_finite_intervals(defaults: int) -> None:
    p = np.random.default_rng(1).random(300)
    y = np.zeros(300)
    y[:defaults] = 1
    for name, interval in intervals(y, p).items():
        assert np.isfinite([interval.low, interval.high]).all(), name
    area = auc_interval(y, p)
    assert area.high - area.low > 0.4
    assert 0 <= area.low < area.high <= 1


def test_a_perfect_ranking_of_few_loans_is_not_certain() -> None:
    perfect = auc_interval_of_counts(1.0, Counts(5, 50))
    assert perfect.high == 1
    assert 0.6 < perfect.low < 0.95
    reversed_ = auc_interval_of_counts(0.0, Counts(5, 50))
    assert (reversed_.low, reversed_.high) == pytest.approx((0, 1 - perfect.low), abs=1e-9)


@pytest.mark.parametrize("area", [1 - 1e-8, 1 - 1e-11, 1e-8])
def test_a_nearly_perfect_area_has_an_interval(area: float) -> None:
    found = auc_interval_of_counts(area, Counts(2_000, 100_000))
    assert 0 <= found.low <= area <= found.high <= 1
    assert found.high - found.low < 0.001


def test_the_auc_interval_by_hand() -> None:
    # an AUC of 0.5 has the variance (m + n + 1) / (12 m n) of Mann and Whitney
    edge = 0.5 + 1.959964 * (101 / (12 * 20 * 80)) ** 0.5
    assert auc_interval_of_counts(edge, Counts(20, 80)).low == pytest.approx(0.5, abs=1e-6)
    assert auc_interval_of_counts(1 - edge, Counts(80, 20)).high == pytest.approx(0.5, abs=1e-6)


def test_ks_and_ece_by_hand() -> None:
    y, p = draw(3_000, 0.2, np.random.default_rng(1))
    scale = (1 / y.sum() + 1 / (3_000 - y.sum())) ** 0.5
    assert ks_interval(y, p).low == pytest.approx(ks(y, p) - 1.3581 * scale, abs=1e-5)
    assert ks_interval(y, p).high == pytest.approx(ks(y, p) + 0.98 * scale, abs=1e-4)
    assert ece_interval(y, p).low == 0  # calibrated
    off = ece_interval(y, np.minimum(p * 1.8, 1))
    assert 0.08 < off.low < ece(y, np.minimum(p * 1.8, 1)) < off.high < 0.2


def test_a_difference_by_hand() -> None:
    found = difference(Interval(0.30, 0.20, 0.38), Interval(0.40, 0.36, 0.46), share=0.5)
    assert found.estimate == pytest.approx(0.10)
    assert found.low == pytest.approx(0.10 - (0.10**2 + 0.03**2) ** 0.5)
    assert found.high == pytest.approx(0.10 + (0.08**2 + 0.02**2) ** 0.5)


def _covered(
    interval: Callable[..., Interval], truth: float, rows: int, rate: float, ranks: bool, samples: int
) -> float:
    rng = np.random.default_rng(rows)
    found = [interval(*draw(rows, rate, rng, ranks)) for _ in range(samples)]
    return float(np.mean([one.low <= truth <= one.high for one in found]))


@pytest.mark.thorough
@pytest.mark.parametrize("ranks", [True, False])
@pytest.mark.parametrize("rate", [0.05, 0.2])
@pytest.mark.parametrize("rows", [300, 3_000])
def test_intervals_cover_the_truth(rows: int, rate: float, ranks: bool) -> None:
    """Of 1,000 samples 93.5 % at least: 95 % less two standard errors. KS and ECE err on the safe side."""
    y, p = draw(2_000_000, rate, np.random.default_rng(9), ranks)
    covered = {
        "auc": _covered(auc_interval, auc(y, p), rows, rate, ranks, 1_000),
        "ks": _covered(ks_interval, ks(y, p), rows, rate, ranks, 1_000),
        "ece": _covered(ece_interval, 0.0 if ranks else ece(y, p), rows, rate, ranks, 1_000),
    }
    assert min(covered.values()) >= 0.935, covered
    assert covered["auc"] <= 0.98


@pytest.mark.parametrize(("defaults", "repaid"), [(2_000, 100_000), (4_000, 46_000), (1_000, 9_000), (1, 10**13)])
def test_one_pair_from_a_perfect_ranking_has_an_interval(defaults: int, repaid: int) -> None:
    wrong = 1 / (defaults * repaid)
    high = auc_interval_of_counts(1 - wrong, Counts(defaults, repaid))
    assert 0.0 < high.low < high.estimate <= high.high
    low = auc_interval_of_counts(wrong, Counts(defaults, repaid))
    assert low.low <= low.estimate < low.high
    assert (low.low, low.high) == pytest.approx((1 - high.high, 1 - high.low), abs=1e-9)


def test_a_nearly_perfect_leak_has_an_auc() -> None:
    y = np.repeat([1.0, 0.0], [2_000, 100_000])
    score = np.arange(len(y), 0.0, -1.0)
    score[[1_999, 2_000]] = score[[2_000, 1_999]]
    found, mirror = auc_interval(y, score), auc_interval(y, -score)
    assert 0.999 < found.low < found.estimate < found.high <= 1.0
    assert (mirror.low, mirror.high) == pytest.approx((1 - found.high, 1 - found.low), abs=1e-9)
