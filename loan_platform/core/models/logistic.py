"""Logistic regression with an L2 penalty, by Newton's method.

scikit-learn's `newton-cholesky` gives the same coefficients; on single precision, which halves time and memory,
it meets "ill-conditioned" Hessians and falls back to an unconverged L-BFGS. Here only the sums over a block of
loans are single precision; the Hessian itself, its penalty and the solution are double.
"""

from dataclasses import dataclass

import numpy as np

from loan_platform.core.models.base import Floats, Matrix

BLOCK = 8_192
STEPS = 30
HALVINGS = 10
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Logistic:
    """Coefficients [columns] and the intercept, which is not penalised."""

    coefficients: Floats
    intercept: float


def fit_logistic(x: Matrix, target: Floats, c: float) -> Logistic:
    """Minimise the log loss over all loans plus |coefficients|^2 / (2 c).

    Runs on one BLAS thread: more would add in another order, and give other last bits.

    Args:
        x: float32 [loans, columns] without NaN.
        target: 1 default, 0 repaid.
        c: inverse strength of the penalty, as scikit-learn's `C`.
    """
    from threadpoolctl import threadpool_limits  # pyright: ignore[reportMissingTypeStubs]

    penalty = np.append(np.full(x.shape[1], 1 / c), 0.0)
    beta = np.append(np.zeros(x.shape[1]), np.log(target.mean() / (1 - target.mean())))
    with threadpool_limits(1):
        loss = _loss(x, target, beta, penalty)
        for _ in range(STEPS):
            step, gain = _newton_step(x, target, beta, penalty)
            if gain <= TOLERANCE * loss:
                break
            beta, loss = _descend(x, target, beta, penalty, step, loss)
    return Logistic(beta[:-1], float(beta[-1]))


def _descend(
    x: Matrix, target: Floats, beta: Floats, penalty: Floats, step: Floats, loss: float
) -> tuple[Floats, float]:
    """The coefficients after the step, halved until it does not raise the loss, and the loss there."""
    for _ in range(HALVINGS):
        moved = beta + step
        found = _loss(x, target, moved, penalty)
        if found <= loss:
            return moved, found
        step = step / 2
    return beta, loss


def _loss(x: Matrix, target: Floats, beta: Floats, penalty: Floats) -> float:
    margin = _margin(x, beta)
    return float(np.sum(np.logaddexp(0, margin) - target * margin) + np.sum(penalty * beta**2) / 2)


def _newton_step(x: Matrix, target: Floats, beta: Floats, penalty: Floats) -> tuple[Floats, float]:
    """The step, and by how much it lowers the loss if that were quadratic."""
    hessian, gradient = np.diag(penalty), -penalty * beta
    for start in range(0, len(x), BLOCK):
        block = x[start : start + BLOCK]
        p = 1 / (1 + np.exp(-_margin(block, beta)))
        root = np.sqrt(p * (1 - p)).astype(np.float32)[:, None]
        scaled = np.concatenate((block * root, root), axis=1)
        hessian += scaled.T @ scaled
        error = (target[start : start + BLOCK] - p).astype(np.float32)
        gradient += np.append(error @ block, error.sum())
    step = np.asarray(np.linalg.solve(hessian, gradient), np.float64)
    return step, float(gradient @ step) / 2


def _margin(x: Matrix, beta: Floats) -> Floats:
    return (x @ beta[:-1].astype(np.float32)).astype(np.float64) + beta[-1]
