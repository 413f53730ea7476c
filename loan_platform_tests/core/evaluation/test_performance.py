import json
from datetime import date

import numpy as np
import polars as pl
import pytest

from loan_platform.core.book.monitoring_policies import DriftPolicy
from loan_platform.core.evaluation.metrics import auc, evaluate
from loan_platform.core.evaluation.performance import auc_error, performance
from loan_platform.core.evaluation.performance_report import PerformanceReport

POLICY = DriftPolicy(min_outcomes=200, min_relative_gini=0.7)


def predictions(rows: int = 3_000, strength: float = 1.0, seed: int = 1) -> pl.DataFrame:
    """Loans of January to March 2018 whose default follows the prediction with this strength."""
    draw = np.random.default_rng(seed)
    logit = -1.7 + draw.normal(size=rows)
    truth = 1 / (1 + np.exp(1.7 - strength * (logit + 1.7)))
    return pl.DataFrame(
        {
            "vintage": [date(2018, 1 + i % 3, 1 + i % 28) for i in range(rows)],
            "probability": 1 / (1 + np.exp(-logit)),
            "outcome": (draw.random(rows) < truth).astype(np.int8),
            "in_sample": np.zeros(rows, dtype=bool),
            "expected": np.ones(rows, dtype=bool),
        }
    )


def gini(frame: pl.DataFrame) -> float:
    return 2 * auc(frame["outcome"], frame["probability"]) - 1


def test_metrics_are_those_of_the_known_loans_by_vintage() -> None:
    frame = predictions()
    report = performance(frame, champion_gini=gini(frame), policy=POLICY)
    march = frame.filter(pl.col("vintage").dt.month() == 3)
    assert report.verdict == "ok"
    assert [v.vintage for v in report.vintages] == [date(2018, month, 1) for month in (1, 2, 3)]
    assert report.vintages[2].metrics == evaluate(march["outcome"], march["probability"])
    assert report.overall.metrics == evaluate(frame["outcome"], frame["probability"])
    assert report.gini_floor == pytest.approx(0.7 * gini(frame))


def test_a_lost_ranking_is_degraded() -> None:
    champion = gini(predictions())
    report = performance(predictions(strength=0.4, seed=2), champion, POLICY)
    assert report.verdict == "degraded"
    assert report.overall.metrics is not None
    assert report.overall.metrics.gini < 0.7 * champion
    assert report.overall.reason == f"Gini {report.overall.metrics.gini:.3f}, floor {0.7 * champion:.3f}"


def test_before_maturity_it_is_unknown() -> None:
    frame = predictions().with_columns(outcome=pl.lit(None, pl.Int8))
    report = performance(frame, 0.4, POLICY)
    assert report.verdict == "unknown"
    assert report.overall.metrics is None
    assert report.overall.reason == "0 outcomes are known, 200 are needed"
    assert [(v.verdict, v.scored, v.known) for v in report.vintages] == [("unknown", 1_000, 0)] * 3


def test_a_vintage_with_few_outcomes_is_unknown() -> None:
    young = (pl.col("vintage").dt.month() == 3) & (pl.int_range(pl.len()) > 500)
    frame = predictions().with_columns(pl.when(~young).then("outcome"))
    report = performance(frame, 0.4, POLICY)
    assert [v.verdict for v in report.vintages] == ["ok", "ok", "unknown"]
    assert report.to_frame().height == 2


def test_no_number_comes_from_the_development_sample() -> None:
    frame = predictions()
    seen = pl.col("vintage").dt.month() < 3
    report = performance(frame.with_columns(in_sample=seen), 0.4, POLICY)
    fresh = frame.filter(~seen)
    assert report.overall.metrics == evaluate(fresh["outcome"], fresh["probability"])
    assert (report.in_sample, len(report.vintages)) == (2_000, 1)
    everything = performance(frame.with_columns(in_sample=pl.lit(True)), 0.4, POLICY)
    assert (everything.verdict, everything.overall.metrics, everything.vintages) == ("unknown", None, ())
    with pytest.raises(ValueError, match="in_sample is null"):
        performance(frame.with_columns(in_sample=pl.lit(None, pl.Boolean)), 0.4, POLICY)


def test_one_kind_of_outcome_is_unknown() -> None:
    report = performance(predictions().with_columns(outcome=pl.lit(0, pl.Int8)), 0.4, POLICY)
    assert (report.verdict, report.overall.reason) == ("unknown", "all 3000 known outcomes are the same")


def test_a_book_without_dates_has_no_vintages() -> None:
    report = performance(predictions().with_columns(vintage=pl.lit(None)), 0.4, POLICY)
    assert (report.verdict, report.vintages) == ("ok", ())


def test_the_report_as_json() -> None:
    report = PerformanceReport.from_performance(performance(predictions(), 0.4, POLICY))
    plain = json.loads(json.dumps(report.model_dump(mode="json"), allow_nan=False))
    assert PerformanceReport.from_json(report.to_json()) == report
    assert plain["verdict"] == "ok"
    assert plain["vintages"][0]["vintage"] == "2018-01-01"
    assert 0 < plain["vintages"][0]["metrics"]["ece"] < 0.1


def test_auc_error_is_what_repeated_samples_give() -> None:
    drawn = [predictions(600, seed=i) for i in range(300)]
    areas = np.array([auc(frame["outcome"], frame["probability"]) for frame in drawn])
    defaults = np.array([float(frame["outcome"].sum()) for frame in drawn])
    assert auc_error(areas, defaults, 600 - defaults).mean() == pytest.approx(areas.std(), rel=0.15)


def with_known(share: float, defaults_first: bool) -> pl.DataFrame:
    """Loans of which a share of the outcomes is known, defaults first or at random."""
    frame = predictions()
    order = frame["outcome"].cast(pl.Float64) * (2 if defaults_first else 0) + pl.Series(
        np.random.default_rng(3).random(frame.height)
    )
    known = order.rank(descending=True) <= share * frame.height
    return frame.with_columns(pl.when(known).then("outcome").alias("outcome"))


def test_early_outcomes_are_not_judged() -> None:
    report = performance(with_known(0.25, defaults_first=True), 0.4, POLICY)
    assert (report.verdict, report.overall.known, report.overall.metrics) == ("unknown", 750, None)
    assert report.overall.reason.startswith("25.0% of the outcomes are known, and split.min_resolved needs 90.0%")


def test_an_immature_month_is_left_out_of_the_verdict() -> None:
    frame = predictions()
    march = pl.col("vintage").dt.month() == 3
    early = frame.with_columns(pl.when(~march | (pl.col("outcome") == 1)).then("outcome").alias("outcome"))
    report = performance(early, 0.4, POLICY)
    mature = frame.filter(~march)
    assert [v.verdict for v in report.vintages] == ["ok", "ok", "unknown"]
    assert report.overall.metrics == evaluate(mature["outcome"], mature["probability"])


def test_a_declined_application_without_a_loan_is_not_waited_for() -> None:
    frame = predictions().with_columns(expected=pl.int_range(pl.len()) % 3 > 0)
    frame = frame.with_columns(pl.when("expected").then("outcome").alias("outcome"))
    report = performance(frame, 0.4, POLICY)
    assert (report.verdict, report.overall.expected, report.overall.known) == ("ok", 2_000, 2_000)


@pytest.mark.parametrize(("factor", "verdict"), [(0.45, "degraded"), (0.9, "ok"), (1.1, "ok"), (2.2, "degraded")])
def test_a_wrong_default_rate_is_degraded(factor: float, verdict: str) -> None:
    frame = predictions(rows=6_000)
    report = performance(frame.with_columns(pl.col("probability") / factor), 0.4, POLICY)
    assert report.verdict == verdict
    assert ("were predicted: a factor of" in report.overall.reason) == (verdict == "degraded")


def test_chance_in_few_loans_is_no_wrong_rate() -> None:
    frame = predictions(rows=90).with_columns(pl.col("probability") / 3)
    policy = POLICY.model_copy(update={"min_outcomes": 20})
    assert int(frame["outcome"].sum()) > 1.5 * float(frame["probability"].sum())
    report = performance(frame, -1.0, policy)
    assert report.verdict == "ok"
