"""Each kind of drift, planted, has its remedy."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from loan_platform.core.book.monitoring_policies import DriftPolicy
from loan_platform.core.monitoring.psi import DriftTable, Remedy
from loan_platform.core.monitoring.reference import Reference
from loan_platform.core.monitoring.remedies import assess, score_shift

POLICY = DriftPolicy()
SHARES = {"income": 0.6, "age": 0.29, "region": 0.1, "note": 0.01}
LEVELS = ["north", "south", "west", "islands"]


def loans(rows: int, seed: int) -> tuple[pl.DataFrame, np.ndarray]:
    """Two numbers and two categories; few loans are of the islands, one in a thousand lacks the age."""
    draw = np.random.default_rng(seed)
    income, age = draw.normal(size=rows), draw.normal(size=rows)
    columns = {
        "income": income,
        "age": pl.Series(np.where(draw.random(rows) < 0.001, np.nan, age)).fill_nan(None),
        "region": draw.choice(LEVELS, rows, p=[0.5, 0.3, 0.198, 0.002]),
        "note": draw.choice(["a", "b"], rows),
    }
    return pl.DataFrame(columns), expit(-2 - 0.8 * income - 0.4 * age)


def expit(log_odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-log_odds))


def shifted(scores: np.ndarray, by: float, factor: float = 1.0) -> np.ndarray:
    log_odds = np.log(scores / (1 - scores))
    return expit((log_odds - log_odds.mean()) * factor + log_odds.mean() + by)


REFERENCE = Reference.build(*loans(20_000, seed=1))


def tenth(column: str, value: object, of: int = 10) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """One row in ten, or in `of`, has this value."""
    chosen = pl.int_range(pl.len()) % of == 0
    return lambda frame: frame.with_columns(pl.when(chosen).then(pl.lit(value)).otherwise(column).alias(column))


def assessed(
    rows: int, seed: int, change: Callable[[pl.DataFrame], pl.DataFrame], by: float, factor: float
) -> DriftTable:
    features, scores = loans(rows, seed)
    return assess(REFERENCE, change(features), shifted(scores, by, factor), POLICY, SHARES)


def same(frame: pl.DataFrame) -> pl.DataFrame:
    return frame


PLANTED: dict[str, tuple[Callable[[pl.DataFrame], pl.DataFrame], float, float, Remedy, str]] = {
    "level of the score": (same, 0.8, 1.0, "recalibrate", "The scores moved as a whole, by +0."),
    "shape of the score": (same, 0.0, 2.5, "retrain", "The scores differ in more than their level."),
    "level and shape": (same, 0.5, 2.5, "retrain", "The scores differ in more than their level."),
    "new vocabulary": (tenth("region", "Nord", of=4), 0.0, 1.0, "map_values", "region has values that no"),
    "a new level beside a moved score": (tenth("region", "Nord", of=4), 0.8, 1.0, "map_values", "region has values"),
    "a level of too few loans": (tenth("region", "islands", of=4), 0.0, 1.0, "refer", "region has values that too few"),
    "newly missing": (tenth("age", None, of=5), 0.0, 1.0, "refer", "age has values that too few"),
    "a feature that moved": (lambda f: f.with_columns(pl.col("age") + 0.7), 0.0, 1.0, "retrain", "age moved within"),
    "another unit": (
        lambda f: f.with_columns(pl.col("income") * 100 + 50),
        0.0,
        1.0,
        "none",
        "Retraining would not mend",
    ),
    "a column that went missing": (tenth("age", None, of=1), 0.0, 1.0, "none", "Retraining would not mend this. Most"),
}


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_drift_has_its_remedy(kind: str) -> None:
    change, by, factor, remedy, why = PLANTED[kind]
    for rows, seed in ((2_000, 11), (5_000, 12)):
        table = assessed(rows, seed, change, by, factor)
        assert (table.verdict, table.remedy) == ("critical", remedy)
        assert table.remedy_reason.startswith(why)


def test_without_drift_there_is_nothing_to_mend() -> None:
    found = [assessed(1_000, 100 + i, same, 0.0, 1.0) for i in range(40)]
    assert [table.remedy_reason for table in found].count("Nothing to mend.") >= 38
    small = assessed(99, 1, same, 3.0, 1.0)
    assert (small.verdict, small.remedy) == ("unknown", "none")
    assert small.remedy_reason == "Not assessable: too few rows."


def test_a_critical_feature_of_one_percent_decides_nothing() -> None:
    flipped = assessed(2_000, 3, lambda f: f.with_columns(pl.lit("a").alias("note")), 0.0, 1.0)
    assert [v.name for v in flipped.with_status("critical")] == ["note"]
    assert flipped.verdict == "warning"
    features, scores = loans(2_000, 3)
    alone = assess(REFERENCE, features.with_columns(pl.lit("a").alias("note")), scores, POLICY)
    assert alone.verdict == "critical"  # without shares each feature counts in full
    both = assessed(2_000, 3, lambda f: f.with_columns(pl.lit("a").alias("note"), pl.col("age") + 0.7), 0.0, 1.0)
    assert (both.verdict, both.remedy) == ("critical", "retrain")
    assert both.remedy_reason.startswith("age moved within")
    assert both.remedy_reason.endswith("too small a share of the model to decide alone: note (1.0%).")


@pytest.mark.parametrize("by", [-1.2, 0.0, 0.6])
def test_the_shift_of_the_level_is_found(by: float) -> None:
    _, scores = loans(20_000, seed=5)
    shift, left = score_shift(REFERENCE.score, shifted(scores, by))
    assert shift == pytest.approx(by, abs=0.1)
    assert left < 0.01


@pytest.mark.thorough
def test_remedies_of_a_hundred_planted_batches() -> None:
    """At least 95 of 100 batches of 1,000 rows get the remedy of what was planted."""
    for change, by, factor, remedy, _ in PLANTED.values():
        found = [assessed(1_000, 1_000 + i, change, by, factor).remedy for i in range(100)]
        assert found.count(remedy) >= 95
