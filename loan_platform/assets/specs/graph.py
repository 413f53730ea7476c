"""How the assets of a book are named, grouped and cut into partitions."""

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, cast

import dagster as dg

from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.errors import ExplainedError

OWNER: Final = "team:credit-risk"
JOINED: Final = "joined_loans"


def key(book: Portfolio, name: str) -> dg.AssetKey:
    """`lending_club/raw_loans`: the book's name is the prefix."""
    return dg.AssetKey([book.name, name])


def clean_asset(source: str) -> str:
    """Name of the asset that holds the typed rows of one of several linked sources."""
    return f"clean_{source}"


def linked_with(book: Portfolio) -> list[str]:
    """Assets that applications and outcomes are joined with; none for a book of one file."""
    return [clean_asset(table.name) for table in book.contract.tables]


def asset_of(
    book: Portfolio, name: str, *kinds: str, deps: Iterable[str | dg.AssetDep] = (), **options: Any
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """`dg.asset` for an asset of the book: key, group (one screen for each book), owner, kinds, upstream assets."""
    asset = dg.asset(**_about(book, name, kinds, deps), **options)

    def decorate(function: Callable[..., Any]) -> dg.AssetsDefinition:
        return cast("dg.AssetsDefinition", asset(explained(function)))

    return decorate


def explained(function: Callable[..., Any]) -> Callable[..., Any]:
    """An asset's function whose explained errors fail the step with their message, not with a traceback.

    Any other error is a defect, and keeps its traceback.
    """
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generate(*arguments: Any, **named: Any) -> Iterator[Any]:
            try:
                yield from function(*arguments, **named)
            except ExplainedError as error:
                raise dg.Failure(str(error), allow_retries=False) from error

        return generate

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except ExplainedError as error:
            raise dg.Failure(str(error), allow_retries=False) from error

    return call


def spec_of(
    book: Portfolio, name: str, description: str, *kinds: str, deps: Iterable[str | dg.AssetDep] = ()
) -> dg.AssetSpec:
    """`dg.AssetSpec` for one of several assets that the book makes in one step."""
    return dg.AssetSpec(description=description, **_about(book, name, kinds, deps))


def _about(book: Portfolio, name: str, kinds: tuple[str, ...], deps: Iterable[str | dg.AssetDep]) -> dict[str, Any]:
    return {
        "key": key(book, name),
        "group_name": book.name,
        "owners": [OWNER],
        "kinds": set(kinds),
        "deps": [key(book, dep) if isinstance(dep, str) else dep for dep in deps],
    }


def batches(book: Portfolio) -> dg.PartitionsDefinition[str] | None:
    """The partitions of scored batches: months or days of the event date, or none."""
    start, end = f"{book.partitions.start}-01", _first_day_after(book.partitions.end)
    match book.partitions.every:
        case "month":
            return dg.MonthlyPartitionsDefinition(start[:7], end and end[:7], fmt="%Y-%m", end_offset=1)
        case "day":
            return dg.DailyPartitionsDefinition(start, end, fmt="%Y-%m-%d", end_offset=1)
        case "none":
            return None


def _first_day_after(month: str | None) -> str | None:
    if month is None:
        return None
    year, number = map(int, month.split("-"))
    return f"{year + number // 12}-{number % 12 + 1:02}-01"


def batch_options(book: Portfolio) -> dict[str, Any]:
    """Partitioning of an asset; one run may cover one batch or a range of them."""
    partitions = batches(book)
    if partitions is None:
        return {}
    return {"partitions_def": partitions, "backfill_policy": dg.BackfillPolicy.single_run()}


def every_batch(book: Portfolio) -> dict[str, str]:
    """Run tags for all batches at once, for a run that is started without naming a range.

    Dagster cannot run a partitioned asset after another one without a partition, and refuses a single partition
    beside these tags: one batch is a range of one, or a materialization of the asset.
    """
    partitions = batches(book)
    if partitions is None:
        return {}
    last = partitions.get_last_partition_key()
    return {
        "dagster/asset_partition_range_start": str(partitions.get_first_partition_key()),
        "dagster/asset_partition_range_end": str(last),
    }


def chosen_batches(context: dg.AssetExecutionContext, present: list[str]) -> list[str]:
    """The batches among those present that this run is about: its partitions, or the one batch of a book without."""
    return [batch for batch in context.partition_keys if batch in present] if is_partitioned(context) else present


def is_partitioned(context: dg.AssetExecutionContext) -> bool:
    """Whether the run is about certain batches."""
    return context.has_partition_key or context.has_partition_key_range
