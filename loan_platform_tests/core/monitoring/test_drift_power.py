"""What drift finds and what it does not, with known truth."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from loan_platform.core.book.monitoring_policies import DriftPolicy
from loan_platform.core.monitoring.drift_report import drift_reason
from loan_platform.core.monitoring.psi import DriftTable, VariableDrift, drift_table, psi
from loan_platform.core.monitoring.reference import Reference

POLICY = DriftPolicy()


def table(before: np.ndarray, after: np.ndarray) -> DriftTable:
    """Drift of one variable; NaN is missing. The scores never drift."""
    frames = [pl.DataFrame({"x": pl.Series(values).fill_nan(None)}) for values in (before, after)]
    scores = [np.linspace(0.01, 0.5, len(values)) for values in (before, after)]
    return drift_table(Reference.build(frames[0], scores[0]), frames[1], scores[1], POLICY)


def drift(before: np.ndarray, after: np.ndarray) -> VariableDrift:
    return table(before, after).variables[1]


def amounts(rows: int, seed: int, share: float = 0.07, factor: float = 1.0) -> np.ndarray:
    """An amount that few loans have."""
    draw = np.random.default_rng(seed)
    return np.where(draw.random(rows) < share, np.exp(draw.normal(7, 1, rows)) * factor, 0.0)


def test_newly_missing_values_do_not_depend_on_the_reference() -> None:
    batch = np.array([980, 20])
    found = [psi(np.array([rows, 0]), batch) for rows in (2_000, 20_000, 2_000_000)]
    assert found == pytest.approx([(0.02 - 0.0005) * np.log(40) + 0.02 * np.log(1 / 0.98)] * 3, abs=1e-12)


def test_an_empty_bin_of_a_batch_counts_no_more_than_its_share() -> None:
    nearly = np.array([2_000_000, 20])
    assert psi(nearly, np.array([100, 0])) < 1e-6
    assert psi(nearly, np.array([5_000, 0])) < 1e-6


@pytest.mark.parametrize(("share", "status"), [(0.01, "ok"), (0.05, "critical"), (0.3, "critical")])
@pytest.mark.parametrize("rows", [2_000, 20_000, 200_000])
def test_a_share_newly_missing(rows: int, share: float, status: str) -> None:
    draw = np.random.default_rng(rows)
    after = draw.normal(size=10_000)
    after[: int(share * len(after))] = np.nan
    assert drift(draw.normal(size=rows), after).status == status


@pytest.mark.parametrize("share", [0.05, 0.09])
def test_rare_amounts_in_another_unit_are_drift(share: float) -> None:
    before = amounts(40_000, 1, share)
    assert drift(before, amounts(10_000, 2, share)).status == "ok"
    found = drift(before, amounts(10_000, 3, share, factor=50))
    assert found.status in ("warning", "critical")
    assert found.psi > 0.13
    assert len(found.labels) == 7  # zero, five of the others, missing


def test_zero_has_a_bin_of_its_own() -> None:
    found = drift(amounts(40_000, 1, 0.4), amounts(10_000, 2, 0.4))
    assert found.labels[0] == "up to 0"
    assert found.reference[0] == pytest.approx(0.6, abs=0.01)
    assert found.reference[1:-1] == pytest.approx([0.08] * 5, abs=0.002)


def test_a_common_value_between_others_has_a_bin_of_its_own() -> None:
    draw = np.random.default_rng(4)
    terms = [np.where(draw.random(rows) < 0.6, 36.0, draw.uniform(10, 60, rows)) for rows in (20_000, 5_000)]
    assert drift(*terms).status == "ok"
    moved = np.where(terms[1] == 36, 25.0, terms[1])
    assert drift(terms[0], moved).status == "critical"


def test_a_shift_has_a_direction() -> None:
    draw = np.random.default_rng(1)
    before, after = draw.normal(size=20_000), draw.normal(size=5_000)
    assert drift(before, after).shift == pytest.approx(0, abs=0.02)
    # P(X + 1 > Y) - P(X + 1 < Y) of standard normal variables is 0.52; ten bins lose a little
    assert drift(before, after + 1).shift == pytest.approx(0.52, abs=0.03)
    assert drift(before, after - 1).shift == pytest.approx(-0.52, abs=0.03)
    assert drift_reason(table(before, after + 1)).endswith("(higher)")
    assert drift(before, np.full(5_000, np.nan)).shift is None


def books(rows: int, seed: int) -> tuple[pl.DataFrame, np.ndarray]:
    """Forty features: amounts, rare amounts, counts, flags, categories, with missing values."""
    draw = np.random.default_rng(seed)
    columns: dict[str, np.ndarray | pl.Series] = {}
    for i in range(10):
        values = np.exp(draw.normal(10, 0.5, rows))
        values[draw.random(rows) < 0.01 * i] = np.nan
        columns[f"amount_{i}"] = pl.Series(values).fill_nan(None)
        columns[f"rare_{i}"] = amounts(rows, seed * 100 + i, 0.02 + 0.04 * i)
        columns[f"count_{i}"] = draw.poisson(0.05 * 1.6**i, rows).astype(np.float32)
        shares = 1 / np.arange(1, 4 + 4 * i)
        columns[f"category_{i}"] = pl.Series(draw.choice(len(shares), rows, p=shares / shares.sum())).cast(pl.String)
    return pl.DataFrame(columns), draw.beta(2, 8, rows)


@pytest.mark.thorough
@pytest.mark.parametrize("reference_rows", [5_000, 50_000])
@pytest.mark.parametrize("rows", [100, 300, 1_000, 5_000])
def test_a_batch_of_the_same_book_is_rarely_told(rows: int, reference_rows: int) -> None:
    """Of 100 batches of 41 variables at most 5 have any alarm: family-wise 5 %."""
    reference = Reference.build(*books(reference_rows, seed=1))
    verdicts = [drift_table(reference, *books(rows, 1_000 + i), POLICY).verdict for i in range(100)]
    assert verdicts.count("ok") >= 95


CHANGES: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "one standard deviation": lambda f: f.with_columns(pl.col("amount_0") * np.exp(0.5)),
    "8 % missing": lambda f: f.with_columns(
        pl.when(pl.int_range(pl.len()) % 100 >= 8).then("amount_0").alias("amount_0")
    ),
    "rare amounts times 50": lambda f: f.with_columns(pl.col("rare_2") * 50),
    "a new level for 10 %": lambda f: f.with_columns(
        pl.when(pl.int_range(pl.len()) % 10 > 0).then("category_0").otherwise(pl.lit("new")).alias("category_0")
    ),
}


@pytest.mark.thorough
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_batch_is_told(change: str) -> None:
    """Of 50 batches of 1,000 rows at least 45."""
    reference = Reference.build(*books(20_000, seed=1))
    found = list[str]()
    for i in range(50):
        features, scores = books(1_000, 2_000 + i)
        found.append(drift_table(reference, CHANGES[change](features), scores, POLICY).verdict)
    assert found.count("ok") <= 5
