"""Loans with an honest AUC of about .70, and one leak of a stated kind."""

from collections.abc import Callable

import numpy as np
import polars as pl

from loan_platform.core.book.constants import TARGET

Floats = np.ndarray
TERMS = np.array([36, 60, 84, 120, 240])


def honest_loans(rows: int = 4_000, seed: int = 5, rate: float = -2.1) -> pl.DataFrame:
    """`income`, `utilisation`, `purpose`, `inquiries` (partly missing), `term` and the outcome."""
    rng = np.random.default_rng(seed)
    income, used = np.exp(rng.normal(10.5, 0.5, rows)).round(-2), rng.beta(2, 3, rows).round(3)
    inquiries, purpose = rng.poisson(1.0, rows), rng.choice(["car", "debt", "home"], rows)
    signal = 2.6 * (used - 0.4) + 0.5 * (inquiries - 1) + 0.7 * (purpose == "debt") - 0.7 * (np.log(income) - 10.5)
    frame = pl.DataFrame(
        {
            "income": income,
            "utilisation": used,
            "purpose": purpose,
            "inquiries": inquiries,
            "term": rng.choice(TERMS, rows, p=[0.2, 0.3, 0.3, 0.1, 0.1]),
            TARGET: (rng.random(rows) < 1 / (1 + np.exp(-rate - signal))).astype(int),
        }
    )
    known = pl.Series(rng.random(rows) > 0.06)
    return frame.with_columns(pl.when(known).then("inquiries").alias("inquiries"))


def leaky_loans(kind: str, rows: int = 4_000, seed: int = 5) -> tuple[pl.DataFrame, str]:
    """The loans with one leak, and the name of its column."""
    frame, rng = honest_loans(rows, seed), np.random.default_rng(seed + 1)
    return LEAKS[kind](frame, frame[TARGET].to_numpy() == 1, rng)


def _after_the_event(frame: pl.DataFrame, bad: Floats, rng: np.random.Generator) -> tuple[pl.DataFrame, str]:
    """An amount that was got back from some of the defaulted loans; 0 elsewhere."""
    got = np.where(bad & (rng.random(len(bad)) < 0.5), rng.uniform(50, 5_000, len(bad)).round(2), 0.0)
    return frame.with_columns(proceeds=pl.Series(got)), "proceeds"


def _rewriting(frame: pl.DataFrame, bad: Floats, rng: np.random.Generator) -> tuple[pl.DataFrame, str]:
    """The term of a defaulted loan is the months that were paid."""
    term = frame["term"].to_numpy()
    paid = (term * rng.uniform(0.1, 0.99, len(bad))).astype(int)
    return frame.with_columns(term=pl.Series(np.where(bad, paid, term))), "term"


def _missingness(frame: pl.DataFrame, bad: Floats, rng: np.random.Generator) -> tuple[pl.DataFrame, str]:
    """A score of which only repaid loans have a value, whatever it is."""
    filled = pl.Series(~bad & (rng.random(len(bad)) < 0.8))
    score = pl.Series(rng.normal(600, 50, len(bad)).round())
    return frame.with_columns(pl.when(filled).then(score).alias("survey")), "survey"


def _file_order(frame: pl.DataFrame, bad: Floats, rng: np.random.Generator) -> tuple[pl.DataFrame, str]:
    """The file has mostly repaid loans first, and a ticket counts its rows."""
    order = np.argsort(bad * 1.0 + rng.normal(0, 1.0, len(bad)), kind="stable")
    ticket = 100_000 + np.cumsum(rng.integers(1, 9, len(bad)))
    return frame[order].with_columns(ticket=pl.Series(ticket)), "ticket"


def _join(frame: pl.DataFrame, bad: Floats, rng: np.random.Generator) -> tuple[pl.DataFrame, str]:
    """A linked table of calls has rows of a tenth of the loans, nearly all of which defaulted."""
    called = np.where(bad, rng.random(len(bad)) < 0.4, rng.random(len(bad)) < 0.002)
    calls = pl.Series(rng.poisson(3.0, len(bad)))
    return frame.with_columns(pl.when(pl.Series(called)).then(calls).alias("calls")), "calls"


LEAKS: dict[str, Callable[[pl.DataFrame, Floats, np.random.Generator], tuple[pl.DataFrame, str]]] = {
    "after_the_event": _after_the_event,
    "rewriting": _rewriting,
    "missingness": _missingness,
    "file_order": _file_order,
    "join": _join,
}
