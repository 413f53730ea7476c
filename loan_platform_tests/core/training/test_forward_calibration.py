"""The calibration is chosen on the months after it was fitted."""

import numpy as np
import pytest

from loan_platform.core.models.calibration import Beta, Isotonic, Platt
from loan_platform.core.models.portable import sigmoid
from loan_platform.core.training.crosswise import crosswise_loans
from loan_platform.core.training.forward_calibration import ChosenCalibration, Unseen, choose_calibration
from loan_platform.core.training.model_age import auc_by_age
from loan_platform.core.training.splits import LoanSplit

FIRST = 480  # 2010-01


def unseen(rows: int, truth: Platt | Beta, months: int = 18, step: float = 0.0) -> Unseen:
    """Margins of a known truth; the log-odds rise by `step` in the last nine months."""
    rng = np.random.default_rng(rows)
    margin, month = rng.normal(-1, 1.2, rows), np.sort(rng.integers(FIRST, FIRST + months, rows))
    odds = truth.log_odds(margin) + step * (month >= FIRST + months - 9)
    return Unseen(margin, (rng.random(rows) < sigmoid(odds)).astype(float), month)


def months_of(loans: Unseen) -> np.ndarray:
    assert loans.months is not None
    return loans.months


def chosen(loans: Unseen, halfway: bool = False) -> ChosenCalibration:
    return choose_calibration(loans, 6, halfway)


def test_all_loans_calibrate_where_nothing_changes():
    found = chosen(unseen(6_000, Platt(slope=0.8, intercept=-0.5)))
    assert (found.report.months, found.report.loans) == (None, 6_000)
    assert isinstance(found.calibration, Beta)
    assert (found.calibration.low_slope, found.calibration.high_slope) == pytest.approx((0.8, 0.8), abs=0.2)


def test_the_last_months_calibrate_after_a_step():
    loans = unseen(12_000, Platt(slope=1, intercept=-1), step=0.9)
    found = chosen(loans)
    assert found.report.months == 6
    assert found.report.loans == int((months_of(loans) > FIRST + 11).sum())
    newest = loans.newest(6)
    assert sigmoid(found.calibration.log_odds(newest.margin)).mean() == pytest.approx(newest.target.mean(), rel=1e-9)


def test_few_defaults_get_platt():
    found = chosen(unseen(1_500, Platt(slope=1, intercept=-1)))
    assert isinstance(found.calibration, Platt)
    assert set(found.report.errors) == {"platt, all loans", "platt, last 6 months"}


def test_isotonic_must_be_better_by_more_than_the_tolerance():
    rng = np.random.default_rng(2)
    margin = rng.normal(-1, 1.5, 40_000)
    odds = np.where(margin < -1, -2.5, 0.0) + 0.2 * margin
    target = (rng.random(40_000) < sigmoid(odds)).astype(float)
    assert isinstance(chosen(Unseen(margin, target, None)).calibration, Isotonic)
    straight = (rng.random(40_000) < sigmoid(margin)).astype(float)
    assert isinstance(chosen(Unseen(margin, straight, None)).calibration, Beta)


def test_a_large_book_of_few_defaults_is_compared_whole():
    rng = np.random.default_rng(4)
    margin = rng.normal(-3, 1.2, 60_000)
    odds = np.where(margin < -3, -5.0, -2.3) + 0.02 * margin
    target = (rng.random(60_000) < sigmoid(odds)).astype(float)
    assert 2_000 < 0.8 * target.sum() < 3_000  # of the past of each part; half of them are too few for isotonic
    assert isinstance(chosen(Unseen(margin, target, None)).calibration, Isotonic)


def test_a_method_that_platt_stands_in_for_is_not_compared():
    few, more = unseen(4_000, Platt(slope=1, intercept=-1)), unseen(8_000, Platt(slope=1, intercept=-1))
    assert 500 < few.target.sum() < 800  # at most origins fewer than 500
    assert set(chosen(few).report.errors) == {"platt, all loans", "platt, last 6 months"}
    found = chosen(more).report
    assert (found.method, found.months) == ("beta", None)
    assert [row.method for row in found.origins] == ["platt", *["beta"] * 5]


def test_the_tolerance_is_a_share_of_the_default_rate():
    rng = np.random.default_rng(1)
    margin, month = rng.normal(-5.9, 1, 60_000), np.sort(rng.integers(FIRST, FIRST + 24, 60_000))
    step = 0.7 * (month >= FIRST + 10)
    target = (rng.random(60_000) < sigmoid(margin + step)).astype(float)
    found = chosen(Unseen(margin, target, month), halfway=True)
    assert target.mean() < 0.01
    assert found.report.errors["platt, all loans"] - min(found.report.errors.values()) < 0.001
    assert found.report.months == 6


def test_origins_tell_what_the_months_after_them_show():
    loans = unseen(6_000, Platt(slope=0.8, intercept=-0.5))
    origins = chosen(loans).report.origins
    assert [row.first for row in origins] == ["2010-07", "2010-09", "2010-11", "2011-01", "2011-03", "2011-05"]
    assert [row.last for row in origins] == ["2010-12", "2011-02", "2011-04", "2011-06", "2011-06", "2011-06"]
    first = (months_of(loans) >= FIRST + 6) & (months_of(loans) < FIRST + 12)
    assert (origins[0].rows, origins[0].defaults) == (int(first.sum()), int(loans.target[first].sum()))
    assert origins[0].rate_ratio.estimate == pytest.approx(origins[0].observed / origins[0].mean_probability)
    assert all(row.rate_ratio.low < 1 < row.rate_ratio.high for row in origins)


def test_loans_after_an_origin_do_not_fit_its_row():
    loans = unseen(6_000, Platt(slope=0.8, intercept=-0.5))
    late = (months_of(loans) >= FIRST + 16) & (np.arange(6_000) % 40 == 0)
    changed = np.where(late, 1 - loans.target, loans.target)
    one, other = chosen(loans).report, chosen(Unseen(loans.margin, changed, loans.months)).report
    assert other.method == one.method
    assert other.origins[0] == one.origins[0]
    assert other.origins[-1] != one.origins[-1]


def test_loans_too_few_to_compare_get_platt_on_all():
    found = chosen(unseen(150, Platt(slope=1, intercept=0)), halfway=True)
    assert (found.report.method, found.report.months, found.report.errors) == ("platt", None, {})
    assert found.report.origins == ()


def split(fit: int, calibration: int) -> LoanSplit:
    rows = np.arange(fit + calibration)
    return LoanSplit(rows[:fit], rows[fit:], rows[:0], (), {}, len(rows), 0, 0, {})


def test_dated_books_add_the_newest_whole_months():
    months = np.repeat(np.arange(10), 100)
    target = np.tile((0.0, 1.0), 500)
    positions = crosswise_loans(split(800, 200), target, months)
    assert positions.tolist() == list(range(300, 1_000))  # the third month is part of the oldest quarter
    assert crosswise_loans(split(100, 900), target, months).tolist() == list(range(100, 1_000))


def test_undated_books_add_every_kth_loan_up_to_half():
    target = np.tile((0.0, 0.0, 1.0), 400)[:1_000]
    positions = crosswise_loans(split(800, 200), target, None)
    assert len(positions) == 500
    assert positions.tolist() == sorted(set(positions.tolist()))
    assert positions[:3].tolist() == [0, 2, 5]


def test_loans_to_fit_on_keep_both_outcomes():
    target = np.zeros(1_000)
    target[300:] = 1
    months = np.repeat(np.arange(10), 100)
    assert crosswise_loans(split(800, 200), target, months).tolist() == list(range(800, 1_000))


def test_auc_by_age_is_the_mean_over_the_folds_by_loans():
    months = np.repeat((FIRST, FIRST + 4), 100)
    target = np.tile((0.0, 1.0), 100)
    perfect, useless = target, np.zeros(200)
    one = auc_by_age((months, months[:100]), (target, target[:100]), (perfect, useless[:100]))
    assert [(age.first, age.last, age.rows, age.folds) for age in one] == [(1, 3, 200, 2), (4, 6, 100, 1)]
    assert [age.auc for age in one] == [0.75, 1.0]
