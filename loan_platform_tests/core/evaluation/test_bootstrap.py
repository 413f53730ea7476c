import numpy as np
import pytest

from loan_platform.core.evaluation import bootstrap
from loan_platform.core.evaluation.bootstrap import mean_auc_difference
from loan_platform.core.evaluation.intervals import auc_interval
from loan_platform.core.evaluation.metrics import auc


def _loans(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    p = 1 / (1 + np.exp(2 - x))
    worse = 1 / (1 + np.exp(2 - x - rng.normal(0, 0.7, rows)))
    return (rng.random(rows) < p).astype(float), p, worse


def test_paired_difference_is_narrower_than_the_two_apart():
    y, p, worse = _loans(10_000)
    gain = mean_auc_difference([(y, p, worse)], seed=1)
    assert gain.estimate == pytest.approx(auc(y, p) - auc(y, worse))
    assert 0 < gain.low < gain.estimate < gain.high
    alone = auc_interval(y, p)
    assert gain.high - gain.low < 2 * (alone.high - alone.low)


def test_both_ways_to_the_interval_agree(monkeypatch: pytest.MonkeyPatch):
    y, p, worse = _loans(20_000)
    drawn = mean_auc_difference([(y, p, worse)], seed=1, resamples=400)
    monkeypatch.setattr(bootstrap, "EXACT_ROWS", 100)
    formula = mean_auc_difference([(y, p, worse)], seed=1)
    assert formula.estimate == drawn.estimate
    assert formula.low == pytest.approx(drawn.low, abs=6e-4)
    assert formula.high == pytest.approx(drawn.high, abs=6e-4)


def test_a_model_against_itself_gains_nothing():
    y, p, _ = _loans(1_000)
    gain = mean_auc_difference([(y, p, p)], seed=1)
    assert (gain.estimate, gain.low, gain.high) == (0, 0, 0)


def test_folds_are_averaged():
    folds = [_loans(2_000, seed) for seed in (1, 2, 3)]
    gain = mean_auc_difference(folds, seed=1)
    assert gain.estimate == pytest.approx(np.mean([auc(y, p) - auc(y, w) for y, p, w in folds]))
    single = mean_auc_difference(folds[:1], seed=1)
    assert gain.high - gain.low < single.high - single.low
