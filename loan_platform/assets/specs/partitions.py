"""How scored applications are cut into batches: Dagster's partitions by event date."""

from typing import Any, Final

import dagster as dg
import polars as pl

from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.book.sql import quote_identifier
from loan_platform.core.errors import ExplainedError

BATCH: Final = "partition"
WHOLE: Final = "all"
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
ALL_BATCHES: Final = "all_batches"
FORMATS = {"month": "%Y-%m", "day": "%Y-%m-%d"}

BatchRange = tuple[str, str]
EVERYTHING: Final[BatchRange] = ("", "\uffff")  # every row, whatever its date


class RangeError(ExplainedError, ValueError):
    """A text is no range of batches."""


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


def batch_keys(book: Portfolio) -> frozenset[str] | None:
    """Names of all batches that there are by now; None for a book of one batch."""
    partitions = batches(book)
    return frozenset(partitions.get_partition_keys()) if partitions else None


def batch_options(book: Portfolio) -> dict[str, Any]:
    """Options of a partitioned asset. One run may cover one batch or a range of batches."""
    partitions = batches(book)
    if partitions is None:
        return {}
    return {"partitions_def": partitions, "backfill_policy": dg.BackfillPolicy.single_run()}


def all_batches(book: Portfolio) -> dict[str, str]:
    """Run tags for all batches at once, for a run that names no range.

    Dagster cannot run a partitioned asset after another one without a partition, and rejects a single partition
    beside these tags. One batch is a range of one, or a materialization of the asset. The tags are written when the
    code is loaded, so `names_all_batches` knows them again on a later day, when there are more batches.
    """
    partitions = batches(book)
    if partitions is None:
        return {}
    first, last = str(partitions.get_first_partition_key()), str(partitions.get_last_partition_key())
    return {RANGE_START: first, RANGE_END: last, ALL_BATCHES: _range_text(first, last)}


def is_partitioned(context: dg.AssetExecutionContext) -> bool:
    """Whether the run names batches."""
    return context.has_partition_key or context.has_partition_key_range


def names_all_batches(context: dg.AssetExecutionContext) -> bool:
    """Whether the run covers all batches that there are by now: it names none, or has the tags of `all_batches`."""
    if not is_partitioned(context):
        return True
    tags = context.run.tags
    return ALL_BATCHES in tags and tags[ALL_BATCHES] == _range_text(tags.get(RANGE_START), tags.get(RANGE_END))


def chosen_batches(context: dg.AssetExecutionContext, present: list[str]) -> list[str]:
    """The batches among those present that this run names; all of them where it covers all."""
    return present if names_all_batches(context) else [batch for batch in context.partition_keys if batch in present]


def tell_batch(context: dg.AssetExecutionContext, asset: dg.AssetKey, batch: str, metadata: dict[str, Any]) -> None:
    """Record what the run made of a batch, also where the batch is newer than the range in the run's tags."""
    if batch in context.partition_keys:
        context.add_asset_metadata(metadata, asset_key=asset, partition_key=batch)
    else:
        context.log_event(dg.AssetMaterialization(asset, partition=batch, metadata=metadata))


def parse_range(book: Portfolio, text: str) -> BatchRange:
    """First and last batch of `2018-01..2018-03`, of `2018-01`, or of `all`, also of rows outside of all batches.

    Raises:
        RangeError: the text is no range of the book's batches.
    """
    if text == WHOLE:
        return EVERYTHING
    first, parted, last = text.partition("..")
    return _checked_range(book, first, last if parted else first)


def require_range(context: dg.AssetExecutionContext, book: Portfolio) -> None:
    """Refuse a run whose tags name a range that does not exist or is reversed: it would do nothing and succeed.

    Raises:
        RangeError: the tags name no range of the book's batches.
    """
    if not names_all_batches(context) and context.has_partition_key_range:
        _checked_range(book, context.run.tags[RANGE_START], context.run.tags[RANGE_END])


def _checked_range(book: Portfolio, first: str, last: str) -> BatchRange:
    partitions = batches(book)
    if partitions is None:
        raise RangeError(f"{first!r} is no batch: the book is one batch, which is called {WHOLE!r}.")
    keys = partitions.get_partition_keys()
    for batch in (first, last):
        if batch not in keys:
            raise RangeError(f"{batch!r} is no batch of {book.name}: its batches are {keys[0]} to {keys[-1]}.")
    if last < first:
        raise RangeError(f"The range {_range_text(first, last)!r} ends before it starts. Write {last}..{first}.")
    return first, last


def batch_column(book: Portfolio) -> pl.Expr:
    """Column `partition`: the batch of a row, such as `2018-07`; `all` for a book of one batch."""
    every = book.partitions.every
    if every == "none" or book.contract.event_date is None:
        return pl.lit(WHOLE).alias(BATCH)
    return pl.col(book.contract.event_date).dt.to_string(FORMATS[every]).alias(BATCH)


def batch_sql(book: Portfolio) -> str:
    """`batch_column` as DuckDB SQL."""
    every = book.partitions.every
    if every == "none" or book.contract.event_date is None:
        return f"'{WHOLE}'"
    return f"strftime({quote_identifier(book.contract.event_date)}, '{FORMATS[every]}')"


def partition_name(book: Portfolio, batch: str) -> str | None:
    """Name of a batch in the lake and in Dagster; None where the book is one batch."""
    return None if book.partitions.every == "none" else batch


def _first_day_after(month: str | None) -> str | None:
    if month is None:
        return None
    year, number = map(int, month.split("-"))
    return f"{year + number // 12}-{number % 12 + 1:02}-01"


def _range_text(first: str | None, last: str | None) -> str:
    return f"{first}..{last}"
