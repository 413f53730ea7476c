"""Logistic regression with an L2 penalty, by Newton's method. Chosen coefficients stay at 0 or above.

scikit-learn's `newton-cholesky` gives the same coefficients in double precision. In single precision, which halves time
and memory, it finds the Hessian ill-conditioned and falls back to an L-BFGS that does not converge. Here only the sums
over a block of loans are single precision. The Hessian, its penalty and the solution are double precision.
"""

from dataclasses import dataclass

import numpy as np

from loan_platform.core.models.base import Flags, Floats, Matrix

BLOCK = 8_192
STEPS = 30
ROUNDS = 30
HALVINGS = 10
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Logistic:
    """Coefficients [columns] and the intercept, which is not penalised."""

    coefficients: Floats
    intercept: float


def fit_logistic(x: Matrix, target: Floats, c: float, nonnegative: Flags) -> Logistic:
    """Minimise the log loss over all loans plus |coefficients|^2 / (2 c).

    It runs on one BLAS thread: more threads add in another order and give other last bits.

    Args:
        x: float32 [loans, columns] without NaN.
        target: 1 default, 0 repaid.
        c: inverse strength of the penalty, as scikit-learn's `C`.
        nonnegative: the columns whose coefficients must be 0 or above.
    """
    from threadpoolctl import threadpool_limits  # pyright: ignore[reportMissingTypeStubs]

    penalty = np.append(np.full(x.shape[1], 1 / c), 0.0)
    bounded = np.append(nonnegative, False)
    beta = np.append(np.zeros(x.shape[1]), np.log(target.mean() / (1 - target.mean())))
    with threadpool_limits(1):
        loss = _loss(x, target, beta, penalty)
        for _ in range(STEPS):
            hessian, gradient = _quadratic(x, target, beta, penalty)
            step = _lowest(hessian, gradient + hessian @ beta, bounded, beta) - beta
            if float(gradient @ step - step @ hessian @ step / 2) <= TOLERANCE * loss:
                break
            beta, loss = _descend(x, target, beta, penalty, step, loss)
    return Logistic(beta[:-1], float(beta[-1]))


def _descend(
    x: Matrix, target: Floats, beta: Floats, penalty: Floats, step: Floats, loss: float
) -> tuple[Floats, float]:
    """Halve the step until it does not raise the loss; the new coefficients and their loss."""
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


def _quadratic(x: Matrix, target: Floats, beta: Floats, penalty: Floats) -> tuple[Floats, Floats]:
    """The Hessian of the loss [k, k] and its negative gradient [k]."""
    hessian, gradient = np.diag(penalty), -penalty * beta
    for start in range(0, len(x), BLOCK):
        block = x[start : start + BLOCK]
        p = 1 / (1 + np.exp(-_margin(block, beta)))
        root = np.sqrt(p * (1 - p)).astype(np.float32)[:, None]
        scaled = np.concatenate((block * root, root), axis=1)
        hessian += scaled.T @ scaled
        error = (target[start : start + BLOCK] - p).astype(np.float32)
        gradient += np.append(error @ block, error.sum())
    return hessian, gradient


def _lowest(hessian: Floats, linear: Floats, bounded: Flags, start: Floats) -> Floats:
    """Minimize b' hessian b / 2 - linear' b with the bounded b at 0 or above.

    Primal-dual active set method (Hintermueller, Ito and Kunisch, 2002): guess which bounded coefficients are 0, solve
    for the others, correct the guess by the signs, and repeat. It settles in a few rounds. If it does not, the last
    solution is cut off at 0, and the line search still lowers the loss.
    """
    held = bounded & (start == 0) & (linear - hessian @ start <= 0)
    found = np.zeros(len(linear))
    for _ in range(ROUNDS):
        free = np.flatnonzero(~held)
        found[:] = 0
        found[free] = np.linalg.solve(hessian[np.ix_(free, free)], linear[free])
        push = linear - hessian @ found
        guess = bounded & np.where(held, push <= 0, found < 0)
        if (guess == held).all():
            return found
        held = guess
    return np.where(bounded, np.maximum(found, 0), found)


def _margin(x: Matrix, beta: Floats) -> Floats:
    return (x @ beta[:-1].astype(np.float32)).astype(np.float64) + beta[-1]
