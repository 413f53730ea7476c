"""Numbers that stand for a kind of missing value, and numbers that only look so."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from loan_platform.core.drafting.reading.readings import Reading, readings

DRAW = np.random.default_rng(3)
MONTHS = [int(x) for x in DRAW.integers(0, 120, 600)]
INCOMES = [int(x) for x in DRAW.integers(8_000, 90_000, 600)]
SCORES = [int(x) for x in DRAW.normal(680, 50, 600).clip(300, 850)]
DAYS = [int(x) for x in DRAW.integers(-17_000, -1, 600)]
LATE = [0] * 400 + [1] * 120 + [2] * 60 + [12] * 20


def read(values: Sequence[object], name: str = "x") -> Reading:
    table = pl.DataFrame(list(Counter(map(str, values)).items()), schema=["text", "count"], orient="row")
    return readings({name: table}, {name: tuple(name.split("_"))})[name]


def codes(values: Sequence[object], name: str = "x") -> list[int]:
    return [code.value for code in read(values, name).codes]


@pytest.mark.parametrize(
    ("values", "added"),
    [
        (INCOMES, {-999: 30}),
        (INCOMES, {-9: 6}),
        (INCOMES, {-1: 6}),
        (INCOMES, {-99999: 2}),
        (INCOMES, {-1000: 12}),
        (MONTHS, {9999: 30}),
        (MONTHS, {999: 4}),
        (MONTHS, {-7: 8, -8: 40, -9: 60}),
        (LATE, {96: 5, 98: 25}),
        (LATE, {99: 3}),
        (SCORES, {999: 40}),
        (DAYS, {365243: 90}),
        (DAYS, {9999: 20}),
        ([0.25, 0.5, 0.75] * 200, {-9: 250, 99: 4}),
    ],
)
def test_a_repeated_number_apart_from_the_rest_is_a_code(values: Sequence[object], added: dict[int, int]) -> None:
    found = read([*values, *(code for code, rows in added.items() for _ in range(rows))])
    assert {code.value: code.rows for code in found.codes} == added
    assert sorted(found.no_values, key=int) == sorted(map(str, added), key=int)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ([*MONTHS, 9999], "x"),  # once: a typing error
        ([*MONTHS, *range(120, 1000)] * 2, "x"),
        ([*range(101)] * 5, "x"),
        ([-2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8] * 40, "x"),
        ([-1, 0, 1, 2] * 100, "x"),
        ([round(x) for x in DRAW.normal(6, 5, 600)], "x"),
        ([int(x) for x in DRAW.normal(0, 40_000, 600)] + [-999] * 4, "x"),
        ([*INCOMES, *[9999] * 20], "x"),
        ([1, 2, 3, 4] * 100 + [99] * 30, "purpose_code"),
        ([10115, 20095, 80331] * 100 + [99999] * 30, "zip"),
    ],
)
def test_other_numbers_are_values(values: Sequence[object], name: str) -> None:
    assert codes(values, name) == []


def test_the_other_values_show_type_and_writing() -> None:
    assert read([*[0, 1] * 200, *[-9] * 40], "employed").type == "boolean"
    rates = [round(x, 4) for x in DRAW.uniform(0.05, 0.3, 300)] + [-999] * 90
    assert (read(rates, "int_rate").written_as, codes(rates, "int_rate")) == ("fraction", [-999])
    assert codes(["1.200,50", "900,00", "3,10"] * 100 + ["-999,00"] * 20) == [-999]
    assert read(["1.200,50", "900,00", "3,10"] * 100 + ["-999,00", "-999"] * 9).codes[0].texts == ("-999", "-999,00")
