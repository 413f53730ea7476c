import numpy as np

from loan_platform.core.evaluation.metrics import auc
from loan_platform.core.training.model_selection import FoldScores, choose

RNG = np.random.default_rng(0)
TARGETS = tuple((RNG.random(2_000) < 0.2).astype(float) for _ in range(2))
NOISE = {name: [RNG.normal(size=2_000) for _ in TARGETS] for name in "abc"}


def _scores(signal: float, noise: str) -> FoldScores:
    margins = tuple(signal * y + n for y, n in zip(TARGETS, NOISE[noise], strict=True))
    return FoldScores(margins, tuple(auc(y, m) for y, m in zip(TARGETS, margins, strict=True)))


def test_a_family_that_beats_the_scorecard_is_chosen():
    choice = choose({"scorecard": _scores(0.8, "a"), "mlp": _scores(1.2, "a")}, TARGETS, 0.001, 1)
    assert choice.family == "mlp"
    gain = choice.gains["mlp"]
    assert gain.low < gain.estimate < gain.high
    assert f"mlp beats the scorecard (mean AUC {_scores(0.8, 'a').mean:.4f}" in choice.reason
    assert f"{gain.estimate:+.4f} AUC (95 % interval {gain.low:+.4f} to {gain.high:+.4f})" in choice.reason


def test_less_than_the_margin_is_not_enough():
    scores = {"scorecard": _scores(0.8, "a"), "gradient_boosting": _scores(0.803, "a")}
    assert 0 < scores["gradient_boosting"].mean - scores["scorecard"].mean < 0.002
    choice = choose(scores, TARGETS, 0.005, 1)
    assert choice.family == "scorecard"
    assert "the best other one is gradient_boosting with +0.00" in choice.reason
    assert choose(scores, TARGETS, 0.0, 1).family == "gradient_boosting"


def test_the_best_of_several_winners_is_chosen():
    scores = {
        "scorecard": _scores(0.5, "a"),
        "mlp": _scores(0.9, "b"),
        "gradient_boosting": _scores(1.3, "c"),
        "random_forest": _scores(0.2, "b"),
    }
    choice = choose(scores, TARGETS, 0.001, 1)
    assert choice.family == "gradient_boosting"
    assert set(choice.gains) == {"mlp", "gradient_boosting", "random_forest"}


def test_at_equal_auc_the_simpler_family_is_chosen():
    same = _scores(1.0, "a")
    scores = {"scorecard": _scores(0.5, "b"), "blend": same, "mlp": same, "gradient_boosting": same}
    assert choose(scores, TARGETS, 0.001, 1).family == "gradient_boosting"


def test_alone_and_without_a_scorecard():
    assert choose({"scorecard": _scores(1, "a")}, TARGETS, 0.001, 1).reason.endswith("is the only candidate.")
    choice = choose({"mlp": _scores(0.5, "a"), "random_forest": _scores(1, "b")}, TARGETS, 0.001, 1)
    assert (choice.family, choice.gains) == ("random_forest", {})
