import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from loan_platform.core.book.decision_policies import DecisionPolicy, ScorecardPolicy
from loan_platform.core.models.portable import sigmoid
from loan_platform.core.scoring.decisions import (
    AnswerPolicy,
    DecisionRule,
    decision_rule,
    decision_table,
    profit_curve,
)
from loan_platform_tests.support.lending import book, feature_frame, loans, odd_rows, trained

RULE = DecisionRule(approve_below=0.1, decline_from=0.3, loss_given_default=0.5, medium_from=0.1, high_from=0.2)
EARNS = DecisionPolicy(margin=0.2, cost_of_funds=0.05, loss_given_default=0.45)  # breaks even at .15 / .65
EVEN = 0.15 / 0.65


def _window(rows: int = 4_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    probability = sigmoid(rng.normal(-1.7, 1.1, rows))
    return probability, (rng.random(rows) < probability).astype(float), rng.uniform(1_000, 9_000, rows)


def test_a_cut_off_belongs_to_the_side_of_the_risk():
    probability = np.array([0.0, np.nextafter(0.1, 0), 0.1, 0.2, np.nextafter(0.3, 0), 0.3, 1.0])
    assert RULE.decisions(probability).to_list() == [*["approve"] * 2, *["refer"] * 3, *["decline"] * 2]
    assert RULE.risks(probability).to_list() == [*["low"] * 2, "medium", *["high"] * 4]


def test_expected_loss_is_probability_times_loss_times_exposure():
    losses = RULE.expected_loss(np.array([0.1, 0.2, 0.4]), pl.Series([1_000.0, 500.0, None]))
    assert losses.to_list() == [50.0, 50.0, None]


@pytest.mark.parametrize("change", [{"approve_below": 0.31}, {"medium_from": 0.21}, {"decline_from": 1.1}])
def test_cut_offs_out_of_order_are_refused(change: dict[str, float]):
    with pytest.raises(ValidationError):
        DecisionRule.model_validate({**RULE.model_dump(), **change})


def test_the_profit_curve_is_the_sum_over_the_loans_below():
    probability, target, exposure = _window()
    curve = profit_curve(probability, target, exposure, EARNS)
    assert curve.cut_offs[-1] == curve.approved[-1] == 1
    for at in (0, 40, 120, len(curve.cut_offs) - 1):
        granted = probability < curve.cut_offs[at] if at < len(curve.cut_offs) - 1 else np.ones(len(target), bool)
        for default, shown in ((probability, curve.expected), (target, curve.realised)):
            each = exposure * ((1 - default) * 0.2 - default * 0.45 - 0.05)
            assert shown[at] == pytest.approx(each[granted].sum() / exposure.sum(), abs=1e-12)
        assert curve.approved[at] == granted.mean()


def test_expected_profit_is_highest_where_a_loan_breaks_even():
    curve = profit_curve(*_window(), EARNS)
    assert curve.cut_offs[int(np.argmax(curve.expected))] == pytest.approx(EVEN)


def test_derived_cut_offs_span_the_flat_top_of_the_curve():
    curve = profit_curve(*_window(), EARNS)
    rule = decision_rule(EARNS, curve)
    assert 0.1 < rule.approve_below < EVEN < rule.decline_from < 0.4
    best = max(curve.expected)
    for cut_off in (rule.approve_below, rule.decline_from):
        assert 0.975 * best < np.interp(cut_off, curve.cut_offs, curve.expected) < 0.985 * best
    narrow = decision_rule(EARNS.model_copy(update={"profit_tolerance": 0.0}), curve)
    assert narrow.approve_below == narrow.decline_from == round(EVEN, 4)


def test_loans_of_tiny_risk_have_a_range_that_is_referred():
    rng = np.random.default_rng(2)
    probability = sigmoid(rng.normal(-9.2, 0.5, 4_000))
    thin = DecisionPolicy(margin=0.0501, cost_of_funds=0.05, loss_given_default=0.45)
    rule = decision_rule(thin, profit_curve(probability, (probability > 1e-3).astype(np.float64), np.ones(4_000), thin))
    assert 1e-4 < rule.approve_below < 1e-4 / 0.5001 < rule.decline_from < 1e-3
    decided = rule.decisions(probability)
    shares = [float((decided == decision).to_numpy().mean()) for decision in ("approve", "refer", "decline")]
    assert min(shares) > 0.01


def test_given_cut_offs_are_taken():
    given = DecisionPolicy(approve_below=0.05, decline_from=0.2)
    rule = decision_rule(given, profit_curve(*_window(), given))
    assert (rule.approve_below, rule.decline_from) == (0.05, 0.2)


def test_loans_that_cannot_earn_are_all_declined():
    probability, target, exposure = _window()
    rule = decision_rule(EARNS, profit_curve(np.maximum(probability, 0.3), target, exposure, EARNS))
    assert rule.decisions(np.maximum(probability, 0.3)).unique().to_list() == ["decline"]


def test_a_loan_without_an_exposure_counts_for_nothing():
    probability, target, exposure = _window()
    some = np.arange(len(target)) % 3 == 0
    gaps = profit_curve(probability, target, np.where(some, np.nan, exposure), EARNS)
    none = profit_curve(probability, target, np.where(some, 0, exposure), EARNS)
    assert gaps == none


def test_the_table_tells_of_every_decision():
    probability = np.array([0.01, 0.5, 0.6, 0.4])
    table = decision_table(RULE.decisions(probability), np.array([0.0, 1.0, 1.0, 0.0]), probability)
    assert table["approve"] == {"share": 0.25, "default_rate": 0.0, "mean_probability": 0.01}
    assert table["refer"] == {"share": 0.0, "default_rate": 0.0, "mean_probability": 0.0}
    assert table["decline"]["default_rate"] == pytest.approx(2 / 3)


def test_the_version_is_that_of_every_part():
    versions = {
        AnswerPolicy(scorecard=scale, decision=rule).version
        for scale in (ScorecardPolicy(), ScorecardPolicy(odds=31))
        for rule in (RULE, RULE.model_copy(update={"high_from": 0.25}))
    }
    assert len(versions) == 4
    assert all(len(version) == 12 for version in versions)


def test_cut_offs_come_from_the_calibration_window():
    result = trained()
    rule = result.model.policy.decision
    assert 0 < rule.approve_below <= EVEN <= rule.decline_from < 1
    assert rule == decision_rule(book().decision, result.profit)
    scored = result.model.score(odd_rows())
    assert scored["decision"].equals(rule.decisions(scored["probability"].to_numpy()))
    amount = odd_rows()["amount"].fill_nan(None)
    assert scored["expected_loss"].equals(
        (scored["probability"] * rule.loss_given_default * amount).alias("expected_loss")
    )
    assert scored["expected_loss"].null_count() == amount.null_count() > 0


def test_a_book_without_exposure_has_losses_as_shares():
    plain = book().model_copy(update={"contract": book().contract.model_copy(update={"exposure": None})})
    assert plain.contract.exposure is None
    from loan_platform.core.training.train import train

    frame = feature_frame(loans(1_500)).drop("exposure")
    small = plain.model_copy(update={"training": book(families=("scorecard",), trials=1).training})
    scored = train(small, frame).model.score(loans(50))
    rate = scored["expected_loss"] / scored["probability"]
    assert rate.to_list() == pytest.approx([0.45] * 50)
