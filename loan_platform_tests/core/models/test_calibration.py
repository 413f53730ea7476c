import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from loan_platform.core.evaluation.metrics import auc, ece
from loan_platform.core.models.calibration import (
    Isotonic,
    Platt,
    calibrate,
    calibration_from_json,
    fit_isotonic,
    fit_platt,
)
from loan_platform.core.models.portable import sigmoid


def _loans(rows: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(rows)
    margin = rng.normal(-1, 1.2, rows)
    log_odds = 0.7 * margin - 0.8 + 0.25 * np.sin(2 * margin)
    return margin, (rng.random(rows) < 1 / (1 + np.exp(-log_odds))).astype(float)


def test_platt_is_unpenalised_logistic_regression():
    margin, y = _loans(5_000)
    platt = fit_platt(margin, y)
    model = LogisticRegression(C=1e10, tol=1e-10).fit(margin[:, None], y)
    assert platt.slope == pytest.approx(model.coef_[0, 0], abs=1e-4)
    assert platt.intercept == pytest.approx(model.intercept_[0], abs=1e-4)


def test_platt_of_a_useless_margin_rises_and_keeps_the_base_rate():
    margin, y = _loans(5_000)
    platt = fit_platt(-margin, y)
    assert platt.slope == pytest.approx(1e-3)
    assert sigmoid(platt.log_odds(-margin)).mean() == pytest.approx(y.mean(), abs=1e-3)
    assert fit_platt(np.zeros(5_000), y).slope > 0


def test_few_loans_get_shrunk_platt_and_many_isotonic():
    margin, y = _loans(5_000)
    platt = fit_platt(margin, y)
    halfway = calibrate(margin, y, log_odds=True)
    assert isinstance(halfway, Platt)
    assert (halfway.slope, halfway.intercept) == ((platt.slope + 1) / 2, platt.intercept / 2)
    assert calibrate(margin, y, log_odds=False) == platt
    assert isinstance(calibrate(*_loans(20_000), log_odds=True), Isotonic)


def test_isotonic_calibrates_and_loses_no_rank():
    margin, y = _loans(60_000)
    isotonic = fit_isotonic(margin[::2], y[::2], outside=0.7)
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
    for calibration in (fit_platt(margin, y), calibrate(margin, y, log_odds=True)):
        bulk = calibration.log_odds(margin)
        parts = [calibration.log_odds(margin[i : i + rows]) for i in range(0, 2_000, rows)]
        assert np.array_equal(np.concatenate(parts), bulk[:2_000])


def test_a_margin_without_information_gives_platt():
    y = _loans(30_000)[1]
    assert isinstance(calibrate(np.zeros(30_000), y, log_odds=True), Platt)


def test_json_brings_the_same_calibration_back():
    for calibration in (calibrate(*_loans(3_000), log_odds=True), calibrate(*_loans(30_000), log_odds=True)):
        assert calibration_from_json(calibration.model_dump_json()) == calibration


@pytest.mark.parametrize(
    "value",
    [
        {"method": "platt", "slope": -1, "intercept": 0},
        {"method": "platt", "slope": 1, "intercept": 0, "extra": 1},
        {"method": "isotonic", "margins": [0, 1], "values": [1, 1], "outside": 1},
        {"method": "isotonic", "margins": [1, 0], "values": [0, 1], "outside": 1},
        {"method": "isotonic", "margins": [0, 1, 2], "values": [0, 1], "outside": 1},
        {"method": "pickle"},
    ],
)
def test_json_that_does_not_rise_is_refused(value: dict[str, object]):
    with pytest.raises(ValueError):  # noqa: PT011  # pydantic's message says which
        calibration_from_json(json.dumps(value))
