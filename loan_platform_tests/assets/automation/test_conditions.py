"""An edit of the contract asks by itself whether the champion may stay."""

import dagster as dg

from loan_platform.assets.automation.conditions import CONTRACT_WAS_EDITED
from loan_platform.assets.loan_portfolio import book_definitions
from loan_platform.assets.resources.configured import platform_resources
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.books import car_loans

KEY = dg.AssetKey(["car_loans", "allowed_champion"])


def definitions(book: Portfolio) -> dg.Definitions:
    resources = platform_resources(PlatformSettings.from_environment())
    return dg.Definitions.merge(book_definitions(book), dg.Definitions(resources=resources))


def test_an_edited_contract_is_compared_with_the_champion() -> None:
    book = car_loans()
    contract = book.contract.model_copy(update={"forbidden_features": ("debt",)})
    edited = book.model_copy(update={"contract": contract})
    chosen, asked = dg.AssetSelection.assets(KEY), []
    with dg.instance_for_test() as instance:
        cursor = None
        for present in (book, book, edited, edited):
            result = dg.evaluate_automation_conditions(definitions(present), instance, chosen, cursor=cursor)
            asked.append(result.total_requested)
            cursor = result.cursor
    assert asked == [0, 0, 1, 0]
    assert CONTRACT_WAS_EDITED.get_label() == "contract_was_edited"
