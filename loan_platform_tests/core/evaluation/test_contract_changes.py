import copy
from typing import Any

import pytest

from loan_platform.core.book.contract import Contract
from loan_platform.core.evaluation.gates.contract_changes import meaning_sha256, reason_to_withdraw, was_edited
from loan_platform_tests.support.books import CONTRACT


def _edited(column: str | None = None, feature: str | None = None, **change: Any) -> Contract:
    values = copy.deepcopy(CONTRACT)
    items = values["columns"] if column else values["features"]
    next(item for item in items if item["name"] == (column or feature)).update(change)
    return Contract.model_validate(values)


def _without(column: str, features: tuple[str, ...], **change: Any) -> Contract:
    """The book without some features, and with a column changed, or without it."""
    values = copy.deepcopy(CONTRACT)
    values["features"] = [f for f in values["features"] if f["name"] not in features]
    found = next(c for c in values["columns"] if c["name"] == column)
    values["columns"].remove(found)
    if change:
        values["columns"].append(found | change)
    return Contract.model_validate(values)


def _forbidding(column: str, feature: str) -> Contract:
    values: dict[str, Any] = copy.deepcopy(CONTRACT) | {"forbidden_features": [column]}
    values["features"] = [f for f in values["features"] if f["name"] != feature]
    return Contract.model_validate(values)


def _reason(present: Contract, use_pricing: bool = False) -> str | None:
    champion = Contract.model_validate(CONTRACT)
    inputs = champion.application_columns(use_pricing=True)
    return reason_to_withdraw(champion, inputs, present, use_pricing)


@pytest.mark.parametrize(
    ("present", "told"),
    [
        (_without("debt", ("debt_to_salary",)), "debt, which the contract no longer has"),
        (
            _without("debt", ("debt_to_salary",), available_at="after_origination"),
            "debt, which the contract now says is known after the decision only",
        ),
        (_without("region", ("region",), protected=True), "region, which the contract now protects"),
        (_forbidding("debt", "debt_to_salary"), "debt, which the contract now forbids for features"),
        (
            _without("debt", ("debt_to_salary",), available_at="pricing"),
            "debt, which is the lender's pricing and may not be used now",
        ),
        (
            _without("debt", ("debt_to_salary",), type="text", unit=None),
            "debt as number, which the contract now reads as text",
        ),
    ],
)
def test_a_champion_that_may_not_read_a_column_must_go(present: Contract, told: str) -> None:
    assert _reason(present) == f"the champion reads {told}."


def test_a_champion_that_the_contract_allows_stays() -> None:
    assert _reason(Contract.model_validate(CONTRACT)) is None
    assert _reason(_without("debt", ("debt_to_salary",), available_at="pricing"), use_pricing=True) is None
    assert _reason(_edited(column="debt", sql='"Open Debts"')) is None


def test_other_words_are_no_other_model() -> None:
    before = Contract.model_validate(CONTRACT)
    assert not was_edited(before, _edited(feature="log_salary", reason="Too low.", description="Logarithm."))
    assert not was_edited(before, _edited(column="debt", description="Debts."))
    assert not was_edited(before, _edited(column="sex", sql='"Gender"'))  # no feature reads it
    assert was_edited(before, _edited(feature="log_salary", sql="ln(salary + 2)"))
    assert was_edited(before, _edited(column="debt", sql='"Open Debts"'))


def test_the_meaning_of_a_contract_does_not_depend_on_the_data() -> None:
    """A bundle lacks features that one training could not use, such as a constant one; the contract has them."""
    whole = Contract.model_validate(CONTRACT)
    assert meaning_sha256(whole, True) == meaning_sha256(_edited(feature="region", reason="Other words."), True)
    assert meaning_sha256(whole, True) != meaning_sha256(_edited(feature="log_salary", sql="ln(salary + 2)"), True)
    assert meaning_sha256(whole, True) != meaning_sha256(_without("debt", ("debt_to_salary",)), True)
