"""Each kind of drift, planted, has its remedy."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from loan_platform.core.book.monitoring_policies import DriftPolicy
from loan_platform.core.book.parts.features import Feature
from loan_platform.core.features.design_matrix import Design
from loan_platform.core.features.rare_states import Development
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


def learned(development: pl.DataFrame, target: np.ndarray) -> Design:
    """The design of these loans."""
    kinds = {c: "category" if development[c].dtype == pl.String else "number" for c in development.columns}
    about = {"description": "d", "reason": "r"}
    features = [Feature.model_validate({"name": n, "sql": n, "kind": kind, **about}) for n, kind in kinds.items()]
    return Design.learn(tuple(features), development, np.arange(len(development)), Development(target))


DEVELOPMENT, SCORES = loans(20_000, seed=1)
REFERENCE = Reference.build(DEVELOPMENT, SCORES)
DESIGN = learned(DEVELOPMENT, (np.random.default_rng(2).random(20_000) < SCORES).astype(float))


def tenth(column: str, value: object, of: int = 10) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """One row in ten, or in `of`, has this value."""
    chosen = pl.int_range(pl.len()) % of == 0
    return lambda frame: frame.with_columns(pl.when(chosen).then(pl.lit(value)).otherwise(column).alias(column))


def assessed(
    rows: int, seed: int, change: Callable[[pl.DataFrame], pl.DataFrame], by: float, factor: float
) -> DriftTable:
    features, scores = loans(rows, seed)
    return assess(REFERENCE, change(features), shifted(scores, by, factor), POLICY, DESIGN, SHARES)


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
    alone = assess(REFERENCE, features.with_columns(pl.lit("a").alias("note")), scores, POLICY, DESIGN)
    assert alone.verdict == "critical"  # without shares each feature counts in full
    both = assessed(2_000, 3, lambda f: f.with_columns(pl.lit("a").alias("note"), pl.col("age") + 0.7), 0.0, 1.0)
    assert (both.verdict, both.remedy) == ("critical", "retrain")
    assert both.remedy_reason.startswith("age moved within")
    assert both.remedy_reason.endswith("too small a share of the model to decide alone: note (1.0%).")


def test_a_share_of_zero_makes_no_drift_critical() -> None:
    policy = DriftPolicy(min_feature_share=0)
    calm = assess(REFERENCE, DEVELOPMENT, SCORES, policy, DESIGN, SHARES)
    assert (calm.verdict, calm.remedy_reason) == ("ok", "Nothing to mend.")
    flipped = DEVELOPMENT.with_columns(pl.lit("a").alias("note"))
    assert assess(REFERENCE, flipped, SCORES, policy, DESIGN, SHARES).verdict == "critical"


def one_feature(name: str, values: np.ndarray, rate: float, batch: np.ndarray) -> tuple[Remedy, str]:
    """The remedy of a book with one feature whose scores stay as they are."""
    draw = np.random.default_rng(3)
    development, scores = pl.DataFrame({name: values}), np.full(len(values), rate)
    design = learned(development, (draw.random(len(values)) < rate).astype(float))
    reference = Reference.build(development, scores)
    table = assess(reference, pl.DataFrame({name: batch}), scores[: len(batch)], POLICY, design, {name: 1.0})
    assert table.verdict == "critical"
    return table.remedy, table.remedy_reason


def test_a_level_that_lacks_defaults_was_not_learned() -> None:
    regions = np.repeat(["north", "south", "isle"], [12_000, 7_700, 300])
    now = np.repeat(["north", "south", "isle"], [2_500, 1_000, 1_500])
    assert one_feature("region", regions, 0.02, now)[0] == "refer"  # six defaults are expected of 300 loans
    assert one_feature("region", regions, 0.15, now)[0] == "retrain"


@pytest.mark.parametrize("dealers", [40, 80])
def test_rare_levels_were_learned_together(dealers: int) -> None:
    small = np.array([f"dealer {i % dealers}" for i in range(3_200)])
    before = np.concatenate((np.repeat(["A", "B"], [9_000, 7_800]), small))
    now = np.concatenate((np.repeat(["A", "B"], [1_500, 1_300]), small[:2_200]))
    assert one_feature("dealer", before, 0.15, now)[0] == "retrain"
    assert one_feature("dealer", before, 0.002, now)[0] == "refer"  # six defaults are expected of all of them


def test_a_common_value_that_grows_is_no_fault_of_a_source() -> None:
    flag = np.repeat([0.0, 1.0], [11_000, 9_000])
    remedy, why = one_feature("flag", flag, 0.15, np.repeat([0.0, 1.0], [150, 4_850]))
    assert (remedy, why) == ("retrain", "flag moved within the values that the model knows.")
    unit = np.repeat([0.0, 1.0, 2.0], [10_000, 9_000, 1_000])
    assert one_feature("flag", unit, 0.15, np.repeat([0.0, 2.0], [150, 4_850]))[0] == "none"
    gone = np.where(flag == 1, np.nan, flag)
    values = pl.Series(gone).fill_nan(None).to_numpy()
    assert one_feature("flag", values, 0.15, np.repeat([0.0, np.nan], [150, 4_850]))[0] == "none"


def test_a_feature_may_have_the_name_of_the_score() -> None:
    before, now = np.repeat(["a", "b", "c"], [7_000, 7_000, 6_000]), np.repeat(["a", "b"], [4_000, 1_000])
    assert one_feature("score", before, 0.15, now)[0] == "retrain"


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
