import json
import math
from dataclasses import replace

import numpy as np
import pytest

from loan_platform.core.book.decision_policies import PromotionPolicy
from loan_platform.core.evaluation.bootstrap import Interval
from loan_platform.core.evaluation.gates.absolute_rules import Challenger, absolute_rules, challenger_of, ece_limit
from loan_platform.core.evaluation.gates.calibration_evidence import CalibrationEvidence
from loan_platform.core.evaluation.gates.champion_rules import ChampionComparison, Gain, compare
from loan_platform.core.evaluation.promotion import Verdict, decide, forbidden_verdict
from loan_platform.core.evaluation.promotion_report import PromotionReport

POLICY = PromotionPolicy()  # AUC 0.6 to 0.75, one feature 0.7, ECE 0.03, twice as many defaults, gain above 0
CALIBRATED = CalibrationEvidence(
    rows=1_000,
    defaults=100,
    mean_probability=0.1,
    rate_ratio=Interval(1.0, 0.82, 1.2),
    slope=Interval(1.0, 0.8, 1.2),
    intercept=0.0,
    ece=0.02,
    chance=0.02,
    chance_high=0.035,
)
GOOD = Challenger(
    sha256="new",
    auc=Interval(0.70, 0.65, 0.75),
    calibration=CALIBRATED,
    brier=0.085,
    brier_of_others=0.09,
    max_feature_auc=Interval(0.62, 0.57, 0.67),
    max_feature="fico",
)
GAIN = Gain(Interval(0.01, 0.004, 0.016), 0.70, 0.69, 0.025, 0.02, 0.02, 0.035)
CHAMPION = ChampionComparison("old", 1_000, 100, 1_000, GAIN, CALIBRATED, same_probabilities=False)
ABSOLUTE = [
    *("auc_above_chance", "auc_floor", "auc_ceiling", "feature_auc_ceiling", "beats_base_rate"),
    *("default_rate", "default_rate_shown", "calibration_slope", "ece_ceiling"),
]


def failed(verdict: Verdict) -> list[str]:
    return [reason.rule for reason in verdict.reasons if not reason.passed]


def with_calibration(**change: object) -> Challenger:
    return replace(GOOD, calibration=replace(CALIBRATED, **change))


def test_the_first_version_has_absolute_rules_only() -> None:
    verdict = decide(POLICY, GOOD, None)
    assert verdict.promote
    assert [r.rule for r in verdict.reasons] == ABSOLUTE
    assert verdict.summary == "Promoted: all 9 rules passed."


def test_a_better_version_replaces_the_champion() -> None:
    verdict = decide(POLICY, GOOD, CHAMPION)
    assert verdict.promote
    gain = verdict.reasons[9]
    assert (gain.rule, gain.value, gain.limit) == ("auc_gain", 0.004, 0.0)
    assert "0.7000 against 0.6900) on 1,000 test loans differs by +0.0040 to +0.0160" in gain.sentence


@pytest.mark.parametrize(
    ("challenger", "rule", "sentence"),
    [
        (
            replace(GOOD, auc=Interval(0.62, 0.49, 0.73)),
            "auc_above_chance",
            "0.4900 to 0.7300; its lower end is not above 0.5, so the model may rank no better than chance.",
        ),
        (
            replace(GOOD, auc=Interval(0.59, 0.55, 0.63)),
            "auc_floor",
            "Test AUC 0.5900 is below the floor 0.6000.",
        ),
        (
            replace(GOOD, auc=Interval(0.81, 0.76, 0.85)),
            "auc_ceiling",
            "Test AUC 0.8100 (at least 0.7600) is above the ceiling 0.7500; this much is a leak, not a success.",
        ),
        (
            replace(GOOD, max_feature_auc=Interval(0.9, 0.85, 0.93)),
            "feature_auc_ceiling",
            "AUC of fico alone 0.9000 (at least 0.8500) is above the ceiling 0.7000",
        ),
        (replace(GOOD, brier=0.09), "beats_base_rate", "Brier score 0.0900 is not below 0.0900"),
        (
            with_calibration(rate_ratio=Interval(1.4, 1.1, 1.7), mean_probability=0.0714),
            "default_rate",
            "10.00% of the test loans defaulted, 7.14% were predicted: 1.40 times as many (95 % interval 1.10 to 1.70)",
        ),
        (
            with_calibration(rate_ratio=Interval(1.0, 0.4, 2.2), defaults=6, rows=300),
            "default_rate_shown",
            "Up to 2.20 times as many loans may default as predicted, by 6 test defaults; the limit is 2",
        ),
        (
            with_calibration(slope=Interval(0.5, 0.3, 0.7)),
            "calibration_slope",
            "Calibration slope 0.50 (99 % interval 0.30 to 0.70), intercept +0.00: the probabilities are too far apart",
        ),
        (
            with_calibration(ece=0.046),
            "ece_ceiling",
            "Calibration error (ECE) 0.0460 is above the ceiling 0.0450, where right probabilities have 0.0200 in",
        ),
        (with_calibration(slope=Interval(math.nan, math.nan, math.nan)), "calibration_slope", "no slope is defined"),
    ],
)
def test_each_limit_of_its_own_rejects(challenger: Challenger, rule: str, sentence: str) -> None:
    verdict = decide(POLICY, challenger, None)
    assert not verdict.promote
    assert failed(verdict) == [rule]
    assert sentence in verdict.summary


def test_what_is_within_chance_is_no_refusal() -> None:
    # Far off, and not shown by so few loans.
    assert decide(POLICY, with_calibration(rate_ratio=Interval(1.5, 0.9, 1.9)), None).promote
    assert decide(POLICY, with_calibration(slope=Interval(0.5, 0.1, 1.1)), None).promote
    assert decide(POLICY, replace(GOOD, auc=Interval(0.8, 0.74, 0.85)), None).promote
    # Shown by many loans, and too small to matter.
    assert decide(POLICY, with_calibration(rate_ratio=Interval(1.1, 1.05, 1.15)), None).promote
    assert decide(POLICY, with_calibration(slope=Interval(0.9, 0.85, 0.95)), None).promote


def test_the_limit_of_the_ece_knows_sample_and_default_rate() -> None:
    assert ece_limit(POLICY, CALIBRATED) == pytest.approx(0.045)  # a quarter of 10 % beyond chance
    many = replace(CALIBRATED, rows=10_000, defaults=2_000, chance=0.005, chance_high=0.008)
    assert ece_limit(POLICY, many) == pytest.approx(0.035)  # `max_ece` beyond chance
    few = replace(CALIBRATED, rows=300, defaults=6, chance=0.012, chance_high=0.025)
    assert ece_limit(POLICY, few) == 0.025  # what chance gives


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"interval": Interval(0.01, -0.001, 0.021)}, "auc_gain"),
        ({"interval": Interval(0.0, 0.0, 0.0)}, "auc_gain"),  # must be above the limit, not at it
        ({"interval": Interval(0.01, math.nan, 0.02)}, "auc_gain"),
        ({"challenger_ece": 0.036}, "ece_loss"),
    ],
)
def test_a_version_possibly_worse_than_the_champion_is_rejected(change: dict[str, float], rule: str) -> None:
    verdict = decide(POLICY, GOOD, replace(CHAMPION, gain=replace(GAIN, **change)))
    assert failed(verdict) == [rule]
    assert not verdict.promote


@pytest.mark.parametrize(("low", "promoted"), [(-0.024, True), (-0.025, False)])
def test_an_edit_of_the_contract_may_lose_one_standard_error(low: float, promoted: bool) -> None:
    gain = replace(GAIN, interval=Interval(-0.005, low, 0.01))
    verdict = decide(POLICY, GOOD, replace(CHAMPION, gain=gain, edited=True))
    assert verdict.promote is promoted
    assert "the contract was edited, so it must be as good" in verdict.reasons[9].sentence
    assert not decide(POLICY, GOOD, replace(CHAMPION, gain=gain)).promote


def test_one_as_good_replaces_a_champion_with_wrong_rates() -> None:
    wrong = replace(CALIBRATED, rate_ratio=Interval(1.6, 1.3, 1.9))
    gain = replace(GAIN, interval=Interval(0.0, -0.01, 0.01))
    verdict = decide(POLICY, GOOD, replace(CHAMPION, gain=gain, calibration=wrong))
    assert verdict.promote
    assert "the champion's probabilities no longer hold" in verdict.reasons[9].sentence


def test_the_champion_itself_is_nothing_to_decide() -> None:
    verdict = decide(POLICY, replace(GOOD, sha256="old", brier=1.0), CHAMPION)
    assert (verdict.promote, verdict.unchanged, verdict.reasons) == (False, True, ())
    assert verdict.summary == "Nothing to do: this version's model is the champion's, byte for byte."


def test_equal_probabilities_are_no_promotion() -> None:
    verdict = decide(POLICY, GOOD, replace(CHAMPION, same_probabilities=True))
    assert (verdict.promote, verdict.unchanged, verdict.kind) == (False, True, "no_change")
    assert verdict.summary == (
        "No change: the probability of default is the champion's on each of the 1,000 test loans."
    )


def test_other_cut_offs_wait_for_no_better_auc() -> None:
    champion = replace(CHAMPION, same_probabilities=True, other_answers=("the cut-offs", "the points scale"))
    verdict = decide(POLICY, replace(GOOD, auc=Interval(0.5, 0.4, 0.6)), champion)
    assert (verdict.promote, verdict.unchanged, verdict.kind) == (True, False, "policy")
    assert verdict.summary.startswith("Applied as a policy version: ")
    assert verdict.summary.endswith("only the cut-offs, the points scale changed.")


def _two_models(rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(rows)
    p = rng.beta(1, 6, rows)
    return (rng.random(rows) < p).astype(float), p, np.clip(p * rng.uniform(0.5, 1.5, rows), 0, 1)


def test_loans_that_the_champion_was_trained_on_are_not_compared() -> None:
    y, new, old = _two_models(2_000)
    seen = np.arange(2_000) % 3 == 0
    knows = np.where(seen, y, old)  # as if it had learned their outcomes by heart
    found, alone = compare("old", y, new, knows, seen), compare("old", y[~seen], new[~seen], old[~seen], seen[~seen])
    assert found.gain == alone.gain
    assert (found.rows, found.of_rows) == (1_333, 2_000)
    assert (
        "on 1,333 test loans that neither was trained on (of 2,000)" in decide(POLICY, GOOD, found).reasons[9].sentence
    )
    unfair = compare("old", y, new, knows, np.zeros(2_000, bool)).gain
    assert unfair is not None
    assert alone.gain is not None
    assert unfair.interval.high < 0 < alone.gain.interval.low


def test_too_few_unseen_loans_leave_the_absolute_rules() -> None:
    y, new, old = _two_models(400)
    found = compare("old", y, new, old, np.arange(400) >= 90)
    assert found.gain is None
    assert found.defaults < 20
    verdict = decide(POLICY, GOOD, found)
    assert verdict.promote
    assert verdict.reasons[9].sentence.startswith(
        f"The champion was trained on 310 of the 400 test loans. The 90 others ({found.defaults} defaults) are too few"
    )
    assert not decide(POLICY, replace(GOOD, brier=0.1), found).promote


def test_a_small_test_set_without_such_loans_is_compared() -> None:
    y, new, old = _two_models(60)
    assert compare("old", y, new, old, np.zeros(60, bool)).gain is not None


def test_a_verdict_is_json_even_with_numbers_that_are_none() -> None:
    verdict = decide(POLICY, replace(GOOD, auc=Interval(math.nan, math.nan, math.nan)), CHAMPION)
    found = json.loads(json.dumps(verdict.as_dict(), allow_nan=False))
    assert found["promote"] is False
    assert found["reasons"][0]["value"] is None
    assert found["reasons"][1]["limit"] == 0.6
    assert PromotionReport.from_verdict(verdict, "why").withdrawn == "why"


def test_the_evidence_is_that_of_the_test_loans() -> None:
    y, p, _ = _two_models(1_000)
    found = challenger_of("new", y, p, Interval(0.6, 0.5, 0.7), "fico")
    rate = y.mean()
    others = (y.sum() - y) / 999  # default rate of the other loans
    assert found.brier == pytest.approx(np.mean((p - y) ** 2))
    assert found.brier_of_others == pytest.approx(np.mean((others - y) ** 2))
    assert found.calibration.observed_rate == pytest.approx(rate)
    assert [rule.rule for rule in absolute_rules(POLICY, found)] == ABSOLUTE


def test_low_probabilities_of_rare_defaults_are_rejected() -> None:
    rng = np.random.default_rng(3)
    for rate, too_low in ((0.02, 20), (0.05, 2)):
        p = rng.beta(1, 1 / rate - 1, 3_000)
        y = (rng.random(3_000) < p).astype(float)
        found = challenger_of("new", y, p / too_low, Interval(0.6, 0.5, 0.7), "fico")
        assert "default_rate" in failed(decide(PromotionPolicy(max_auc=0.99), found, None))
        right = challenger_of("new", y, p, Interval(0.6, 0.5, 0.7), "fico")
        assert decide(PromotionPolicy(max_auc=0.99), right, None).promote


def test_equal_probabilities_of_another_model_are_no_policy() -> None:
    """Test loans do not say what an edit of a missing value's treatment does to other loans."""
    rng = np.random.default_rng(3)
    p = rng.beta(2, 8, 400)
    y, unseen = (rng.random(400) < p).astype(float), np.zeros(400, bool)
    assert compare("old", y, p, p, unseen).same_probabilities
    other = compare("old", y, p, p, unseen, other_answers=("the contract",), same_model=False)
    assert not other.same_probabilities
    assert decide(POLICY, GOOD, other).kind == "model"


def test_what_the_contract_forbids_is_rejected_with_the_reason() -> None:
    verdict = forbidden_verdict("the version reads debt, which the contract no longer has.")
    assert (verdict.promote, verdict.kind) == (False, "model")
    assert verdict.summary == (
        "Rejected, 1 of 1 rules failed: the version reads debt, which the contract no longer has."
    )
