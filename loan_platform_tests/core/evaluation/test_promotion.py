import json
import math
from dataclasses import replace

import pytest

from loan_platform.core.book.decision_policies import PromotionPolicy
from loan_platform.core.evaluation.promotion import Challenger, ChampionComparison, decide

POLICY = PromotionPolicy()  # AUC 0.6 to 0.75, one feature 0.7, ECE 0.03, gain above -0.002, ECE loss 0.005
GOOD = Challenger(sha256="new", auc=0.70, ece=0.010, max_feature_auc=0.62, max_feature="fico")
CHAMPION = ChampionComparison(sha256="old", auc=0.69, ece=0.009, auc_gain_low=0.004, auc_gain_high=0.016)


def test_the_first_version_has_floors_and_ceilings_only() -> None:
    verdict = decide(POLICY, GOOD, None)
    assert verdict.promote
    assert [r.rule for r in verdict.reasons] == [
        "auc_floor",
        "auc_ceiling",
        "feature_auc_ceiling",
        "ece_ceiling",
    ]
    assert verdict.summary == "Promoted: all 4 rules passed."


def test_a_better_version_replaces_the_champion() -> None:
    verdict = decide(POLICY, GOOD, CHAMPION)
    assert verdict.promote
    gain = verdict.reasons[4]
    assert (gain.rule, gain.value, gain.limit) == ("auc_gain", 0.004, -0.002)
    assert "0.7000 against 0.6900" in gain.sentence
    assert "+0.0040 to +0.0160" in gain.sentence


@pytest.mark.parametrize(
    ("change", "rule", "sentence"),
    [
        ({"auc": 0.59}, "auc_floor", "Test AUC 0.5900 is below the floor 0.6000."),
        (
            {"auc": 0.81},
            "auc_ceiling",
            "0.8100 is above the ceiling 0.7500; this much is a leak, not a success.",
        ),
        (
            {"max_feature_auc": 0.9},
            "feature_auc_ceiling",
            "AUC of fico alone 0.9000 is above the ceiling 0.7000",
        ),
        ({"ece": 0.04}, "ece_ceiling", "Calibration error (ECE) 0.0400 is above the ceiling 0.0300."),
        ({"auc": math.nan}, "auc_floor", "Test AUC nan is below the floor"),
    ],
)
def test_each_limit_of_its_own_rejects(change: dict[str, float], rule: str, sentence: str) -> None:
    verdict = decide(POLICY, replace(GOOD, **change), None)
    assert not verdict.promote
    failed = [r for r in verdict.reasons if not r.passed]
    assert failed[0].rule == rule
    assert sentence in failed[0].sentence
    assert sentence in verdict.summary


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"auc_gain_low": -0.003}, "auc_gain"),
        ({"auc_gain_low": -0.002}, "auc_gain"),  # must be above the limit, not at it
        ({"auc_gain_low": math.nan}, "auc_gain"),
        ({"ece": 0.004}, "ece_loss"),
    ],
)
def test_a_version_possibly_worse_than_the_champion_is_rejected(change: dict[str, float], rule: str) -> None:
    verdict = decide(POLICY, GOOD, replace(CHAMPION, **change))
    assert [r.rule for r in verdict.reasons if not r.passed] == [rule]
    assert not verdict.promote


def test_at_the_limits_is_within_them() -> None:
    edge = Challenger(sha256="new", auc=0.6, ece=0.03, max_feature_auc=0.7)
    assert decide(POLICY, edge, None).promote
    assert decide(POLICY, replace(edge, auc=0.75), None).promote


def test_the_champion_itself_is_nothing_to_decide() -> None:
    verdict = decide(POLICY, replace(GOOD, sha256="old", auc=0.1), CHAMPION)
    assert (verdict.promote, verdict.unchanged, verdict.reasons) == (False, True, ())
    assert verdict.summary == "Nothing to do: this version's model is the champion's, byte for byte."


def test_a_verdict_is_json_even_with_numbers_that_are_none() -> None:
    verdict = decide(POLICY, replace(GOOD, auc=math.nan), CHAMPION)
    found = json.loads(json.dumps(verdict.as_dict(), allow_nan=False))
    assert found["promote"] is False
    assert found["reasons"][0]["value"] is None
    assert found["reasons"][0]["limit"] == 0.6
