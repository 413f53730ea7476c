"""Batches of applications as Dagster partitions."""

from datetime import UTC, datetime
from typing import Any

import pytest

from loan_platform.assets.specs.partitions import batches
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


def keys_of(policy: dict[str, Any]) -> list[str]:
    partitions = batches(book_with(policy))
    assert partitions is not None
    return list(partitions.get_partition_keys())


def book_with(policy: dict[str, Any]) -> Portfolio:
    return car_loans().model_copy(update={"partitions": PartitionPolicy(**policy)})
