"""A ceiling of the leak alarm is raised with a reason only, and the reason is kept."""

from pathlib import Path

import pytest

from loan_platform.core.book.decision_policies import PromotionPolicy, ceiling_issues, reason_issues
from loan_platform.core.checking.book_check import check_book, load_book
from loan_platform.core.evaluation.bootstrap import Interval
from loan_platform.core.evaluation.gates.absolute_rules import absolute_rules, challenger_of
from loan_platform.core.evaluation.promotion import decide
from loan_platform_tests.support.planted import book_in, edited, line_of, place


def rules(policy: PromotionPolicy, low: float) -> dict[str, tuple[bool, str]]:
    target, probability = [0.0, 1.0] * 200, [0.2, 0.8, 0.4, 0.6] * 100
    found = challenger_of("sha", target, probability, Interval(low + 0.01, low, low + 0.02), "salary")
    assert decide(policy, found, None).reasons == absolute_rules(policy, found)
    return {rule.rule: (rule.passed, rule.sentence) for rule in absolute_rules(policy, found)}


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return book_in(tmp_path)


def test_the_check_refuses_a_raised_ceiling_and_the_book_loads(book: Path) -> None:
    text = (book / "defs.yaml").read_text()
    line = next(line for line in text.splitlines(keepends=True) if line.strip().startswith("reason:"))
    defs = edited(book, "defs.yaml", (line, ""))
    issues = check_book(book).issues
    assert [(place(issue), issue.code) for issue in issues] == [
        (("defs.yaml", line_of(defs, f"{name}: 0.95"), f"attributes.promotion.{name}"), "no_reason")
        for name in ("max_auc", "max_feature_auc")
    ]
    assert issues[0].message == "0.95 is above 0.9 without a reason, so 0.9 applies"
    assert load_book(book).promotion.auc_ceiling == 0.9


def test_a_raised_ceiling_with_a_reason_is_sound(book: Path) -> None:
    found = check_book(book)
    assert found.issues == ()
    assert found.portfolio is not None
    assert found.portfolio.promotion.auc_ceiling == 0.95


def test_the_reason_goes_into_the_verdict_that_the_ledger_keeps() -> None:
    policy = PromotionPolicy(max_auc=0.95, max_feature_auc=0.95, reason="The bank sees the salary.")
    passed, sentence = rules(policy, 0.93)["feature_auc_ceiling"]
    assert passed
    assert sentence.endswith("keeps the ceiling 0.9500. The ceiling was raised: The bank sees the salary.")
    passed, sentence = rules(policy.model_copy(update={"reason": None}), 0.93)["feature_auc_ceiling"]
    assert not passed
    assert "is above the ceiling 0.8500" in sentence


@pytest.mark.parametrize("reason", ["-", "\u200b", "n/a", "because"])
def test_a_reason_that_says_nothing_raises_no_ceiling(reason: str) -> None:
    policy = PromotionPolicy(min_auc=0.92, max_auc=0.95, reason=reason)
    assert policy.auc_ceiling == 0.9
    assert [(issue.path, issue.code) for issue in ceiling_issues(policy)] == [
        ("min_auc", "wrong_order"),
        ("max_auc", "no_reason"),
    ]
    explained = policy.model_copy(update={"reason": "The bank sees the salary."})
    assert list(ceiling_issues(explained)) == []


@pytest.mark.parametrize("reason", ["-", "\u200b", "n/a", "because"])
def test_a_reason_that_says_nothing_accepts_no_sign(reason: str) -> None:
    policy = PromotionPolicy(accepted_signs={"income": "The tax office states it.", "debt": reason})
    assert set(policy.explained_signs) == {"income"}
    (issue,) = reason_issues(policy)
    assert (issue.path, issue.code) == ("accepted_signs.debt", "no_reason")
    assert "fewer than 10 letters" in issue.message


def test_a_policy_without_a_reason_has_the_bytes_of_before() -> None:
    assert "reason" not in PromotionPolicy().model_dump()
    assert PromotionPolicy().auc_ceiling == 0.75
