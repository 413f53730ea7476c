import json
from functools import lru_cache

import numpy as np
import polars as pl
import pytest

from loan_platform.core.book.monitoring_policies import DriftPolicy
from loan_platform.core.features.undefined import LARGEST
from loan_platform.core.monitoring.drift_report import DriftReport
from loan_platform.core.monitoring.psi import DriftTable, chance_psi, drift_table, psi
from loan_platform.core.monitoring.reference import Reference

REFERENCE_ROWS = 40_000
POLICY = DriftPolicy()


def loans(rows: int, seed: int) -> tuple[pl.DataFrame, np.ndarray]:
    """Sixty features as a loan book has them: skewed amounts, counts, flags, categories, missing values."""
    draw = np.random.default_rng(seed)
    risk = draw.normal(size=rows)
    columns: dict[str, np.ndarray | pl.Series] = {}
    for i in range(30):
        amount = np.exp(draw.normal(10 + 0.1 * i, 0.4 + 0.02 * i, rows) + 0.3 * risk)
        amount[draw.random(rows) < 0.03 * (i % 6)] = np.nan
        columns[f"amount_{i}"] = pl.Series(amount).fill_nan(None)
    for i in range(14):
        columns[f"count_{i}"] = draw.poisson(0.05 * 1.6**i, rows).astype(np.float32)
    for i in range(8):
        columns[f"flag_{i}"] = draw.random(rows) < 0.005 * 2**i
    for i in range(7):
        shares = 1 / np.arange(1, 6 + 7 * i) ** 1.2
        names = np.array([f"level {k}" for k in range(len(shares))])
        columns[f"category_{i}"] = names[draw.choice(len(shares), rows, p=shares / shares.sum())]
    columns["constant"] = np.ones(rows)
    return pl.DataFrame(columns), 1 / (1 + np.exp(2 - risk))


@lru_cache(maxsize=1)
def reference() -> Reference:
    return Reference.build(*loans(REFERENCE_ROWS, seed=1))


def drift_of(features: pl.DataFrame, scores: np.ndarray, policy: DriftPolicy = POLICY) -> DriftTable:
    return drift_table(reference(), features, scores, policy)


def of_one(before: pl.Series, after: pl.Series) -> DriftTable:
    scores = [np.linspace(0.01, 0.5, len(s)) for s in (before, after)]
    frozen = Reference.build(pl.DataFrame({"x": before}), scores[0])
    return drift_table(frozen, pl.DataFrame({"x": after}), scores[1], POLICY)


def test_fifty_samples_of_the_same_book_raise_no_alarm() -> None:
    tables = [drift_of(*loans(1_000, seed=100 + i)) for i in range(50)]
    assert [table.verdict for table in tables] == ["ok"] * 50
    assert {len(table.variables) for table in tables} == {61}


def test_every_score_moved_halfway_to_one_is_an_alarm() -> None:
    features, scores = loans(1_000, seed=7)
    table = drift_of(features, 0.5 * scores + 0.5)
    assert table.verdict == "critical"
    assert [v.name for v in table.with_status("critical")] == ["score"]
    assert table.variables[0].role == "score"


def test_a_flipped_flag_is_an_alarm() -> None:
    features, scores = loans(1_000, seed=8)
    table = drift_of(features.with_columns(~pl.col("flag_2")), scores)
    assert table.verdict == "critical"
    assert [v.name for v in table.with_status("critical")] == ["flag_2"]


def test_a_moderate_shift_warns() -> None:
    features, scores = loans(20_000, seed=9)
    # exp(0.2) on a spread of about 0.5: PSI near 0.16
    table = drift_of(features.with_columns(pl.col("amount_0") * np.exp(0.2)), scores)
    assert table.verdict == "warning"
    assert [v.name for v in table.with_status("warning")] == ["amount_0"]


def test_a_batch_below_the_policy_has_no_verdict() -> None:
    table = drift_of(*loans(99, seed=3))
    assert table.verdict == "unknown"
    assert {v.status for v in table.variables} == {"unknown"}
    empty = drift_of(*loans(0, seed=3))
    assert (empty.verdict, empty.variables, empty.rows) == ("unknown", (), 0)


def test_a_reference_survives_json_whatever_the_row_order() -> None:
    features, scores = loans(3_000, seed=4)
    order = np.random.default_rng(0).permutation(3_000)
    one = Reference.build(features, scores)
    other = Reference.build(features[order], scores[order])
    assert json.dumps(one.to_json()) == json.dumps(other.to_json())
    assert Reference.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_every_row_falls_into_one_bin() -> None:
    assert {sum(v.counts) for v in reference().variables} == {REFERENCE_ROWS}
    assert all(len(v.counts) == len(v.labels) for v in reference().variables)


def test_bins_of_a_number() -> None:
    values = pl.Series([*range(1, 101), None, float("nan")], dtype=pl.Float64, strict=False)
    table = of_one(values, pl.Series([5.0, 1e9, -1e9, float("inf"), float("-inf"), None]))
    x = table.variables[1]
    assert x.labels[0] == "up to 11"
    assert x.labels[-2:] == ("above 91", "(missing)")
    assert x.reference[-1] == pytest.approx(2 / 102)
    assert [round(share * 6) for share in x.batch] == [3, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1]


def test_a_bin_of_undefined_values_is_named() -> None:
    few = pl.DataFrame({"x": [1.0, 2.0, LARGEST, -LARGEST]})
    assert Reference.build(few, np.zeros(4)).features[0].labels == (
        "(undefined, low)",
        "1",
        "2",
        "(undefined)",
        "(other)",
        "(missing)",
    )
    many = pl.DataFrame({"x": [*(float(i) for i in range(60)), *[LARGEST] * 40]})
    assert "above (undefined)" in Reference.build(many, np.zeros(100)).features[0].labels


def test_bins_of_few_values_show_a_value_new_since_development() -> None:
    x = of_one(pl.Series([0, 0, 1, 2]), pl.Series([0, 3, 3, None])).variables[1]
    assert x.labels == ("0", "1", "2", "(other)", "(missing)")
    assert x.batch == (0.25, 0, 0, 0.5, 0.25)


def test_a_constant_that_changes_is_an_alarm() -> None:
    same, other = pl.Series([1.0] * 500), pl.Series([1.1] * 500)
    assert of_one(same, same).variables[1].psi == 0.0
    assert of_one(same, other).variables[1].status == "critical"


def test_levels_of_a_category() -> None:
    before = pl.Series(["a"] * 60 + ["b"] * 30 + [None] * 10)
    x = of_one(before, pl.Series(["a", "new", None, "a"])).variables[1]
    assert x.labels == ("a", "b", "(other)", "(missing)")
    assert x.reference == (0.6, 0.3, 0.0, 0.1)
    assert x.batch == (0.5, 0, 0.25, 0.25)
    assert of_one(before, before.cast(pl.Categorical)).variables[1].psi == 0.0


def test_rare_levels_beyond_fifty_share_a_bin() -> None:
    before = pl.Series([f"town {i:03}" for i in range(300) for _ in range(1 + (i < 49))])
    x = of_one(before, before).variables[1]
    assert len(x.labels) == 53
    assert sum(x.reference[-3:-1]) == pytest.approx((349 - 99) / 349)
    assert x.psi == 0.0


def test_all_missing_is_a_bin() -> None:
    empty = pl.Series([None] * 200, dtype=pl.Float64)
    assert of_one(empty, empty).variables[1].psi == 0.0
    assert of_one(empty, pl.Series([1.0] * 200)).variables[1].status == "critical"


def test_psi_by_hand() -> None:
    # (0.5 - 0.25) ln(2) + (0.5 - 0.75) ln(2/3)
    assert psi(np.array([25, 75]), np.array([50, 50])) == pytest.approx(0.27465307, abs=1e-8)
    # an empty bin counts as half a row; one that is empty on both sides is left out
    assert psi(np.array([100, 100, 0]), np.array([10, 0, 0])) == pytest.approx(
        (1 - 0.5) * np.log(2) + (0.05 - 0.5) * np.log(0.1)
    )


@pytest.mark.parametrize("rows", [100, 1_000, 10_000])
def test_chance_is_what_sampling_gives(rows: int) -> None:
    draw = np.random.default_rng(5)
    shares = np.full(10, 0.1)
    values = [psi(draw.multinomial(50_000, shares), draw.multinomial(rows, shares)) for _ in range(4_000)]
    exceeded = np.mean(np.array(values) > chance_psi(10, rows, 50_000, 0.99))
    assert 0.005 <= exceeded <= 0.03


@pytest.mark.parametrize("rows", [100, 300])
def test_rare_levels_in_a_small_batch_stay_within_chance(rows: int) -> None:
    draw = np.random.default_rng(6)
    shares = np.array([0.6, 0.3, *[0.01] * 10])
    values = [psi(draw.multinomial(50_000, shares), draw.multinomial(rows, shares)) for _ in range(4_000)]
    assert np.mean(np.array(values) > chance_psi(12, rows, 50_000, 0.99)) <= 0.01


def test_chance_of_one_bin_is_zero() -> None:
    assert chance_psi(1, 100, 100, 0.99) == 0.0


def test_a_missing_feature_is_named() -> None:
    features, scores = loans(200, seed=2)
    with pytest.raises(ValueError, match=r"lacks features of the drift reference: count_3, flag_1$"):
        drift_of(features.drop("flag_1", "count_3"), scores)


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="2 rows of features, but 3 scores"):
        Reference.build(pl.DataFrame({"x": [1, 2]}), np.zeros(3))
    with pytest.raises(ValueError, match="at least one development loan"):
        Reference.build(pl.DataFrame({"x": []}, schema={"x": pl.Float64}), np.zeros(0))


def test_the_table_as_json_and_as_frame() -> None:
    table = drift_of(*loans(1_000, seed=11))
    report = DriftReport.from_table("2018-07", table)
    plain = json.loads(json.dumps(report.model_dump(mode="json"), allow_nan=False))
    assert DriftReport.from_json(report.to_json()) == report
    assert plain["verdict"] == "ok"
    assert plain["variables"][0]["name"] == "score"
    assert sum(b["batch"] for b in plain["variables"][5]["bins"]) == pytest.approx(1)
    frame = table.to_frame()
    assert frame.shape == (61, 8)
    assert frame["missing_batch"].is_between(0, 1).all()


def employers(rows: int, seed: int, new_share: float = 0.0) -> pl.Series:
    """A category of 2,000 levels, most of them rare; a share of the rows has levels that no development loan has."""
    draw = np.random.default_rng(seed)
    shares = 1 / np.arange(1, 2_001)
    names = [f"employer {k}" for k in draw.choice(2_000, rows, p=shares / shares.sum())]
    new = draw.random(rows) < new_share
    return pl.Series("x", [f"unseen {i % 400}" if new[i] else name for i, name in enumerate(names)])


def test_levels_that_no_loan_had_are_drift() -> None:
    before = employers(8_000, seed=1)
    changed = of_one(before, employers(2_000, seed=2, new_share=0.3))
    assert [v.status for v in changed.variables] == ["ok", "critical"]
    assert changed.variables[1].labels[-3:] == ("(other)", "(new)", "(missing)")


def test_new_levels_in_a_long_tail_are_expected() -> None:
    before = employers(8_000, seed=1)
    assert {of_one(before, employers(2_000, seed=10 + i)).variables[1].status for i in range(20)} == {"ok"}
