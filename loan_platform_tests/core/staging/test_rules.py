from pathlib import Path

import pytest

import loan_platform
from loan_platform.core.book.contract import Contract
from loan_platform.core.checking.contract_check import load_contract
from loan_platform.core.staging.rules import (
    QualityResult,
    Rule,
    RuleOutcome,
    expectations_for,
    expectations_for_applications,
)
from loan_platform_tests.support.books import car_loans

COLUMNS = [
    {"name": "key", "description": "Key.", "type": "text"},
    {"name": "decided_on", "description": "Date.", "type": "date", "required": True},
    {"name": "first_credit", "description": "Date.", "type": "date", "severity": "warning"},
    {"name": "paid_on", "description": "Date.", "type": "date", "available_at": "after_origination"},
    {
        "name": "income",
        "description": "Income.",
        "type": "number",
        "minimum": 0,
        "unit": "USD",
        "max_missing": 0.005,
    },
    {"name": "title", "description": "Free text.", "type": "text"},
]


def book() -> Contract:
    return Contract.model_validate(
        {
            "description": "Dated loans.",
            "entity_key": "key",
            "event_date": "decided_on",
            "columns": COLUMNS,
            "target": {"sql": "y", "description": "Default."},
            "features": [{"name": "f", "sql": "income", "description": "Income.", "reason": "Low income."}],
        }
    )


def test_rules_of_a_contract_by_name() -> None:
    rules = {rule.name: rule for rule in expectations_for(book())}
    assert list(rules) == [
        "has_rows",
        "columns_present",
        "optional_columns_in_source",
        "key_unique",
        "key_not_null",
        "decided_on_not_null",
        "first_credit_not_after_decided_on",
        "income_missing_share",
        "income_between",
    ]
    assert rules["columns_present"].columns == (
        "key",
        "decided_on",
        "first_credit",
        "paid_on",
        "income",
        "title",
    )
    assert rules["optional_columns_in_source"].columns == (
        "key",
        "first_credit",
        "paid_on",
        "income",
        "title",
    )


def test_a_rule_says_what_must_hold_and_how_much_it_matters() -> None:
    rules = {rule.name: rule for rule in expectations_for(book())}
    assert rules["income_between"].description == "income is at least 0 USD."
    assert rules["income_missing_share"].description == "income is missing in at most 0.5% of the rows."
    assert rules["income_missing_share"].max_missing == 0.005
    assert rules["first_credit_not_after_decided_on"].severity == "warning"
    assert rules["income_between"].severity == "critical"


def test_applications_have_the_rules_that_need_no_outcome() -> None:
    rules = {rule.name: rule for rule in expectations_for_applications(book())}
    assert list(rules) == [
        "columns_present",
        "optional_columns_in_source",
        "key_not_null",
        "decided_on_not_null",
        "first_credit_not_after_decided_on",
        "income_missing_share",
        "income_between",
    ]
    assert "paid_on" not in rules["columns_present"].columns
    assert (rules["income_missing_share"].severity, rules["income_between"].severity) == ("warning", "critical")


def test_each_row_rule_is_a_check_of_loans_and_applications() -> None:
    contract = load_contract(Path(loan_platform.__file__).parent / "defs" / "lending_club" / "contract.yaml")
    for rules in (expectations_for(contract), expectations_for_applications(contract)):
        found = {rule.name: (rule.severity, rule.columns) for rule in rules if rule.kind == "row_rule"}
        assert len(found) == len(contract.row_rules)
        assert found["row_rule_fico_range_in_order"] == ("critical", ("fico_range_low", "fico_range_high"))
        assert found["row_rule_income_above_zero"][0] == "warning"


def test_a_book_without_dates_has_no_rule_on_dates() -> None:
    rules = expectations_for(car_loans().contract)
    assert {rule.kind for rule in rules} == {
        "has_rows",
        "columns_present",
        "in_source",
        "unique",
        "not_null",
        "between",
        "in_set",
    }
    assert next(rule for rule in rules if rule.name == "region_in_set").allowed == ("north", "south", "west")


def test_lending_club_has_about_a_hundred_rules_with_valid_names() -> None:
    contract = load_contract(Path(loan_platform.__file__).parent / "defs" / "lending_club" / "contract.yaml")
    names = [rule.name for rule in expectations_for(contract)]
    assert 70 <= len(names) <= 130
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)


@pytest.mark.parametrize(("status", "success"), [("passed", True), ("skipped", True), ("failed", False)])
def test_only_a_failed_rule_fails_its_check(status: str, success: bool) -> None:
    outcome = RuleOutcome(Rule("has_rows", "has_rows", "Rows.", "critical"), status, 4, 1)  # pyright: ignore[reportArgumentType]
    assert outcome.success is success
    assert outcome.unexpected_share == 0.25


def test_the_result_counts_by_severity() -> None:
    critical = RuleOutcome(Rule("a", "unique", "A.", "critical"), "failed", 4, 1)
    warning = RuleOutcome(Rule("b", "unique", "B.", "warning"), "failed", 4, 2)
    passed = RuleOutcome(Rule("c", "unique", "C.", "critical"), "passed", 4, 0)
    result = QualityResult(4, (critical, warning, passed))
    assert result.failed("critical") == (critical,)
    assert result.failed("warning") == (warning,)
    assert '"unexpected_percent": 50.0' in result.to_json()


def test_no_row_is_no_share() -> None:
    assert RuleOutcome(Rule("a", "unique", "A.", "critical"), "passed", 0, 0).unexpected_share == 0.0
