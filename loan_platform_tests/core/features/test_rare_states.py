"""What stands in for a state of a feature that training saw too seldom."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from loan_platform.core.book.parts.features import Feature
from loan_platform.core.features.design_column import DesignColumn
from loan_platform.core.features.design_matrix import Design
from loan_platform.core.features.left_out import left_out
from loan_platform.core.features.rare_states import Development
from loan_platform.core.features.undefined import LARGEST

ROWS = 4_000


def _feature(name: str, **keys: str) -> Feature:
    return Feature.model_validate({"name": name, "sql": name, "description": name, "reason": name, **keys})


def _learn(feature: Feature, values: Sequence[float | str | None], target: np.ndarray, **policy: int) -> Design:
    frame = pl.DataFrame({feature.name: values})
    return Design.learn((feature,), frame, np.arange(len(values)), Development(target, **policy))


def _rising(missing: int = 0) -> tuple[list[float | None], np.ndarray]:
    """Values 0 to 1, of which the first are missing, and outcomes: 10 % default at 0, 50 % at 1."""
    rng = np.random.default_rng(4)
    x = rng.random(ROWS)
    y = (rng.random(ROWS) < 0.1 + 0.4 * x).astype(float)
    return [None if row < missing else float(v) for row, v in enumerate(x)], y


@pytest.mark.parametrize(("missing", "learned"), [(0, False), (3, False), (99, False), (100, True), (400, True)])
def test_a_missing_number_is_learned_from_enough_loans(missing: int, learned: bool):
    values, y = _rising(missing)
    design = _learn(_feature("x"), values, y)
    seen = design.matrix(pl.DataFrame({"x": [None, 0.25]}, schema={"x": pl.Float64}))[:, 0]
    assert seen[1] == 0.25
    assert np.isnan(seen[0]) == learned
    if not learned:
        assert 0.35 < seen[0] < 0.65
        assert seen[0] in np.array(values, np.float32)
        assert design.stand_ins == {"x": f"{seen[0]:g}"}


def test_a_state_needs_loans_that_could_have_defaulted():
    values, _ = _rising(400)
    rare = np.zeros(ROWS)
    rare[100:180] = 1.0  # 2 %: 400 loans have 8
    assert not np.isnan(_learn(_feature("x"), values, rare).matrix(pl.DataFrame({"x": [None]}))[0, 0])
    assert np.isnan(_learn(_feature("x"), values, rare, min_defaults=8).matrix(pl.DataFrame({"x": [None]}))[0, 0])
    goods = 1 - rare
    assert not np.isnan(_learn(_feature("x"), values, goods).matrix(pl.DataFrame({"x": [None]}))[0, 0])


def test_average_is_the_risk_of_all_loans_not_the_middle_value():
    """Loans in the middle are the safest, so their value would flatter a loan without one."""
    rng = np.random.default_rng(6)
    x = rng.normal(0, 1, ROWS)
    y = (rng.random(ROWS) < np.minimum(0.02 + 0.2 * x**2, 1)).astype(float)
    design = _learn(_feature("x"), x.tolist(), y)
    assert 0.6 < abs(design.columns[0].missing or 0.0) < 1.4


@pytest.mark.parametrize(
    ("keys", "low", "high"),
    [
        ({"monotone": "increasing"}, 0.98, 1.0),
        ({"monotone": "decreasing"}, 0.0, 0.02),
        ({}, 0.7, 1.0),  # the tenth of the loans with the most defaults
    ],
)
def test_worst_is_the_risky_end(keys: dict[str, str], low: float, high: float):
    values, y = _rising()
    column = _learn(_feature("x", when_missing="worst", **keys), values, y).columns[0]
    assert low <= (column.missing or -1.0) <= high


def test_an_undefined_value_is_none_that_stands_in():
    values, y = _rising()
    undefined = [LARGEST if v is not None and v > 0.4 else v for v in values]
    feature = _feature("x", when_undefined="largest", when_missing="worst", monotone="increasing")
    column = _learn(feature, undefined, y).columns[0]
    assert column.missing is not None
    assert 0.35 < column.missing <= 0.4


def _purposes(missing: int, rare: int) -> tuple[list[str | None], np.ndarray]:
    rng = np.random.default_rng(9)
    values: list[str | None] = rng.choice(["car", "debt", "home"], ROWS).tolist()
    values[:missing] = [None] * missing
    values[ROWS - rare :] = ["boat"] * rare
    rates = {"car": 0.1, "debt": 0.5, "home": 0.25}
    return values, (rng.random(ROWS) < [rates.get(v or "", 0.28) for v in values]).astype(float)


def test_a_rare_or_new_category_is_like_the_average_one():
    values, y = _purposes(missing=5, rare=40)
    design = _learn(_feature("purpose", kind="category"), values, y)
    assert design.names == ("purpose=car", "purpose=debt", "purpose=home")
    frame = pl.DataFrame({"purpose": ["boat", "moon", None, "home", "car"]})
    home = [0, 0, 1]
    assert design.matrix(frame).tolist() == [home, home, home, home, [1, 0, 0]]
    assert design.not_seen(frame["purpose"]).to_list() == [True, True, True, False, False]
    assert design.stand_ins == {"purpose": "home"}
    many = pl.concat([frame] * 9)  # filled in bulk, not row by row
    assert np.array_equal(design.matrix(many), np.tile(design.matrix(frame), (9, 1)))
    worst = _learn(_feature("purpose", kind="category", when_missing="worst"), values, y)
    assert worst.matrix(frame)[:3].tolist() == [[0, 1, 0]] * 3


def test_a_missing_category_that_is_seen_often_is_its_own_state():
    values, y = _purposes(missing=400, rare=0)
    design = _learn(_feature("purpose", kind="category"), values, y)
    frame = pl.DataFrame({"purpose": [None, "moon"]})
    assert design.matrix(frame).tolist() == [[0, 0, 0], [0, 0, 1]]
    assert design.not_seen(frame["purpose"]).to_list() == [False, True]
    assert design.stand_ins == {}


def test_a_design_of_an_older_bundle_reads_as_before():
    stored = {"feature": "purpose", "level": "car", "low": None, "high": None}
    column = DesignColumn.model_validate(stored)
    assert column.model_dump(mode="json") == stored
    design = Design((DesignColumn(feature="x"), column))
    frame = pl.DataFrame({"x": [None, 1.0], "purpose": ["moon", None]})
    assert np.isnan(design.matrix(frame)[0, 0])
    assert design.matrix(frame)[:, 1].tolist() == [0, 0]
    assert not design.not_seen(frame["purpose"]).any()


def _dealers(loans: int) -> tuple[list[str], np.ndarray]:
    """35 % each of A and B, of which 5 % default, and 60 dealers, of which 15 % do."""
    rng = np.random.default_rng(0)
    at = rng.choice(62, loans, p=[0.35, 0.35] + [0.3 / 60] * 60)
    names = np.array(["A", "B", *(f"d{dealer}" for dealer in range(60))])
    return names[at].tolist(), (rng.random(loans) < np.where(at < 2, 0.05, 0.15)).astype(float)


def test_rare_levels_that_are_enough_together_are_one_state():
    values, y = _dealers(ROWS)
    feature = _feature("dealer", kind="category")
    design = _learn(feature, values, y)
    assert design.names == ("dealer=A", "dealer=B", "dealer=(rare)")
    assert design.levels == {"dealer": ("A", "B")}
    frame = pl.DataFrame({"dealer": ["A", "B", "d0", "d59", "moon", None]})
    matrix = design.matrix(frame)
    assert matrix[:4].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]]
    assert matrix[4].tolist() == matrix[5].tolist()  # never seen: as a missing value
    assert design.not_seen(frame["dealer"]).to_list() == [False, False, False, False, True, True]
    assert np.array_equal(design.matrix(pl.concat([frame] * 9)), np.tile(matrix, (9, 1)))
    stored = [DesignColumn.model_validate(column.model_dump(mode="json")) for column in design.columns]
    assert Design(tuple(stored)) == design
    assert "rare" not in stored[0].model_dump()


def test_rare_levels_below_the_limit_count_as_the_stand_in():
    values, y = _purposes(missing=0, rare=40)
    values[:80] = [f"boat {row}" for row in range(80)]  # 120 loans in 81 levels
    design = _learn(_feature("purpose", kind="category"), values, y, min_rows=121)
    assert design.names == ("purpose=car", "purpose=debt", "purpose=home")
    design = _learn(_feature("purpose", kind="category"), values, y, min_rows=120)
    assert design.columns[-1].rare == ("boat", *sorted(f"boat {row}" for row in range(80)))


def test_a_level_called_rare_is_one_of_the_rare_levels():
    values, y = _dealers(ROWS)
    renamed = ["(rare)" if value == "B" else value for value in values]
    design = _learn(_feature("dealer", kind="category"), renamed, y)
    assert design.names == ("dealer=A", "dealer=(rare)")
    assert design.matrix(pl.DataFrame({"dealer": ["(rare)", "d3"]})).tolist() == [[0, 1], [0, 1]]


def test_missing_and_rare_levels_are_two_states():
    values: list[str | None] = [f"d{row % 60}" for row in range(ROWS)]
    values[:400] = [None] * 400
    design = _learn(_feature("dealer", kind="category"), values, (np.arange(ROWS) % 5 == 0).astype(float))
    assert design.matrix(pl.DataFrame({"dealer": [None, "d1"]})).tolist() == [[0], [1]]


def _left_out(feature: Feature, values: Sequence[float | str | None], target: np.ndarray) -> dict[str, str]:
    loans, rows = pl.DataFrame({feature.name: values}), np.arange(len(values))
    return left_out(_learn(feature, values, target), (feature,), loans, rows)


def test_what_was_left_out_is_told():
    feature, values = _feature("dealer", kind="category"), _dealers(ROWS)
    rows = sum(value.startswith("d") for value in values[0])
    told = f"60 levels with {rows:,} loans together are learned as one, (rare)"
    assert _left_out(feature, *values) == {"dealer": told}
    regions = [f"region {row % 8}" for row in range(700)]
    unread = "the model does not read it: "
    told = f"{unread}too few of its 8 levels can be learned. The most frequent has 88 of 700 development loans"
    assert _left_out(feature, regions, (np.arange(700) % 6 == 0).astype(float)) == {"dealer": told}
    few = _purposes(missing=0, rare=40)
    told = "1 level with 40 loans counts as 'home', because so few cannot be learned"
    assert _left_out(feature, *few) == {"dealer": told}
    y = few[1]
    assert _left_out(feature, ["car", "home"] * (ROWS // 2), y) == {}
    number, same = _feature("x"), f"{unread}all development loans have the same value"
    assert _left_out(number, [2.0] * ROWS, y) == {"x": same}
    assert _left_out(number, [None, *[2.0] * (ROWS - 1)], y) == {"x": f"{same}, and too few (1) lack it"}
    assert _left_out(feature, ["car"] * ROWS, y) == {"dealer": same}
    assert _left_out(number, _rising()[0], y) == {}
