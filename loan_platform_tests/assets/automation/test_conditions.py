"""An edit of the contract asks by itself whether the champion may stay."""

from datetime import UTC, datetime, timedelta

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
    loaded = {name: definitions(present) for name, present in (("before", book), ("edited", edited))}
    chosen, asked, moment, cursor = dg.AssetSelection.assets(KEY), [], datetime(2026, 1, 1, 12, 1, tzinfo=UTC), None
    with dg.instance_for_test() as instance:
        # The run that was asked for fails, and the next one succeeds.
        for present, minutes in (
            ("before", 0),
            ("before", 1),
            ("edited", 2),
            ("edited", 3),
            ("edited", 10),
            ("edited", 11),
        ):
            now = moment + timedelta(minutes=minutes)
            result = dg.evaluate_automation_conditions(
                loaded[present], instance, chosen, cursor=cursor, evaluation_time=now
            )
            asked.append(result.total_requested)
            cursor = result.cursor
        instance.report_runless_asset_event(dg.AssetMaterialization(KEY))
        later = moment + timedelta(minutes=25)
        for minutes in (0, 10):
            now = later + timedelta(minutes=minutes)
            result = dg.evaluate_automation_conditions(
                loaded["edited"], instance, chosen, cursor=cursor, evaluation_time=now
            )
            asked.append(result.total_requested)
            cursor = result.cursor
    assert asked == [0, 0, 1, 0, 1, 0, 0, 0]
    assert CONTRACT_WAS_EDITED.get_label() == "contract_was_edited"
