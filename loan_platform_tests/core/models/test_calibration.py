import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from loan_platform.core.evaluation.metrics import auc, ece
from loan_platform.core.models.calibration import Beta, Calibration, Isotonic, Platt, calibration_from_json
from loan_platform.core.models.calibration_fits import fit_calibration, fit_isotonic, fit_platt
from loan_platform.core.models.portable import sigmoid


def calibrate(margin: np.ndarray, y: np.ndarray, halfway: bool) -> Calibration:
    """Isotonic where the loans allow it, else Platt."""
    found = fit_calibration("isotonic", margin, y, halfway) or fit_calibration("platt", margin, y, halfway)
    assert found is not None
    return found


def beta_of(margin: np.ndarray, y: np.ndarray, halfway: bool = False) -> Beta:
    found = fit_calibration("beta", margin, y, halfway)
    assert isinstance(found, Beta)
    return found


def _loans(rows: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(rows)
    margin = rng.normal(-1, 1.2, rows)
    log_odds = 0.7 * margin - 0.8 + 0.25 * np.sin(2 * margin)
    return margin, (rng.random(rows) < 1 / (1 + np.exp(-log_odds))).astype(float)


def test_platt_is_logistic_regression_on_smoothed_outcomes():
    margin, y = _loans(5_000)
    defaults = y.sum()
    bad, good = (defaults + 1) / (defaults + 2), 1 / (len(y) - defaults + 2)
    wanted = np.where(y == 1, bad, good)
    twice, outcome = np.concatenate((margin, margin))[:, None], np.repeat((1, 0), len(y))
    model = LogisticRegression(C=1e10, tol=1e-10).fit(twice, outcome, np.concatenate((wanted, 1 - wanted)))
    platt = fit_platt(margin, y)
    assert platt.slope == pytest.approx(model.coef_[0, 0], abs=1e-4)
    assert platt.intercept == pytest.approx(model.intercept_[0], abs=1e-4)


def test_beta_is_logistic_regression_on_two_logarithms():
    margin, y = _loans(5_000)
    p = 1 / (1 + np.exp(-margin))
    model = LogisticRegression(C=1e10, tol=1e-10, max_iter=1_000).fit(np.stack((np.log(p), -np.log1p(-p)), 1), y)
    beta = beta_of(margin, y)
    assert (beta.low_slope, beta.high_slope) == pytest.approx(model.coef_[0], abs=5e-3)
    assert sigmoid(beta.log_odds(margin)).mean() == pytest.approx(y.mean(), rel=1e-9)


def test_beta_finds_the_bend_that_platt_cannot():
    rng = np.random.default_rng(4)
    margin = rng.normal(-1, 1.5, 40_000)
    truth = Beta(low_slope=0.5, high_slope=1.5, intercept=-0.6)
    y = (rng.random(40_000) < sigmoid(truth.log_odds(margin))).astype(float)
    beta = beta_of(margin[::2], y[::2])
    assert (beta.low_slope, beta.high_slope) == pytest.approx((0.5, 1.5), abs=0.08)
    platt = fit_platt(margin[::2], y[::2])
    errors = [ece(y[1::2], sigmoid(found.log_odds(margin[1::2]))) for found in (beta, platt)]
    assert errors[0] < 0.008
    assert errors[1] > 0.012


def test_halfway_moves_both_slopes_of_beta_and_keeps_the_mean():
    margin, y = _loans(5_000)
    whole, half = beta_of(margin, y), beta_of(margin, y, halfway=True)
    assert (half.low_slope, half.high_slope) == ((whole.low_slope + 1) / 2, (whole.high_slope + 1) / 2)
    assert sigmoid(half.log_odds(margin)).mean() == pytest.approx(y.mean(), rel=1e-9)


def test_a_margin_that_ranks_the_wrong_way_has_no_beta():
    margin, y = _loans(5_000)
    assert fit_calibration("beta", -margin, y, False) is None
    assert fit_calibration("beta", np.zeros(5_000), y, True) is None


def test_a_margin_that_separates_gives_no_probability_of_0_or_1():
    margin = np.linspace(-4, 4, 400)
    y = (margin > 1).astype(float)
    for halfway in (False, True):
        probability = sigmoid(calibrate(margin, y, halfway).log_odds(margin))
        assert 1e-12 < probability.min() < 0.05
        assert 0.95 < probability.max() < 1 - 1e-9
        assert probability.mean() == pytest.approx(y.mean(), rel=1e-9)


def test_platt_of_a_useless_margin_rises_and_keeps_the_base_rate():
    margin, y = _loans(5_000)
    platt = fit_platt(-margin, y)
    assert platt.slope == pytest.approx(1e-3)
    assert sigmoid(platt.log_odds(-margin)).mean() == pytest.approx(y.mean(), abs=1e-3)
    assert fit_platt(np.zeros(5_000), y).slope > 0
    assert calibrate(-margin, y, halfway=True) == platt  # 0.5 would rank the wrong way round with confidence


def test_few_loans_get_platt_halfway_and_many_isotonic():
    margin, y = _loans(5_000)
    platt = fit_platt(margin, y)
    halfway = calibrate(margin, y, halfway=True)
    assert isinstance(halfway, Platt)
    assert halfway.slope == (platt.slope + 1) / 2
    assert calibrate(margin, y, halfway=False) == platt
    assert isinstance(calibrate(*_loans(20_000), halfway=True), Isotonic)


@pytest.mark.parametrize("rare", [1, 0])
def test_many_loans_with_few_of_an_outcome_get_platt(rare: int):
    rng = np.random.default_rng(3)
    margin = rng.normal(-4, 1, 60_000)
    y = (rng.random(60_000) < sigmoid(margin)).astype(float)
    assert 1_000 < y.sum() < 2_000
    assert isinstance(calibrate(margin, y if rare else 1 - y, halfway=False), Platt)


@pytest.mark.parametrize(("rows", "halfway"), [(3_000, False), (3_000, True), (40_000, False)])
def test_mean_probability_is_the_default_rate(rows: int, halfway: bool):
    margin, y = _loans(rows)
    probability = sigmoid(calibrate(margin, y, halfway).log_odds(margin))
    assert probability.mean() == pytest.approx(y.mean(), rel=1e-9)


def _levels(rows: int, rates: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Loans with as many different margins as rates, which are twice as far apart as they should be."""
    rng = np.random.default_rng(8)
    level = rng.integers(len(rates), size=rows)
    rate = np.array(rates)[level]
    return 2 * np.log(rate / (1 - rate)) + 3, (rng.random(rows) < rate).astype(float)


def test_each_level_of_risk_gets_its_own_default_rate():
    margin, y = _levels(60_000, (0.016, 0.023, 0.045, 0.09, 0.18, 0.39))
    calibration = calibrate(margin, y, halfway=False)
    assert isinstance(calibration, Isotonic)
    for level in np.unique(margin):
        at = margin == level
        probability = sigmoid(calibration.log_odds(margin[at]))
        assert probability.min() == probability.max()
        assert probability[0] == pytest.approx(y[at].mean(), rel=0.01)


def test_order_of_the_loans_changes_no_bit_of_a_calibration():
    rng = np.random.default_rng(1)
    for margin, y in (_levels(40_000, (0.05, 0.1, 0.2)), _loans(40_000), _loans(2_000), _levels(900, (0.1, 0.3))):
        orders = (np.lexsort((y, margin)), np.lexsort((-y, margin)), rng.permutation(len(y)))
        assert len({calibrate(margin[o], y[o], halfway=True).model_dump_json() for o in orders}) == 1


def test_isotonic_calibrates_and_loses_no_rank():
    margin, y = _loans(60_000)
    isotonic = fit_isotonic(margin[::2], y[::2])
    assert isinstance(isotonic, Isotonic)
    log_odds = isotonic.log_odds(margin[1::2])
    assert auc(y[1::2], log_odds) == auc(y[1::2], margin[1::2])
    assert ece(y[1::2], sigmoid(log_odds)) < 0.008
    assert len(isotonic.margins) >= 10


def test_isotonic_rises_strictly_even_beyond_its_knots():
    isotonic = Isotonic(margins=(-1.0, 0.0, 2.0), values=(-3.0, -2.5, 1.0), outside=0.5)
    grid = np.linspace(-10, 10, 4_001)
    values = isotonic.log_odds(grid)
    assert (np.diff(values) > 0).all()
    assert isotonic.log_odds(np.array([-3.0, -1, -0.5, 0, 1, 2, 4])).tolist() == [-4, -3, -2.75, -2.5, -0.75, 1, 2]


@pytest.mark.parametrize("rows", [1, 2, 1_000])
def test_one_row_has_the_bits_of_the_bulk(rows: int):
    margin, y = _loans(30_000)
    for calibration in (fit_platt(margin, y), calibrate(margin, y, halfway=True), beta_of(margin, y)):
        bulk = calibration.log_odds(margin)
        parts = [calibration.log_odds(margin[i : i + rows]) for i in range(0, 2_000, rows)]
        assert np.array_equal(np.concatenate(parts), bulk[:2_000])


def test_a_margin_without_information_gives_platt():
    y = _loans(30_000)[1]
    assert isinstance(calibrate(np.zeros(30_000), y, halfway=True), Platt)


def test_json_brings_the_same_calibration_back():
    few, many = _loans(3_000), _loans(30_000)
    for calibration in (calibrate(*few, halfway=True), calibrate(*many, halfway=True), beta_of(*few)):
        assert calibration_from_json(calibration.model_dump_json()) == calibration


@pytest.mark.parametrize(
    "value",
    [
        {"method": "platt", "slope": -1, "intercept": 0},
        {"method": "platt", "slope": 1, "intercept": 0, "extra": 1},
        {"method": "isotonic", "margins": [0, 1], "values": [1, 1], "outside": 1},
        {"method": "isotonic", "margins": [1, 0], "values": [0, 1], "outside": 1},
        {"method": "isotonic", "margins": [0, 1, 2], "values": [0, 1], "outside": 1},
        {"method": "beta", "low_slope": 1, "high_slope": 0, "intercept": 0},
        {"method": "pickle"},
    ],
)
def test_json_that_does_not_rise_is_refused(value: dict[str, object]):
    with pytest.raises(ValueError):  # noqa: PT011  # pydantic's message says which
        calibration_from_json(json.dumps(value))


RATES = [(0.011, 20_000), (0.004, 20_000), (0.0015, 20_000), (0.1, 40_000), (0.02, 200_000)]


@pytest.mark.thorough
@pytest.mark.parametrize(("rate", "rows"), RATES)
def test_rare_defaults_are_not_overstated(rate: float, rows: int):
    """Known truth: over 40 samples the mean PD is that of the truth, and so is the riskiest hundredth's."""
    everyone = np.random.default_rng(0).normal(0, 1, 200_000)
    shift = fit_platt(
        everyone, (np.arange(200_000) < rate * 200_000).astype(np.float64)
    ).intercept  # a line without slope: first guess
    for _ in range(30):
        shift += np.log(rate / sigmoid(0.8 * everyone + shift).mean())
    truth, riskiest = sigmoid(0.8 * everyone + shift), everyone >= np.quantile(everyone, 0.99)
    means, tops = [], []
    for seed in range(40):
        rng = np.random.default_rng([seed, rows])
        margin = rng.normal(0, 1, rows)
        y = (rng.random(rows) < sigmoid(0.8 * margin + shift)).astype(float)
        calibration = calibrate(margin, y, halfway=False)
        assert sigmoid(calibration.log_odds(margin)).mean() == pytest.approx(y.mean(), rel=0.01)
        probability = sigmoid(calibration.log_odds(everyone))
        means.append(probability.mean() / truth.mean())
        tops.append(probability[riskiest].mean() / truth[riskiest].mean())
    chance = (rate * rows * 40) ** -0.5
    assert np.mean(means) == pytest.approx(1, abs=0.01 + 3 * chance)
    assert np.mean(tops) == pytest.approx(1, abs=0.04 + 6 * chance)
