"""Floating-point functions with the same bits on every processor, for any number of rows.

The `exp` of NumPy and of the C library choose an algorithm by processor. So the last bit could differ between the
machine that trains and the one that serves. IEEE 754 defines each bit of addition, multiplication and division.
"""

from math import isnan, ldexp

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LOG2_E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # fdlibm: the sum is ln 2
TERMS = tuple(1.0 / f for f in (6227020800, 479001600, 39916800, 3628800, 362880, 40320, 5040, 720, 120, 24, 6, 2, 1))
ODD = tuple(1.0 / k for k in range(35, 0, -2))  # of atanh(s) / s in s * s; s is 1/3 or less
LIMIT = 700.0  # exp(700) is finite
FEW = 8  # values that Python computes faster than NumPy, by the same operations


def sigmoid(log_odds: Floats) -> Floats:
    """1 / (1 + exp(-log_odds)); relative error below 1e-15."""
    return 1.0 / (1.0 + exp(-log_odds))


def exp(x: Floats) -> Floats:
    """e to the power x; x is clipped to [-700, 700]. With x = k ln 2 + r: a Taylor series in r, times 2^k."""
    if x.size <= FEW and x.dtype == np.float64:
        return np.array([_exp(value) for value in x.ravel().tolist()]).reshape(x.shape)
    x = np.clip(x, -LIMIT, LIMIT)
    k = np.rint(x * LOG2_E)
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    total = np.full_like(r, TERMS[0])
    for term in TERMS[1:]:
        total = total * r + term
    return np.ldexp(total * r + 1.0, k.astype(np.int32))


def _exp(x: float) -> float:
    """`exp` of one number, to the bit."""
    if isnan(x):
        return x
    x = min(max(x, -LIMIT), LIMIT)
    k = round(x * LOG2_E)
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    total = TERMS[0]
    for term in TERMS[1:]:
        total = total * r + term
    return ldexp(total * r + 1.0, k)


def softplus(x: Floats) -> Floats:
    """ln(1 + exp(x)); error below 1e-15 of its value or of x. ln(1 + u) is 2 atanh(u / (2 + u)), as a power series."""
    u = exp(-np.abs(x))
    s = u / (2.0 + u)
    square = s * s
    if x.size <= FEW and x.dtype == np.float64:
        total = np.array([_odd_terms(value) for value in square.ravel().tolist()]).reshape(x.shape)
    else:
        total = np.full_like(s, ODD[0])
        for term in ODD[1:]:
            total = total * square + term
    return np.maximum(x, 0.0) + 2.0 * s * total


def _odd_terms(square: float) -> float:
    total = ODD[0]
    for term in ODD[1:]:
        total = total * square + term
    return total


def sum_columns(terms: NDArray[np.float64]) -> Floats:
    """Sum of each row of `terms` [n, d], from the first column to the last. Shape [n].

    `np.sum` and BLAS choose the order of additions by shape, and with it the last bits.
    """
    if not terms.shape[1]:
        return np.zeros(len(terms))
    return np.add.accumulate(terms, axis=1)[:, -1]
