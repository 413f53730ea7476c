from datetime import date

import numpy as np
import polars as pl
import pytest
from sklearn import metrics

from loan_platform.core.evaluation.bootstrap import Interval
from loan_platform.core.evaluation.curves import pr_curve, roc_curve
from loan_platform.core.evaluation.leaks import leak_alarms, single_feature_auc, strongest
from loan_platform.core.evaluation.level_rates import other_half_rates
from loan_platform.core.evaluation.metrics import (
    auc,
    by_vintage,
    calibration_points,
    ece,
    evaluate,
    ks,
    lift_by_decile,
)


def _loans(rows: int = 5_000, decimals: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(rows)
    p = rng.beta(1, 6, rows)
    y = (rng.random(rows) < p).astype(float)
    return y, p if decimals is None else p.round(decimals)


@pytest.mark.parametrize("decimals", [None, 2])
def test_metrics_agree_with_scikit_learn(decimals: int | None):
    y, p = _loans(decimals=decimals)
    found = evaluate(y, p)
    assert found.auc == pytest.approx(metrics.roc_auc_score(y, p), abs=1e-12)
    assert found.gini == pytest.approx(2 * found.auc - 1)
    assert found.brier == pytest.approx(metrics.brier_score_loss(y, p), abs=1e-12)
    assert found.log_loss == pytest.approx(metrics.log_loss(y, np.clip(p, 1e-15, 1)), abs=1e-9)
    false, true, _ = metrics.roc_curve(y, p)
    assert found.ks == ks(y, p) == pytest.approx(np.max(true - false), abs=1e-12)
    assert (found.rows, found.defaults) == (5_000, int(y.sum()))
    assert found.brier_base == pytest.approx(metrics.brier_score_loss(y, np.full(5_000, y.mean())))


def test_auc_counts_ties_half():
    assert auc([0, 1, 0, 1], [1, 1, 1, 1]) == 0.5
    assert auc([0, 0, 1], [1, 2, 2]) == 0.75


def test_ece_by_hand():
    y, p = np.array([0, 0, 0, 1, 1, 1, 1, 0.0]), np.array([0.1, 0.1, 0.3, 0.3, 0.6, 0.6, 0.8, 0.8])
    assert ece(y, p, bins=2) == pytest.approx((abs(0.2 - 0.25) + abs(0.7 - 0.75)) / 2)
    points = calibration_points(y, p, bins=2)
    assert points.rows() == [pytest.approx((0.2, 0.25, 4)), pytest.approx((0.7, 0.75, 4))]


def test_order_of_tied_loans_changes_no_binned_figure():
    rng = np.random.default_rng(5)
    p = rng.choice([0.02, 0.05, 0.2, 0.4], 3_000, p=[0.5, 0.3, 0.15, 0.05])
    y = (rng.random(3_000) < p).astype(float)
    orders = [np.lexsort((y, p)), np.lexsort((-y, p)), rng.permutation(3_000)]
    assert len({ece(y[o], p[o]) for o in orders}) == 1
    assert len({str(lift_by_decile(y[o], p[o]).rows()) for o in orders}) == 1
    assert len({str(roc_curve(y[o], p[o], 50).rows()) + str(pr_curve(y[o], p[o], 50).rows()) for o in orders}) == 1
    points = calibration_points(y, p)
    assert points["predicted"].to_list() == pytest.approx([0.02, 0.05, 0.2, 0.4])
    assert points["rows"].to_list() == [int((p == level).sum()) for level in (0.02, 0.05, 0.2, 0.4)]
    assert ece(y, p) == pytest.approx(sum(abs((y - p)[p == level].sum()) for level in (0.02, 0.05, 0.2, 0.4)) / 3_000)


def test_tied_tenths_are_named_by_the_first():
    p = np.repeat([0.5, 0.3, 0.2, 0.1], [10, 20, 30, 40])
    y = np.tile([1.0, 0, 0, 0, 0], 20)
    lift = lift_by_decile(y, p)
    assert lift["decile"].to_list() == [1, 2, 4, 7]
    assert lift["rows"].to_list() == [10, 20, 30, 40]
    assert lift["lift"].to_list() == pytest.approx([1.0] * 4)


def test_true_probabilities_have_little_calibration_error():
    assert ece(*_loans(100_000)) < 0.004


def test_lift_falls_from_the_top_and_captures_all_at_the_bottom():
    y, p = _loans(10_000)
    lift = lift_by_decile(y, p)
    assert lift["rows"].to_list() == [1_000] * 10
    assert lift["lift"][0] == pytest.approx(y[np.argsort(-p, kind="stable")[:1_000]].mean() / y.mean())
    assert lift["captured"][-1] == pytest.approx(1)
    assert lift["captured"].is_sorted()


def test_vintages_are_months_and_one_class_has_no_auc():
    y, p = np.array([0, 1, 0, 1, 0, 0.0]), np.array([0.1, 0.9, 0.6, 0.5, 0.1, 0.2])
    days = pl.Series([date(2011, 1, 3), date(2011, 1, 9), date(2011, 1, 31), date(2011, 1, 1)] + [date(2011, 2, 5)] * 2)
    table = by_vintage(days, y, p)
    assert table["vintage"].to_list() == [date(2011, 1, 1), date(2011, 2, 1)]
    assert table["rows"].to_list() == [4, 2]
    assert table["auc"].to_list() == [0.75, None]
    assert table["observed"].to_list() == [0.5, 0.0]


@pytest.mark.parametrize("y", [[0, 0, 0], [1, 1, 1], [], [0, 1]])
def test_one_class_or_nothing_is_refused(y: list[int]):
    with pytest.raises(ValueError, match="both"):
        evaluate(y, [0.1, 0.2, 0.3] if len(y) != 0 else [])


def test_curves_agree_with_scikit_learn():
    y, p = _loans(400)
    roc = roc_curve(y, p)
    false, true, _ = metrics.roc_curve(y, p, drop_intermediate=False)
    assert roc["false_positive_rate"].to_list() == pytest.approx(false)
    assert roc["true_positive_rate"].to_list() == pytest.approx(true)
    precision, recall, _ = metrics.precision_recall_curve(y, p)
    assert pr_curve(y, p)["precision"].to_list() == pytest.approx(precision[-2::-1])
    assert pr_curve(y, p)["recall"].to_list() == pytest.approx(recall[-2::-1])


def test_long_curves_are_thinned_and_keep_their_ends():
    roc = roc_curve(*_loans(20_000), points=100)
    assert roc.height == 101
    assert (roc.row(0), roc.row(-1)) == ((0.0, 0.0), (1.0, 1.0))


def test_a_feature_that_knows_the_outcome_raises_the_alarm():
    y, p = _loans(2_000)
    features = pl.DataFrame(
        {
            "honest": p,
            "settled": np.where(y == 1, 1.0, np.nan),
            "inverse": -y,
            "status": np.where(y == 1, "off", "paid"),
            "noise": np.random.default_rng(1).random(2_000),
        }
    ).with_columns(pl.col("settled").fill_nan(None))
    areas = single_feature_auc(features, y)
    assert areas["settled"].estimate == areas["inverse"].estimate == areas["status"].estimate == 1
    assert 0.6 < areas["honest"].estimate < 0.9
    assert areas["noise"].estimate < 0.55
    alarms = leak_alarms(Interval(0.8, 0.76, 0.84), areas, max_auc=0.75, max_feature_auc=0.9)
    assert [alarm.feature for alarm in alarms] == [None, "settled", "inverse", "status"]
    low = areas["settled"].low
    assert 0.98 < low < 1
    assert str(alarms[1]) == (
        f"the AUC of feature 'settled' alone is 1.0000 (at least {low:.4f}), above the ceiling of 0.90: "
        "the outcome leaks into it"
    )
    assert leak_alarms(Interval(0.8, 0.75, 0.85), {"honest": Interval(0.8, 0.7, 0.9)}, 0.75, 0.7) == []
    assert strongest({"few": Interval(0.8, 0.5, 0.95), "many": Interval(0.7, 0.65, 0.75)}) == "many"


@pytest.mark.parametrize("levels", [60, 1_000])
def test_a_category_of_noise_is_no_leak(levels: int):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        y = (rng.random(500) < 0.2).astype(float)
        names = pl.DataFrame({"branch": [f"b{i}" for i in rng.integers(0, levels, 500)]})
        found = single_feature_auc(names, y)
        assert found["branch"].low < 0.6
        assert leak_alarms(Interval(0.6, 0.6, 0.6), found, 0.75, 0.6) == []


def test_a_level_is_ranked_by_the_outcomes_of_other_loans():
    levels = pl.Series(["a", "a", "a", "b", "b", None])
    # Halves by turns within each outcome: rows 0 and 3 (defaults), 1, 2, 4, 5 (repaid).
    rates = other_half_rates(levels, np.array([1.0, 0, 0, 1, 0, 0]))
    third = 1 / 3  # default rate of each half
    assert rates.tolist() == pytest.approx(
        [(0 + third) / 2, (0 + third) / 2, (1 + third) / 3, (0 + third) / 2, (1 + third) / 2, third]
    )
