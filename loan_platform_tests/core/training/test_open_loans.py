"""A window whose known loans are not like its open ones is told."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from loan_platform.core.book.parts.features import Feature
from loan_platform.core.book.training_policies import SplitPolicy
from loan_platform.core.evaluation.evaluation_report import SplitReport
from loan_platform.core.training.open_loans import open_windows, unlike
from loan_platform.core.training.splits import ALL_PARTS, split_loans

FEATURES = tuple(
    Feature.model_validate({"name": name, "sql": name, "description": name, "reason": name, "kind": kind})
    for name, kind in (("term", "number"), ("income", "number"), ("region", "category"))
)


def book(months: int = 40, rows: int = 200) -> pl.DataFrame:
    """One loan in ten runs 30 months, the others 10; all outcomes of ended loans are known after 40 months."""
    draw = np.random.default_rng(3)
    month = np.repeat(np.arange(months), rows)
    term = np.where(draw.random(len(month)) < 0.1, 30, 10)
    bad = draw.random(len(month)) < np.where(term == 30, 0.3, 0.15)
    known = month + np.where(bad, draw.uniform(0, term), term) <= months
    return pl.DataFrame(
        {
            "key": [f"k{i}" for i in range(len(month))],
            "date": [date(2015 + int(m) // 12, int(m) % 12 + 1, 1) for m in month],
            "target": pl.Series([int(b) if k else None for b, k in zip(bad, known, strict=True)], dtype=pl.Int8),
            "term": term.astype(float),
            "income": draw.normal(size=len(month)),
            "region": draw.choice(["north", "south", "west"], len(month)),
        }
    )


def report(policy: SplitPolicy, loans: pl.DataFrame, kind: pl.Series | None = None) -> SplitReport:
    split = split_loans(loans["key"], loans["target"], loans["date"], policy, kind)
    return split.report().model_copy(update={"open_windows": open_windows(split, loans, FEATURES)})


def test_open_loans_of_another_term_are_told_by_window():
    loans, policy = book(), SplitPolicy(min_resolved=0.9, test_months=6, calibration_months=6)
    found = report(policy, loans)
    test = found.open_windows[-1]
    assert (test.part, list(test.unlike)) == ("test", ["term"])
    assert test.unlike["term"] > 0.9
    assert f"test: the {test.open_loans} open loans of its months are not like the" in found.unlike[-1]
    assert "by term (0.9" in found.unlike[-1]
    assert SplitReport.from_json(found.to_json()) == found
    assert report(policy, loans, loans["term"]).unlike == ()


def test_without_months_all_open_loans_are_one_window():
    found = report(SplitPolicy(kind="hash"), book())
    (window,) = found.open_windows
    assert (window.part, window.open_loans) == (ALL_PARTS, book()["target"].null_count())
    assert list(window.unlike) == ["term"]


def test_levels_and_missing_values_are_compared():
    known = pl.DataFrame({"term": [12.0, None] * 50, "income": [1.0] * 100, "region": ["north"] * 90 + [None] * 10})
    still_open = pl.DataFrame({"term": [12.0] * 60, "income": [1.0] * 60, "region": ["north"] * 24 + [None] * 36})
    assert unlike(known, still_open, FEATURES) == pytest.approx(
        {"region: missing": 0.75, "region: north": 0.25, "term: missing": 0.25}
    )


def test_few_windows_are_told_by_chance():
    """Of 400 windows whose open loans were drawn from all, 1 % may be told."""
    draw, told = np.random.default_rng(11), 0
    for _ in range(400):
        loans = pl.DataFrame(
            {
                "term": draw.choice([36.0, 60.0], 300, p=[0.8, 0.2]),
                "income": draw.normal(size=300),
                "region": draw.choice(["north", "south", "west"], 300),
            }
        )
        told += bool(unlike(loans[:270], loans[270:], FEATURES))
    assert told <= 4
