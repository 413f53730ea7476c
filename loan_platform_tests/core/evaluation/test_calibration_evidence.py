import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression

from loan_platform.core.evaluation.gates.calibration_evidence import calibration_evidence
from loan_platform.core.evaluation.metrics import ece


def _loans(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(2 - rng.normal(size=rows)))
    return (rng.random(rows) < p).astype(float), p


def test_the_rate_has_its_exact_interval() -> None:
    y, p = np.arange(300) < 6, np.full(300, 0.01)
    p[:6] = 0.02
    found = calibration_evidence(y, p)
    exact = stats.binomtest(6, 300).proportion_ci(0.95, "exact")
    ratio = found.rate_ratio
    assert found.mean_probability == pytest.approx(0.0102)
    assert (ratio.low, ratio.estimate, ratio.high) == pytest.approx(np.array([exact.low, 0.02, exact.high]) / 0.0102)


def test_slope_and_intercept_are_those_of_a_logistic_regression() -> None:
    y, p = _loans(4_000)
    told = 1 / (1 + np.exp(-(1.7 * np.log(p / (1 - p)) + 0.4)))
    margin = np.log(told / (1 - told))
    found = calibration_evidence(y, told)
    fitted = LogisticRegression(C=np.inf, tol=1e-10).fit(margin[:, None], y)
    assert found.slope.estimate == pytest.approx(fitted.coef_[0, 0], abs=1e-5)
    assert found.slope.low < 1 / 1.7 < found.slope.high < 1
    shifted = 1 / (1 + np.exp(-(margin + found.intercept)))
    assert shifted.mean() == pytest.approx(y.mean(), abs=1e-9)


def test_chance_is_the_error_of_right_probabilities() -> None:
    _, p = _loans(300)
    rng = np.random.default_rng(5)
    errors = np.array([ece(rng.random(300) < p, p) for _ in range(400)])
    found = calibration_evidence(rng.random(300) < p, p)
    assert found.chance == pytest.approx(errors.mean(), rel=0.05)
    assert 0.03 < found.chance < 0.06  # far from zero in so few loans
    assert np.mean(errors > found.chance_high) < 0.04


def test_equal_probabilities_share_a_bin_of_chance_too() -> None:
    p = np.where(np.arange(1_000) < 500, 0.05, 0.15)
    rng = np.random.default_rng(5)
    errors = np.array([ece(rng.random(1_000) < p, p) for _ in range(400)])
    found = calibration_evidence(rng.random(1_000) < p, p)
    assert found.chance == pytest.approx(errors.mean(), rel=0.1)
    assert found.chance < 0.013  # 0.0226 with ten bins through the ties


def test_many_loans_have_the_same_chance_by_a_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    y, p = _loans(5_000)
    drawn = calibration_evidence(y, p)
    monkeypatch.setattr("loan_platform.core.evaluation.gates.calibration_evidence.EXACT_ROWS", 1)
    formula = calibration_evidence(y, p)
    assert formula.chance == pytest.approx(drawn.chance, rel=0.05)
    assert formula.chance_high == pytest.approx(drawn.chance_high, rel=0.08)


def test_few_expected_defaults_are_not_normal(monkeypatch: pytest.MonkeyPatch) -> None:
    p = 0.0005 * np.exp(np.random.default_rng(3).normal(0, 1, 2_000))  # a tenth of a default is expected of a bin
    y = np.arange(2_000) < 2
    drawn = calibration_evidence(y, p)
    monkeypatch.setattr("loan_platform.core.evaluation.gates.calibration_evidence.EXACT_ROWS", 1)
    formula = calibration_evidence(y, p)
    assert formula.chance == pytest.approx(drawn.chance, rel=0.08)  # 1.2 times as much by the normal distribution
    assert formula.chance_high == pytest.approx(drawn.chance_high, rel=0.15)


@pytest.mark.parametrize("p", [[0.2, 0.2, 0.2, 0.2], [0.1, 0.2, 0.8, 0.9]], ids=["one value", "separated"])
def test_a_slope_that_is_not_defined_is_no_number(p: list[float]) -> None:
    assert np.isnan(calibration_evidence([0, 0, 1, 1], p).slope.estimate)


@pytest.mark.parametrize(
    ("levels", "exact"), [((0.05, 0.15), True), ((0.02, 0.04, 0.08, 0.2), True), ((0.05, 0.15), False)]
)
def test_chance_keeps_equal_probabilities_in_one_bin(
    levels: tuple[float, ...], exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exact:
        monkeypatch.setattr("loan_platform.core.evaluation.gates.calibration_evidence.EXACT_ROWS", 1)
    rng = np.random.default_rng(2)
    p = rng.choice(levels, 1_000)
    errors = np.array([ece(rng.random(1_000) < p, p) for _ in range(400)])
    found = calibration_evidence(rng.random(1_000) < p, p)
    assert found.chance == pytest.approx(errors.mean(), rel=0.1)
    assert found.chance_high == pytest.approx(np.quantile(errors, 0.99), rel=0.2)
