"""Small random draws shared by the parts of the generator; all take the part's own numpy Generator."""

import numpy as np

from loan_platform.sample_data.lending_club.columns import Bools, Floats, Ints

LOGISTIC_TO_NORMAL = 1.702
"""Scale that brings the logistic curve within 0.0095 of the normal one (Camilli 1994)."""


def mixed(rng: np.random.Generator, *parts: tuple[float, Floats]) -> Floats:
    """Standard normal that loads on the given standard normals; the rest of its variance is its own."""
    own = 1.0 - sum(weight * weight for weight, _ in parts)
    if own < 0:
        raise ValueError("loadings explain more than the whole variance")
    total = np.sqrt(own) * rng.standard_normal(len(parts[0][1]))
    for weight, part in parts:
        total += weight * part
    return total


def sigmoid(values: Floats) -> Floats:
    """Logistic function."""
    return 1.0 / (1.0 + np.exp(-values))


def normal_rank(values: Floats) -> Floats:
    """Map standard normals to ranks in 0..1."""
    return sigmoid(LOGISTIC_TO_NORMAL * values)


def pick(ranks: Floats, shares: tuple[float, ...] | Floats) -> Ints:
    """Turn ranks in 0..1 into category numbers with the given shares (scaled to sum to one)."""
    edges = np.cumsum(np.asarray(shares, dtype=np.float64))
    return np.searchsorted(edges[:-1] / edges[-1], ranks, side="right").astype(np.int64)


def count(rng: np.random.Generator, mean: Floats) -> Floats:
    """Poisson counts as floats."""
    return rng.poisson(mean).astype(np.float64)


def part_of(rng: np.random.Generator, whole: Floats, share: float | Floats) -> Floats:
    """Binomial part of each whole number."""
    return rng.binomial(whole.astype(np.int64), share).astype(np.float64)


def without(values: Floats, gone: Bools) -> Floats:
    """The values with NaN, the mark of a missing one, where `gone`."""
    return np.where(gone, np.nan, values)
