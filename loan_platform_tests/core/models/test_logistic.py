import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from loan_platform.core.models.logistic import fit_logistic

FREE = np.zeros(6, bool)


def _loans(rows: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 6)).astype(np.float32)
    x[:, 4] = x[:, 3] + rng.normal(0, 0.01, rows)
    y = (rng.random(rows) < 1 / (1 + np.exp(2 - x @ np.array([0.5, -1, 0.2, 0.4, 0, 0])))).astype(float)
    return x, y


@pytest.mark.parametrize("c", [0.003, 1.0])
def test_coefficients_are_scikit_learns(c: float):
    x, y = _loans()
    model = LogisticRegression(C=c, solver="newton-cholesky", tol=1e-10).fit(x.astype(np.float64), y)
    fitted = fit_logistic(x, y, c, FREE)
    assert fitted.coefficients == pytest.approx(model.coef_[0], abs=2e-4)
    assert fitted.intercept == pytest.approx(model.intercept_[0], abs=2e-4)


@pytest.mark.parametrize("nonnegative", [0b111111, 0b010110])
def test_bounded_coefficients_are_scipys(nonnegative: int):
    x, y = _loans(3_000)
    bounded = np.array([bool(nonnegative >> j & 1) for j in range(6)])

    def loss(beta: np.ndarray) -> tuple[float, np.ndarray]:
        margin = x @ beta[:-1] + beta[-1]
        error = 1 / (1 + np.exp(-margin)) - y
        penalised = np.append(beta[:-1], 0)
        value = np.sum(np.logaddexp(0, margin) - y * margin) + penalised @ penalised / 2
        return float(value), np.append(error @ x, error.sum()) + penalised

    bounds = [(0 if held else None, None) for held in (*bounded, False)]
    best = minimize(
        loss, np.zeros(7), jac=True, bounds=bounds, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-9}
    )
    fitted = fit_logistic(x, y, 1.0, bounded)
    assert fitted.coefficients == pytest.approx(best.x[:-1], abs=1e-3)
    assert fitted.intercept == pytest.approx(best.x[-1], abs=1e-3)
    assert (fitted.coefficients[bounded] == 0).any()
    assert (fitted.coefficients[bounded] >= 0).all()


def test_equal_columns_share_their_coefficient():
    x, y = _loans(5_000)
    fitted = fit_logistic(np.concatenate((x, x[:, :1]), axis=1), y, 1.0, np.zeros(7, bool))
    assert fitted.coefficients[0] == pytest.approx(fitted.coefficients[6], abs=1e-4)


def test_separable_loans_are_held_by_the_penalty():
    x = np.linspace(-1, 1, 200, dtype=np.float32)[:, None]
    fitted = fit_logistic(x, (x[:, 0] > 0).astype(float), 1.0, FREE[:1])
    assert 1 < fitted.coefficients[0] < 20
