from datetime import date

import numpy as np
import polars as pl
import pytest

from loan_platform.core.performance.maturity import EXPECTED, matured, of_months, with_expected
from loan_platform.core.performance.performance import performance
from loan_platform.core.performance.window import can_tell
from loan_platform.core.training.matured_months import kind_text, mature_loans
from loan_platform_tests.support.small_books.past_loans import POLICY, after, judged, one, predictions, reference

JANUARY, FEBRUARY, MARCH = (date(2018, month, 1) for month in (1, 2, 3))


def month_of(first: date, known: int, is_open: int, not_taken: int = 0, unreported: int = 0) -> pl.DataFrame:
    """Approved applications of a month: with an outcome, open and listed, never taken up, open and not listed."""
    sizes = (known, is_open, not_taken + unreported)
    outcome = [0] * known + [None] * (is_open + sizes[2])
    return pl.DataFrame(
        {
            "vintage": pl.Series([first] * sum(sizes), dtype=pl.Date),
            "outcome": pl.Series(outcome, dtype=pl.Int8),
            "approved": True,
            "reported": [True] * (known + is_open) + [False] * sizes[2],
        }
    )


def mature(*months: pl.DataFrame) -> list[date | None]:
    return matured(with_expected(pl.concat(months)).filter(EXPECTED), 0.9)["month"].to_list()


def test_one_open_loan_in_a_small_month_decides_nothing() -> None:
    months = [month_of(JANUARY, 300, 0), month_of(FEBRUARY, 7, 1), month_of(MARCH, 300, 0)]
    assert mature(*months) == [JANUARY, FEBRUARY, MARCH]


def test_small_open_months_do_not_hide_mature_ones() -> None:
    months = [month_of(JANUARY, 30, 0), month_of(FEBRUARY, 30, 0), month_of(MARCH, 0, 60)]
    assert mature(*months) == [JANUARY, FEBRUARY]


def test_a_large_month_with_open_loans_waits() -> None:
    assert mature(month_of(JANUARY, 1_000, 0), month_of(FEBRUARY, 800, 200)) == [JANUARY]


def test_offers_not_taken_up_are_not_waited_for() -> None:
    months = [month_of(JANUARY, 250, 0, not_taken=150), month_of(FEBRUARY, 100, 150, not_taken=150)]
    assert mature(*months) == [JANUARY]
    found = with_expected(pl.concat(months))
    assert int(found[EXPECTED].sum()) == 500


def test_a_month_after_the_reports_waits_for_all_offers() -> None:
    """Three early defaults of a new month are no report on it."""
    months = [month_of(JANUARY, 250, 10), month_of(FEBRUARY, 3, 0, unreported=300)]
    assert mature(*months) == [JANUARY]


def test_a_lender_who_lists_no_open_loan_is_waited_for() -> None:
    months = [month_of(JANUARY, 250, 0, unreported=150)]
    assert mature(*months) == []
    assert mature(month_of(JANUARY, 250, 1, unreported=150)) == [JANUARY]


def test_one_listed_open_loan_is_no_list_of_open_loans() -> None:
    """The early defaults of three months are reported, and one row without an outcome."""
    frame = predictions(6_000, rate=0.1).with_columns(approved=pl.lit(True))
    early = frame.with_columns(pl.when(pl.col("outcome") == 1).then("outcome"), reported=pl.col("outcome") == 1)
    slip = early.with_columns(reported=pl.col("reported") | (pl.int_range(pl.len()) == frame["outcome"].arg_min()))
    for found in (one(early), one(slip)):
        assert (found.verdict, found.counts.expected, found.window) == ("unknown", 6_000, None)
        assert found.reason.endswith("list open loans, with an empty outcome")


def test_offers_never_taken_up_are_counted_in_the_reason() -> None:
    row = pl.int_range(pl.len())
    frame = predictions(6_000).with_columns(approved=pl.lit(True), reported=row % 4 > 0)
    told = frame.with_columns(pl.when(pl.col("reported") & (row < 5_970)).then("outcome"))
    found = one(told)
    assert found.verdict == "ok"
    rows = told.filter(~pl.col("reported") & (pl.col("vintage").dt.month() == 3)).height
    assert f"; {rows:,} approved applications that no file lists count as never taken up" in found.reason


def test_without_dates_the_book_is_one_month() -> None:
    undated = month_of(JANUARY, 250, 10, not_taken=100).with_columns(vintage=pl.lit(None, pl.Date))
    assert mature(undated) == [None]
    assert mature(undated.filter(pl.col("outcome").is_not_null() | ~pl.col("reported"))) == []


def with_known(share: float) -> pl.DataFrame:
    """Loans of which a share of the outcomes is known, defaults first. Open loans are listed."""
    frame = predictions().with_columns(approved=pl.lit(True))
    order = frame["outcome"].cast(pl.Float64) * 2 + pl.Series(np.random.default_rng(3).random(frame.height))
    known = order.rank(descending=True) <= share * frame.height
    return frame.with_columns(pl.when(known).then("outcome").alias("outcome"))


def test_early_outcomes_are_not_judged() -> None:
    found = one(with_known(0.25))
    assert (found.verdict, found.counts.known, found.window) == ("unknown", 750, None)
    assert found.reason.startswith("25.0% of the outcomes are known, and split.min_resolved needs 90.0%")
    assert "list open loans" not in found.reason
    unlisted = with_known(0.25).with_columns(reported=pl.col("outcome").is_not_null())
    assert "list open loans, with an empty outcome" in one(unlisted).reason


def test_an_immature_month_is_left_out_of_the_verdict() -> None:
    early = after(with_known(0.25), 3)
    frame = pl.concat([predictions(), early])
    assert one(frame).window == one(predictions()).window
    assert [v.mature for v in one(frame).vintages] == [True] * 3 + [False] * 3


def test_open_loans_are_no_excess_of_defaults() -> None:
    """Of 5,000 loans 4,500 are known, with every default among them: open loans count as repaid."""
    frame = predictions(5_000, months=1)
    repaid = frame["outcome"].cum_sum().is_not_null() & (frame["outcome"] == 0)
    is_open = repaid & (repaid.cum_sum() <= 500)
    known = frame.with_columns(pl.when(~is_open).then("outcome").alias("outcome"))
    strict = known.with_columns(pl.col("probability") / 1.45)
    policy_factor = judged(strict.filter(pl.col("outcome").is_not_null())).verdict
    assert policy_factor == "degraded"
    assert judged(strict).verdict == "ok"


def test_open_loans_unlike_the_known_ones_are_told() -> None:
    frame = predictions(5_000, months=1).sort("probability")
    longer = pl.int_range(pl.len()) >= 4_600
    found = one(frame.with_columns(pl.when(~longer).then("outcome").alias("outcome")))
    assert "the 400 open loans of these months are riskier than the known ones by their predictions" in found.reason
    assert "open loans" not in one(predictions()).reason


def mixed_terms() -> pl.DataFrame:
    """60 months of 100 loans, seen at their end: one in ten runs 48 months, the others 12. Defaults come early.

    The predictions know a default rate of 10 % of short loans and of 30 % of long ones, with an error.
    """
    draw = np.random.default_rng(5)
    month = np.repeat(np.arange(60), 100)
    term = np.where(draw.random(len(month)) < 0.1, 48, 12)
    logit = np.log(np.where(term == 48, 0.3, 0.1) / np.where(term == 48, 0.7, 0.9)) + draw.normal(0, 0.8, len(month))
    probability = 1 / (1 + np.exp(-logit))
    bad = draw.random(len(month)) < probability
    known = month + np.where(bad, draw.uniform(0, term), term) <= 60
    frame = pl.DataFrame(
        {
            "vintage": [date(2014 + int(m) // 12, int(m) % 12 + 1, 1) for m in month],
            "model_version": 1,
            "probability": probability,
            "outcome": pl.Series([int(b) if k else None for b, k in zip(bad, known, strict=True)], dtype=pl.Int8),
            "approved": True,
            "reported": True,
            "in_sample": False,
            "term": term,
        }
    )
    return frame.with_columns(kind_text(frame["term"]).alias("kind"))


def test_a_long_loan_is_judged_once_loans_of_its_term_are_mature() -> None:
    frame = mixed_terms()
    found = matured(with_expected(frame), 0.8)
    newest = dict(found.group_by("kind").agg(pl.col("month").max()).rows())
    assert newest == {"term 12": date(2018, 1, 1), "term 48": date(2015, 1, 1)}
    training = mature_loans(frame["vintage"], frame["outcome"], 0.8, frame["kind"], with_small_gaps=True)
    assert of_months(with_expected(frame), found)["outcome"].len() == training.is_mature.sum()


def test_early_defaults_of_long_loans_are_not_judged() -> None:
    loans = mixed_terms()
    policy = POLICY.model_copy(update={"min_outcomes": 1_000})
    pooled = performance(loans.drop("kind"), {1: reference(0.1)}, 1, policy, 0.8).of_champion
    apart = performance(loans, {1: reference(0.1)}, 1, policy, 0.8).of_champion
    assert pooled is not None
    assert pooled.window is not None
    assert apart is not None
    assert apart.window is not None
    long = loans.filter((pl.col("term") == 48) & pl.col("vintage").is_between(pooled.window.first, pooled.window.last))
    assert (
        float(long["outcome"].cast(pl.Float64).drop_nulls().to_numpy().mean()) > 0.5
    )  # of known ones; the truth is about 0.32
    short = loans.filter((pl.col("term") == 12) & pl.col("vintage").is_between(apart.window.first, apart.window.last))
    assert (apart.window.known, apart.window.defaults) == (short["outcome"].count(), short["outcome"].sum())
    assert "loans of these months are left out, as those like them are not mature yet: term 48" in apart.reason
    assert "left out" not in pooled.reason


@pytest.mark.parametrize(("defaults", "can"), [(20, False), (55, False), (65, True), (400, True)])
def test_how_many_defaults_tell_a_model_without_ranking(defaults: int, can: bool) -> None:
    # 2.8 * 2 / sqrt(12 * 60) = 0.209
    assert can_tell(defaults, 100_000, floor=0.21) is can
    assert not can_tell(0, 100, 0.21)


def test_loans_without_a_date_are_no_newest_month() -> None:
    undated = month_of(JANUARY, 300, 0).with_columns(vintage=pl.lit(None, pl.Date))
    assert mature(month_of(JANUARY, 300, 0), undated) == [JANUARY]
    assert mature(undated) == [None]


def test_the_report_tells_of_loans_without_a_date() -> None:
    frame = predictions(6_000, rate=0.1)
    some = frame.with_columns(vintage=pl.when(pl.int_range(pl.len()) >= 100).then("vintage"))
    found = one(some)
    assert found.window is not None
    assert found.window.last is not None
    assert "; 100 loans without a date are left out, as they are of no month" in found.reason
    assert "without a date" not in one(frame).reason
    assert "without a date" not in one(frame.with_columns(vintage=pl.lit(None, pl.Date))).reason


@pytest.mark.parametrize(("share", "counts"), [(0.05, False), (0.3, True)])
def test_few_short_loans_are_no_month_of_a_book_of_long_ones(share: float, counts: bool) -> None:
    """Of the newest months the short loans are known and the long ones are open."""
    loans = mixed_terms().with_columns(
        pl.when(pl.int_range(pl.len()) % 100 < share * 100).then(12).otherwise(48).alias("term"),
        vintage=pl.lit(date(2014, 1, 1)).dt.offset_by(pl.format("{}mo", pl.int_range(pl.len()) // 100)),
    )
    month = pl.int_range(pl.len()) // 100
    outcome = pl.when(month + pl.col("term") <= 60).then(pl.int_range(pl.len()) % 2)
    loans = loans.with_columns(outcome=outcome.cast(pl.Int8), kind=kind_text(loans["term"]))
    expected = with_expected(loans).filter(EXPECTED)
    newest = matured(expected, 0.8)["month"].max()
    assert newest == (date(2018, 1, 1) if counts else date(2015, 1, 1))
