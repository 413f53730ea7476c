"""How the assets of a book are named, grouped and cut into partitions."""

from collections.abc import Callable, Iterable
from typing import Any, Final, cast

import dagster as dg

from loan_platform.core.portfolio import Portfolio

OWNER: Final = "team:credit-risk"


def key(book: Portfolio, name: str) -> dg.AssetKey:
    """`lending_club/raw_loans`: the book's name is the prefix."""
    return dg.AssetKey([book.name, name])


def asset_of(
    book: Portfolio, name: str, *kinds: str, deps: Iterable[str | dg.AssetDep] = (), **options: Any
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """`dg.asset` for an asset of the book: key, group (one screen for each book), owner, kinds, upstream assets."""
    asset = dg.asset(**_about(book, name, kinds, deps), **options)
    return cast("Callable[[Callable[..., Any]], dg.AssetsDefinition]", asset)


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
    start = book.partitions.start
    match book.partitions.every:
        case "month":
            return dg.MonthlyPartitionsDefinition(start_date=start, fmt="%Y-%m", end_offset=1)
        case "day":
            return dg.DailyPartitionsDefinition(start_date=f"{start}-01", fmt="%Y-%m-%d", end_offset=1)
        case "none":
            return None


def batch_options(book: Portfolio) -> dict[str, Any]:
    """Partitioning of an asset: a run may cover one batch, a range of them, or (without a partition) all."""
    partitions = batches(book)
    if partitions is None:
        return {}
    return {"partitions_def": partitions, "backfill_policy": dg.BackfillPolicy.single_run()}


def chosen_batches(context: dg.AssetExecutionContext, present: list[str]) -> list[str]:
    """The batches this run is about: its partitions, or every batch present where it names none."""
    if context.has_partition_key or context.has_partition_key_range:
        return list(context.partition_keys)
    return present


def tell_batch(context: dg.AssetExecutionContext, asset: dg.AssetKey, batch: str, metadata: dict[str, Any]) -> None:
    """Put a batch's own figures on its partition, whether or not the run was started for that partition."""
    if context.has_partition_key or context.has_partition_key_range:
        context.add_asset_metadata(metadata, asset_key=asset, partition_key=batch)
    else:
        context.log_event(dg.AssetMaterialization(asset, partition=batch, metadata=metadata))
