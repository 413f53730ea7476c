"""How scored applications are cut into batches: Dagster's partitions by event date."""

from typing import Any, Final

import dagster as dg
import polars as pl

from loan_platform.core.book.portfolio import Portfolio

BATCH: Final = "partition"
WHOLE: Final = "all"
FORMATS = {"month": "%Y-%m", "day": "%Y-%m-%d"}


def batches(book: Portfolio) -> dg.PartitionsDefinition[str] | None:
    """Partitions of the scored batches: months or days of the event date; None for a book of one batch."""
    start, end = f"{book.partitions.start}-01", _first_day_after(book.partitions.end)
    match book.partitions.every:
        case "month":
            return dg.MonthlyPartitionsDefinition(start[:7], end and end[:7], fmt="%Y-%m", end_offset=1)
        case "day":
            return dg.DailyPartitionsDefinition(start, end, fmt="%Y-%m-%d", end_offset=1)
        case "none":
            return None


def batch_options(book: Portfolio) -> dict[str, Any]:
    """Options of a partitioned asset. One run may cover one batch or a range of batches."""
    partitions = batches(book)
    if partitions is None:
        return {}
    return {"partitions_def": partitions, "backfill_policy": dg.BackfillPolicy.single_run()}


def all_batches(book: Portfolio) -> dict[str, str]:
    """Run tags for all batches at once, for a run that names no range.

    Dagster cannot run a partitioned asset after another one without a partition, and rejects a single partition
    beside these tags. One batch is a range of one, or a materialization of the asset.
    """
    partitions = batches(book)
    if partitions is None:
        return {}
    return {
        "dagster/asset_partition_range_start": str(partitions.get_first_partition_key()),
        "dagster/asset_partition_range_end": str(partitions.get_last_partition_key()),
    }


def is_partitioned(context: dg.AssetExecutionContext) -> bool:
    """Whether the run names batches."""
    return context.has_partition_key or context.has_partition_key_range


def chosen_batches(context: dg.AssetExecutionContext, present: list[str]) -> list[str]:
    """The batches among those present that this run names; all of them where it names none."""
    return [batch for batch in context.partition_keys if batch in present] if is_partitioned(context) else present


def batch_column(book: Portfolio) -> pl.Expr:
    """Column `partition`: the batch of a row, such as `2018-07`; `all` for a book of one batch."""
    every = book.partitions.every
    if every == "none" or book.contract.event_date is None:
        return pl.lit(WHOLE).alias(BATCH)
    return pl.col(book.contract.event_date).dt.to_string(FORMATS[every]).alias(BATCH)


def partition_name(book: Portfolio, batch: str) -> str | None:
    """Name of a batch in the lake and in Dagster; None where the book is one batch."""
    return None if book.partitions.every == "none" else batch


def _first_day_after(month: str | None) -> str | None:
    if month is None:
        return None
    year, number = map(int, month.split("-"))
    return f"{year + number // 12}-{number % 12 + 1:02}-01"
