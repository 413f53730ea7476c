from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from loan_platform.core.book.training_policies import SplitPolicy
from loan_platform.core.training.hash_split import stable_hash
from loan_platform.core.training.matured_months import kind_text, mature_loans, matured_months
from loan_platform.core.training.splits import LoanSplit, SplitError, split_loans


def _book(months: int = 24, per_month: int = 50) -> pl.DataFrame:
    rows = months * per_month
    return pl.DataFrame(
        {
            "key": [f"k{i}" for i in range(rows)],
            "date": [date(2010 + i // 12, i % 12 + 1, 15) for i in range(months) for _ in range(per_month)],
            "target": [i % 5 == 0 for i in range(rows)],
        }
    ).with_columns(pl.col("target").cast(pl.Int8))


def _split(frame: pl.DataFrame, **policy: Any) -> LoanSplit:
    return split_loans(
        frame["key"], frame["target"], frame["date"], SplitPolicy.model_validate({"test_months": 4, **policy})
    )


def test_newest_matured_vintages_test_and_those_before_calibrate():
    split = _split(_book(), calibration_months=6)
    months = _book()["date"]
    assert months[split.test].unique().sort().to_list() == [date(2011, m, 15) for m in (9, 10, 11, 12)]
    assert (months[split.calibration].min(), months[split.calibration].max()) == (date(2011, 3, 15), date(2011, 8, 15))
    assert months[split.fit].max() == date(2011, 2, 15)
    assert split.report().test.model_dump(mode="json") == {
        "rows": 200,
        "defaults": 40,
        "default_rate": 0.2,
        "first": "2011-09-01",
        "last": "2011-12-01",
    }


def test_parts_are_disjoint_and_every_loan_is_accounted_for():
    frame = _book().with_columns(pl.when(pl.int_range(pl.len()) % 50 != 7).then(pl.col("target")))
    split = _split(frame)
    parts = np.concatenate((split.fit, split.calibration, split.test))
    assert len(np.unique(parts)) == len(parts)
    assert len(parts) + split.unknown_outcome + split.immature == split.rows == frame.height
    assert split.unknown_outcome == 24


def test_a_vintage_after_the_first_immature_one_is_immature():
    open_month = pl.col("date") == date(2011, 10, 15)
    frame = _book().with_columns(pl.when(~open_month | (pl.int_range(pl.len()) % 2 == 0)).then(pl.col("target")))
    split = _split(frame)
    assert frame["date"][split.test].max() == date(2011, 9, 15)
    assert split.immature == 25 + 100
    assert split.unknown_outcome == 25


def test_folds_expand_in_time_inside_the_training_window():
    split = _split(_book(), folds=3)
    months = _book()["date"]
    assert len(split.folds) == 3
    sizes = [len(train) for train, _ in split.folds]
    assert sizes == sorted(sizes)
    for train, validation in split.folds:
        assert sorted(months[train])[-1] < sorted(months[validation])[0]
        assert set(train.tolist()) | set(validation.tolist()) <= set(split.training.tolist())
    assert len(split.folds[-1][0]) + len(split.folds[-1][1]) == len(split.training)


def test_row_order_does_not_matter():
    frame = _book()
    shuffled = frame.sample(fraction=1, shuffle=True, seed=3)
    for kind in ("out_of_time", "hash"):
        one, other = _split(frame, kind=kind), _split(shuffled, kind=kind)
        for name in ("fit", "calibration", "test", "training"):
            assert frame["key"][getattr(one, name)].to_list() == shuffled["key"][getattr(other, name)].to_list()
        for (a, b), (c, d) in zip(one.folds, other.folds, strict=True):
            assert frame["key"][a].to_list() == shuffled["key"][c].to_list()
            assert frame["key"][b].to_list() == shuffled["key"][d].to_list()


def test_hash_split_keeps_shares_and_nearly_every_loan_in_place():
    frame = _book(per_month=400)
    split = split_loans(frame["key"], frame["target"], None, SplitPolicy(kind="hash"))
    assert len(split.test) / frame.height == pytest.approx(0.25, abs=0.001)
    assert len(split.calibration) / len(split.training) == pytest.approx(0.2, abs=0.001)
    validation = np.concatenate([v for _, v in split.folds])
    assert sorted(validation) == sorted(split.training)
    half = frame.gather_every(2)
    again = split_loans(half["key"], half["target"], None, SplitPolicy(kind="hash"))
    moved = set(half["key"][again.test]) - set(frame["key"][split.test])
    assert len(moved) < 0.02 * half.height


def test_hash_split_gives_every_part_the_book_s_default_rate():
    keys = pl.Series("key", [f"L{i}" for i in range(2_000)])
    target = pl.Series("target", [1 if i % 100 == 7 else 0 for i in range(2_000)])  # 20 defaults
    split = split_loans(keys, target, None, SplitPolicy(kind="hash", folds=4))
    assert {name: part.defaults for name, part in split.parts.items()} == {"fit": 12, "calibration": 3, "test": 5}
    validation = [int(target[rows].sum()) for _, rows in split.folds]
    assert sum(validation) == 15
    assert set(validation) <= {3, 4}


def test_stable_hash_never_changes():
    assert stable_hash(pl.Series(["", "a", "loan 1", "ü"])).tolist() == [
        4023394144,
        2191698264,
        2990374760,
        2593104810,
    ]
    assert stable_hash(pl.Series([None], dtype=pl.String)).tolist() == [4023394144]
    assert stable_hash(pl.Series([], dtype=pl.String)).tolist() == []
    assert stable_hash(pl.Series([12])).tolist() == stable_hash(pl.Series(["12"])).tolist()


@pytest.mark.parametrize(
    ("change", "policy", "message"),
    [
        ({"target": None}, {}, "none of the 1200 outcomes is known"),
        ({"target": 0}, {}, "with 0 defaults"),
        ({"target": 1}, {}, "each set needs defaulted and repaid"),
        ({}, {"test_months": 20}, r"24 matured vintages, of which split.test_months \(20\)"),
        ({}, {"test_months": 15, "calibration_months": 8, "folds": 10}, r"9 vintages, which split.folds \(10\)"),
    ],
)
def test_what_cannot_be_split_is_explained(change: dict[str, Any], policy: dict[str, Any], message: str):
    frame = _book().with_columns(pl.lit(value, dtype=pl.Int8).alias(name) for name, value in change.items())
    with pytest.raises(SplitError, match=message):
        _split(frame, **policy)


def test_out_of_time_needs_a_date():
    frame = _book()
    with pytest.raises(SplitError, match="set it to hash"):
        split_loans(frame["key"], frame["target"], None, SplitPolicy())


def _loans(month: date, known: int, open_: int = 0) -> pl.DataFrame:
    targets = [*(i % 5 == 0 for i in range(known)), *[None] * open_]
    keys = [f"{month}/{i}" for i in range(known + open_)]
    return pl.DataFrame({"key": keys, "date": [month] * len(keys), "target": pl.Series(targets, dtype=pl.Int8)})


def _months(sizes: dict[int, tuple[int, int]], months: int, tail: int, rows: int) -> pl.DataFrame:
    """Months from 2010 on of as many loans, of which those of the newest are open; `sizes`: others, by number."""
    plain = {i: (rows, 0) if i < months - tail else (0, rows) for i in range(months)}
    return pl.concat([_loans(date(2010 + i // 12, i % 12 + 1, 1), *size) for i, size in (plain | sizes).items()])


@pytest.mark.parametrize("tail", [0, 4])
def test_one_open_loan_in_a_small_month_does_not_end_the_series(tail: int):
    first = _loans(date(2009, 12, 1), 4, 1)
    newest = [_loans(date(2012, i + 1, 1), 0, 50) for i in range(tail)]
    book = pl.concat([first, _book(), *newest])
    split = _split(book)
    assert book["date"][split.test].max() == date(2011, 12, 15)
    assert (split.unknown_outcome, split.immature) == (1 + 50 * tail, 4)  # the other four of that month are left out
    assert split.immature_by_month == {"2009-12": 4}
    assert split.report().immature_by_month == split.immature_by_month


@pytest.mark.parametrize(
    ("small", "size", "rows"),
    [(9, (8, 2), 100), (0, (4, 1), 100), (19, (7, 1), 500), (46, (3, 2), 100), (24, (60, 40), 100)],
)
def test_open_loans_of_one_month_leave_out_that_month_alone(small: int, size: tuple[int, int], rows: int):
    book = _months({small: size}, months=60, tail=12, rows=rows)
    found = matured_months(book["date"], book["target"], 0.9)
    left_out = date(2010 + small // 12, small % 12 + 1, 1)
    assert len(found.months) == 47
    assert left_out not in found.months
    assert found.why == (
        f" (without {left_out:%Y-%m} with {size[1]} of {sum(size)} open; from 2014-01 on, with 0.0% of its outcomes "
        "known, loans are still open)"
    )


def test_a_small_month_among_open_ones_is_not_mature():
    book = _months({55: (5, 0)}, months=60, tail=12, rows=100)
    found = matured_months(book["date"], book["target"], 0.9)
    assert (found.months[-1], len(found.months)) == (date(2013, 12, 1), 48)


def test_too_few_months_are_told_with_the_month_that_ended_them():
    later = pl.col("date") >= date(2010, 3, 1)
    frame = _book().with_columns(pl.when(~later | (pl.int_range(pl.len()) % 4 == 0)).then(pl.col("target")))
    with pytest.raises(SplitError) as caught:
        _split(frame)
    assert "2 matured vintages (from 2010-03 on, with " in str(caught.value)


def _mixed_terms() -> pl.DataFrame:
    """120 months of loans, seen at their end: one in ten runs 60 months, the others 24, and each may end earlier."""
    draw = np.random.default_rng(7)
    month = np.repeat(np.arange(120), 200)
    term = np.where(draw.random(len(month)) < 0.1, 60, 24)
    bad = draw.random(len(month)) < np.where(term == 60, 0.24, 0.12)
    ends_early = bad | (draw.random(len(month)) < 0.2)
    known = month + np.where(ends_early, draw.uniform(0, term), term) <= 120
    target = pl.Series([int(b) if k else None for b, k in zip(bad, known, strict=True)], dtype=pl.Int8)
    dates = [date(2010 + int(m) // 12, int(m) % 12 + 1, 1) for m in month]
    return pl.DataFrame({"key": [f"k{i}" for i in range(len(month))], "date": dates, "target": target, "term": term})


def test_long_loans_count_from_months_in_which_they_are_mature():
    loans, policy = _mixed_terms(), SplitPolicy(min_resolved=0.9)
    pooled = split_loans(loans["key"], loans["target"], loans["date"], policy)
    apart = split_loans(loans["key"], loans["target"], loans["date"], policy, loans["term"])

    def rate(rows: np.ndarray) -> float:
        long = loans[rows.tolist()].filter(pl.col("term") == 60)
        return float(long["target"].cast(pl.Float64).mean() or 0.0)

    assert rate(pooled.test) > 0.45  # of early ends, more than half of the known loans; the truth is 0.24
    assert rate(apart.training) == pytest.approx(0.24, abs=0.03)
    assert loans[apart.test.tolist()]["term"].unique().to_list() == [24]
    assert set(loans[apart.fit.tolist()]["term"]) == {24, 60}


@pytest.mark.parametrize("per_month", [1, 3, 9])
def test_a_few_loans_of_another_kind_move_no_window(per_month: int):
    """Open ones are not in the file: of late months only defaults are known."""
    months = [(date(2010 + m // 12, m % 12 + 1, 1), m < 36) for m in range(60)]
    usual = [(day, 36, int(i % 7 == 0) if old else None) for day, old in months for i in range(100)]
    other = [(day, 18, int(i % 3 == 0) if old else 1) for day, old in months for i in range(per_month)]
    book = pl.DataFrame(usual + other, ["date", "term", "target"], orient="row").with_row_index("key")
    loans = book.with_columns(pl.col("target").cast(pl.Int8), pl.when(pl.int_range(pl.len()) % 40 > 0).then("term"))
    columns = loans["key"], loans["target"], loans["date"], SplitPolicy(test_months=4)
    plain, apart = split_loans(*columns), split_loans(*columns, loans["term"])
    assert apart.parts == plain.parts
    assert apart.immature == 24 * per_month


def test_a_value_per_loan_is_no_kind_of_loan():
    loans = _mixed_terms().with_columns(amount=pl.int_range(pl.len()) % 390)
    with pytest.raises(SplitError, match="'amount' has 390 values, and 24,000 of 24,000 loans"):
        split_loans(loans["key"], loans["target"], loans["date"], SplitPolicy(min_resolved=0.9), loans["amount"])
    rare = pl.when(pl.int_range(pl.len()) % 500 > 0).then("term")
    blank = loans.with_columns(rare)["term"]
    found = split_loans(loans["key"], loans["target"], loans["date"], SplitPolicy(min_resolved=0.9), blank)
    assert found.parts["test"].default_rate == pytest.approx(0.12, abs=0.02)


def test_each_kind_of_loan_that_is_still_open_is_told():
    loans = _mixed_terms()
    found = mature_loans(loans["date"].dt.truncate("1mo"), loans["target"], 0.9, kind_text(loans["term"]))
    assert "term 24 (from 2018-0" in found.why
    assert "term 60 (from 2015-0" in found.why


def test_the_words_of_a_kind_do_not_depend_on_other_values() -> None:
    values = pl.Series("term", [36.0, 36.5, None, -0.0, 1e20])
    assert kind_text(values).to_list() == ["term 36", "term 36.5", "term missing", "term 0", "term 1e+20"]
    for number in range(len(values)):
        assert kind_text(values.slice(number, 1)).to_list() == [kind_text(values)[number]]
