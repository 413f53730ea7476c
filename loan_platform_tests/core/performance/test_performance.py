import json
from datetime import date

import polars as pl
import pytest

from loan_platform.core.evaluation.bootstrap import Interval
from loan_platform.core.evaluation.metrics import evaluate
from loan_platform.core.performance.performance import performance
from loan_platform.core.performance.performance_report import PerformanceReport
from loan_platform.core.performance.verdict import GiniReference
from loan_platform_tests.support.small_books.past_loans import (
    FEW,
    POLICY,
    after,
    judged,
    one,
    predictions,
    reference,
    without_declined,
)


def test_the_newest_mature_months_are_judged() -> None:
    frame = predictions()
    found = one(frame)
    march = frame.filter(pl.col("vintage").dt.month() == 3)
    assert (found.verdict, found.population) == ("ok", "scored")
    assert found.window is not None
    assert (found.window.first, found.window.last, found.window.known) == (date(2018, 3, 1), date(2018, 3, 1), 1_000)
    assert found.window.metrics == evaluate(march["outcome"], march["probability"])
    assert found.reference is not None
    assert found.floor == pytest.approx(0.7 * found.reference.estimate)
    assert [v.vintage for v in found.vintages] == [date(2018, month, 1) for month in (1, 2, 3)]
    assert found.vintages[2].metrics == found.window.metrics


def test_approved_loans_are_compared_with_approved_test_loans() -> None:
    """The Gini of approved loans is far below that of all. With the floor of all they would be degraded."""
    found = one(without_declined(predictions(6_000)))
    assert (found.verdict, found.population) == ("ok", "approved")
    assert found.window is not None
    gini, scored = found.window.gini, reference().scored
    assert gini is not None
    assert scored is not None
    assert gini.estimate < 0.7 * scored.estimate  # as it was
    assert found.reference == reference().approved
    assert "approved loans" in found.reason
    assert "on the test loans that it approves" in found.reason


def test_a_lost_ranking_of_approved_loans_is_degraded() -> None:
    found = one(without_declined(predictions(12_000, strength=0.0, seed=2)))
    assert (found.verdict, found.population) == ("degraded", "approved")


def test_a_few_reports_on_declined_ones_are_left_out() -> None:
    frame = predictions(6_000)
    some = pl.col("approved") | (pl.int_range(pl.len()) % 5 == 0)
    frame = frame.with_columns(pl.when(some).then("outcome").alias("outcome"), reported=some)
    assert one(frame).window == one(without_declined(frame)).window


def test_a_useless_model_after_good_years_is_degraded() -> None:
    good = predictions(36 * 300, months=36)
    dead = after(predictions(3 * 300, strength=0.0, seed=5), 36)
    found = one(pl.concat([good, dead]))
    assert found.verdict == "degraded"
    assert found.trend is not None
    assert found.trend.high < 0
    assert "change of the Gini since the months before -0." in found.reason
    assert one(good).verdict == "ok"


def test_a_version_is_not_judged_by_the_loans_of_another() -> None:
    weak = predictions(24 * 300, strength=0.0, months=24, version=1)
    good = after(predictions(6 * 300, months=6, version=2, seed=3), 24)
    found = judged(pl.concat([weak, good]), champion=2)
    assert [(v.version, v.verdict) for v in found.versions] == [(2, "ok"), (1, "degraded")]
    assert (found.verdict, found.overall.scored) == ("ok", 30 * 300)
    assert found.reason.startswith("version 2: 2020-")
    assert found.reason.endswith("version 1 is degraded")


def test_a_champion_without_loans_is_unknown() -> None:
    found = judged(predictions(), champion=3)
    assert (found.verdict, found.of_champion) == ("unknown", None)
    assert found.reason == "version 3: it has scored no loan out of sample; version 1 is ok"


def test_too_few_defaults_are_never_ok() -> None:
    few = predictions(400, rate=FEW)
    found = one(few)
    assert found.window is not None
    assert found.window.known == 400
    assert found.verdict == "unknown"
    assert "too few defaults to tell a model without any ranking from this floor" in found.reason
    assert one(predictions(150)).reason == "150 outcomes of mature months are known, 200 are needed"


def test_without_a_reference_there_is_no_verdict() -> None:
    found = performance(predictions(), {}, 1, POLICY)
    assert found.verdict == "unknown"
    assert "its Gini on the test loans is not known" in found.reason


@pytest.mark.parametrize("known", [None, Interval(-0.01, -0.1, 0.08), Interval(0.02, -0.05, 0.09)])
def test_a_wrong_rate_shows_without_a_useful_reference(known: Interval | None) -> None:
    """Old months do not hide it: where no floor can be told, the window is the newest loans."""
    good = predictions(30 * 300, months=30, rate=0.1)
    wrong = after(predictions(4 * 300, months=4, rate=0.1, seed=4), 30).with_columns(pl.col("probability") / 2.2)
    found = performance(pl.concat([good, wrong]), {1: GiniReference(known, known)}, 1, POLICY).of_champion
    assert found is not None
    assert found.window is not None
    assert found.window.first is not None
    assert (found.verdict, found.window.first > date(2020, 1, 1)) == ("degraded", True)
    assert "were predicted: a factor of" in found.reason


def test_before_maturity_it_is_unknown() -> None:
    frame = predictions().with_columns(outcome=pl.lit(None, pl.Int8), approved=pl.lit(True))
    found = one(frame)
    assert (found.verdict, found.window, found.reason) == ("unknown", None, "0 outcomes are known, 200 are needed")
    assert [(v.mature, v.scored, v.known) for v in found.vintages] == [(False, 1_000, 0)] * 3


def test_no_number_comes_from_the_development_sample() -> None:
    frame = predictions()
    seen = pl.col("vintage").dt.month() < 3
    report = judged(frame.with_columns(in_sample=seen))
    fresh = frame.filter(~seen)
    assert report.of_champion is not None
    assert report.of_champion.window is not None
    assert report.of_champion.window.metrics == evaluate(fresh["outcome"], fresh["probability"])
    assert (report.in_sample, len(report.of_champion.vintages)) == (2_000, 1)
    everything = judged(frame.with_columns(in_sample=pl.lit(True)))
    assert (everything.verdict, everything.versions) == ("unknown", ())
    with pytest.raises(ValueError, match="in_sample is null"):
        judged(frame.with_columns(in_sample=pl.lit(None, pl.Boolean)))


def test_one_kind_of_outcome_is_unknown() -> None:
    found = one(predictions(400, rate=FEW).with_columns(outcome=pl.lit(0, pl.Int8), probability=pl.lit(0.001)))
    assert found.verdict == "unknown"
    assert "all 400 known outcomes are the same" in found.reason


def test_a_book_without_dates_is_one_window() -> None:
    found = one(predictions().with_columns(vintage=pl.lit(None, pl.Date)))
    assert found.window is not None
    assert (found.verdict, found.vintages, found.window.known) == ("ok", (), 3_000)
    assert found.reason.startswith("Gini ")


def test_the_report_as_json() -> None:
    report = PerformanceReport.from_performance(judged(predictions()))
    plain = json.loads(json.dumps(report.model_dump(mode="json"), allow_nan=False))
    assert PerformanceReport.from_json(report.to_json()) == report
    assert (plain["verdict"], plain["versions"][0]["population"]) == ("ok", "scored")
    assert plain["versions"][0]["vintages"][0]["vintage"] == "2018-01-01"


@pytest.mark.parametrize(("factor", "verdict"), [(0.45, "degraded"), (0.9, "ok"), (1.1, "ok"), (2.2, "degraded")])
def test_a_wrong_default_rate_is_degraded(factor: float, verdict: str) -> None:
    found = one(predictions(6_000).with_columns(pl.col("probability") / factor))
    assert found.verdict == verdict
    assert ("were predicted: a factor of" in found.reason) == (verdict == "degraded")


def test_chance_in_few_loans_is_no_wrong_rate() -> None:
    frame = predictions(90).with_columns(pl.col("probability") / 3)
    assert int(frame["outcome"].sum()) > 1.5 * float(frame["probability"].sum())
    assert one(frame, POLICY.model_copy(update={"min_outcomes": 20})).verdict != "degraded"


@pytest.mark.thorough
@pytest.mark.parametrize(("rate", "loans"), [(0.03, 200), (0.05, 200), (0.05, 1_000), (0.2, 1_000)])
def test_chance_alone_degrades_few_sound_models(rate: float, loans: int) -> None:
    """A model as good as on its test loans, over 300 books: at most 2 % are degraded; it was a fifth at 200 loans."""
    of_test = reference(rate)
    found = [
        performance(predictions(loans, seed=1_000 + i, months=1, rate=rate), {1: of_test}, 1, POLICY).verdict
        for i in range(300)
    ]
    assert found.count("degraded") <= 6
    assert (found.count("unknown") > 200) == (rate * loans < 20)


@pytest.mark.thorough
@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_a_model_without_ranking_is_found(rate: float) -> None:
    """Of 100 books with two years of good months and four of useless ones, 70 at least are degraded."""
    of_test, months = reference(rate), 4
    found = list[str]()
    for i in range(100):
        good = predictions(24 * 300, seed=2_000 + i, months=24, rate=rate)
        dead = after(predictions(months * 300, 0.0, seed=3_000 + i, months=months, rate=rate), 24)
        found.append(performance(pl.concat([good, dead]), {1: of_test}, 1, POLICY).verdict)
    assert found.count("degraded") >= 70
