"""Planted leaks of five kinds are refused with the column named, and honest columns are not."""

import numpy as np
import polars as pl
import pytest

from loan_platform.core.book.constants import TARGET
from loan_platform.core.evaluation.leak_signs.column_signs import column_signs
from loan_platform.core.evaluation.leak_signs.made_from import made_from
from loan_platform.core.evaluation.leak_signs.open_loans import open_loans_sign
from loan_platform.core.evaluation.leaks import SignAlarm, order_groups, places, sign_alarms
from loan_platform_tests.support.small_books.leaky_loans import LEAKS, honest_loans, leaky_loans

CEILING = 0.85


def alarms(frame: pl.DataFrame, ceiling: float = CEILING) -> list[str]:
    found = sign_alarms(frame.drop(TARGET), frame[TARGET], ceiling, np.arange(frame.height))
    return [str(alarm) for alarm in found.values()]


@pytest.mark.parametrize("rows", [1_000, 4_000])
@pytest.mark.parametrize("kind", LEAKS)
def test_a_planted_leak_is_refused_by_name(kind: str, rows: int) -> None:
    frame, column = leaky_loans(kind, rows)
    (told,) = alarms(frame)
    assert told.startswith(f"feature {column!r} knows the outcome: ")


@pytest.mark.parametrize(
    ("kind", "sign"),
    [("after_the_event", "pure_value"), ("rewriting", "rewritten"), ("missingness", "absence"), ("join", "absence")],
)
def test_the_plainest_sign_is_told(kind: str, sign: str) -> None:
    frame, column = leaky_loans(kind)
    assert column_signs(frame[column], frame[TARGET], CEILING)[0].kind == sign


@pytest.mark.parametrize("rate", [-4.5, -2.1, 0.0])
def test_honest_columns_are_not_refused(rate: float) -> None:
    assert alarms(honest_loans(rate=rate)) == []


def test_a_strong_number_is_below_a_ceiling_that_was_raised() -> None:
    """A balance with an AUC of .95 shows no other sign than its AUC."""
    rng = np.random.default_rng(2)
    balance = rng.normal(10_000, 4_000, 8_000).clip(0).round(2)
    y = (rng.random(8_000) < 1 / (1 + np.exp(9 - balance / 2_000))).astype(float)
    assert [sign.kind for sign in column_signs(pl.Series(balance), y, CEILING)] == ["value"]
    assert column_signs(pl.Series(balance), y, 0.97) == ()


def test_a_ceiling_of_one_accepts_every_sign() -> None:
    assert alarms(leaky_loans("join")[0], 1.0) == []


def test_a_counter_in_an_order_without_outcome_is_kept() -> None:
    frame = honest_loans().with_columns(ticket=pl.int_range(pl.len()) * 3)
    assert alarms(frame) == []


def test_places_follow_file_and_line() -> None:
    rows = pl.DataFrame({"source_file": ["b", "a", "b"], "source_line": [2, 9, 1]})
    found = places(rows)
    assert found is not None
    assert found.tolist() == [3.0, 1.0, 2.0]
    assert places(rows.drop("source_line")) is None


def test_a_default_rate_that_falls_over_the_months_is_no_leak() -> None:
    rng, rows = np.random.default_rng(3), 12_000
    day = np.sort(rng.uniform(0, 240, rows))
    y = (rng.random(rows) < 0.3 - 0.2 * day / 240).astype(float)
    loans = pl.DataFrame({"age": day, "month": pl.Series(day // 30 * 30).cast(pl.Int32).cast(pl.Date)})
    found = order_groups(loans, "month")
    assert len(sign_alarms(loans.select("age"), y, CEILING, np.arange(rows))) == 1  # without dates it may be a leak
    assert sign_alarms(loans.select("age"), y, CEILING, np.arange(rows), found) == {}


def test_names_of_files_do_not_hide_the_order_of_their_lines() -> None:
    """The twelve files as they came; as text, 2020-10 comes before 2020-2."""
    line, month = np.tile(np.arange(300), 12), np.repeat(np.arange(1, 13), 300)
    loans = pl.DataFrame({"source_file": [f"2020-{m}.csv" for m in month], "source_line": line})
    y = (line + np.random.default_rng(1).normal(0, 90, 3_600) > 250).astype(float)
    ticket = pl.DataFrame({"ticket": pl.Series(np.arange(3_600) * 7.0)})
    assert sign_alarms(ticket, y, CEILING, places(loans)) == {}
    told = sign_alarms(ticket, y, CEILING, places(loans), order_groups(loans, None))
    assert "it follows the order of the file" in str(told["ticket"])


def test_an_accepted_feature_still_has_the_ceiling_of_its_values() -> None:
    rng = np.random.default_rng(4)
    y = (rng.random(4_000) < 0.3).astype(float)
    place = np.argsort(np.argsort(y + rng.normal(0, 0.3, 4_000)))
    frame = pl.DataFrame({"class": np.where(y == 1, rng.choice([1.0, 3.0], 4_000), 2.0), "serial": place * 1.0})
    alarms = sign_alarms(frame, y, CEILING, rng.permutation(4_000))
    assert {sign.kind for sign in alarms["class"].signs} >= {"value"}
    accepted = alarms["class"].unless_accepted({"class"})
    assert accepted is not None
    assert {sign.kind for sign in accepted.signs} == {"value"}
    ordered = sign_alarms(pl.DataFrame({"ticket": place * 1.0}), y, CEILING, place)["ticket"]
    assert ordered.unless_accepted({"other"}) == ordered
    covered = SignAlarm("ticket", tuple(sign for sign in ordered.signs if sign.kind != "value"))
    assert covered.signs
    assert covered.unless_accepted({"ticket"}) is None


def test_columns_that_are_made_from_a_leak_are_found() -> None:
    frame, rng = leaky_loans("rewriting")[0], np.random.default_rng(1)
    started = pl.Series(rng.integers(12_000, 15_000, frame.height))
    columns = {name: frame[name] for name in frame.columns if name != TARGET}
    columns |= {"started": started, "ends": started + 30 * frame["term"]}
    columns |= {"days": 30 * frame["term"], "is_long": (frame["term"] >= 120).cast(pl.Int64)}
    leak = frozenset({"term"})
    assert made_from(columns, leak, leak) == {"ends": "term", "days": "term", "is_long": "term"}


def test_what_follows_the_calendar_is_not_made_from_a_later_date() -> None:
    draw = np.random.default_rng(0)
    decided = np.sort(draw.integers(17_000, 18_400, 3_000))
    days = {"decided": decided, "disbursed": decided + draw.integers(0, 6, 3_000)}
    dates = {name: pl.Series(values).cast(pl.Int32).cast(pl.Date) for name, values in days.items()}
    calendar = {
        "policy_version": pl.Series(1 + (decided > 17_500) + (decided > 17_900)),
        "scorecard": pl.Series(np.where(decided > 17_700, "v2", "v1")),
        "price_index": pl.Series(100 + (decided - 17_000) // 30 * 0.2),
        "days_open": pl.Series(decided - 12_000),
    }
    columns, late = {"disbursed": dates["disbursed"]} | calendar, frozenset({"disbursed"})
    assert set(made_from(columns, late, frozenset())) == set(calendar)
    assert made_from(columns, late, frozenset(), dates["decided"]) == {}
    later = pl.Series(days["decided"] + draw.integers(30, 900, 3_000)).cast(pl.Int32).cast(pl.Date)
    made = {"written_off": later, "year": later.dt.year()}
    found = made_from(made, frozenset({"written_off"}), frozenset(), dates["decided"])
    assert found == {"year": "written_off"}


def test_open_loans_show_what_was_written_after_default() -> None:
    """Of open loans some will default, so an honest column is among them as among all loans."""
    frame, rng = honest_loans(6_000, rate=-1.3), np.random.default_rng(4)
    bad = frame[TARGET].to_numpy() == 1
    pending = rng.random(frame.height) < 0.3
    target = pl.Series(np.where(pending, np.nan, bad * 1.0)).fill_nan(None)
    honest = bad * 1.2 + rng.normal(size=frame.height)
    rewritten = (bad & ~pending) * 1.2 + rng.normal(size=frame.height)
    assert open_loans_sign(pl.Series(honest), target, None) is None
    found = open_loans_sign(pl.Series(rewritten), target, None)
    assert found is not None
    assert found.kind == "after_default"
