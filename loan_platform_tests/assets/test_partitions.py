"""Batches of applications as Dagster partitions."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from loan_platform.assets.specs.partitions import RANGE_END, RANGE_START, batch_options, batches, require_range
from loan_platform.core.book.monitoring_policies import PartitionPolicy
from loan_platform.core.book.portfolio import Portfolio
from loan_platform_tests.support.books import car_loans


@pytest.mark.parametrize(
    ("policy", "first", "last"),
    [
        ({"every": "month", "start": "2019-11", "end": "2020-12"}, "2019-11", "2020-12"),
        ({"every": "day", "start": "2020-01", "end": "2020-02"}, "2020-01-01", "2020-02-29"),
    ],
)
def test_a_closed_book_ends_with_its_last_month(policy: dict[str, Any], first: str, last: str) -> None:
    keys = keys_of(policy)
    assert (keys[0], keys[-1]) == (first, last)


def test_an_open_book_ends_with_the_current_month() -> None:
    assert keys_of({"every": "month", "start": "2019-11"})[-1] == f"{datetime.now(UTC):%Y-%m}"


def test_a_book_without_dates_has_none() -> None:
    assert batches(book_with({"every": "none"})) is None


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [
        ("2018-13", "2018-13", r"time data '2018-13' does not match format"),
        ("2020-12", "2019-11", r"ends before it starts\. Write 2019-11\.\.2020-12\."),
        ("2031-01", "2031-01", r"'2031-01' is no batch of car_loans: its batches are 2019-11 to 2020-12\."),
    ],
)
def test_an_impossible_range_is_refused_as_documented(first: str, last: str, told: str) -> None:
    book = book_with({"every": "month", "start": "2019-11", "end": "2020-12"})

    @dg.asset(**batch_options(book))
    def scored(context: dg.AssetExecutionContext) -> None:
        require_range(context, book)

    assets: list[Any] = [scored]
    tags = {RANGE_START: first, RANGE_END: last}
    with pytest.raises(ValueError, match=told):
        dg.materialize(assets, tags=tags)


def keys_of(policy: dict[str, Any]) -> list[str]:
    partitions = batches(book_with(policy))
    assert partitions is not None
    return list(partitions.get_partition_keys())


def book_with(policy: dict[str, Any]) -> Portfolio:
    return car_loans().model_copy(update={"partitions": PartitionPolicy(**policy)})
