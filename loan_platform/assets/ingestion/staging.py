"""Raw rows to typed ones: a source read and staged in one step, and what is told of any staging."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import dagster as dg

from loan_platform.assets.resources.platform import Platform
from loan_platform.assets.specs.graph import clean_asset, key
from loan_platform.core.book.constants import MAIN_TABLE
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.staging.table import Table

if TYPE_CHECKING:
    from loan_platform.adapters.warehouse.stage_summary import StageSummary


def stage_source(
    platform: Platform,
    book: Portfolio,
    source: str,
    outputs: tuple[str, str],
    outcomes: bool = False,
) -> "StageSummary":
    """Publish the accepted and the quarantined rows of a source under two asset names.

    Args:
        platform: lake and warehouse.
        book: whose contract types the rows.
        source: name in the book's sources.
        outputs: asset names of accepted and quarantined rows.
        outcomes: stage only key and target, as a file of later outcomes has them.

    Raises:
        SourceError: a file as a whole cannot be used.
    """
    policy, files = platform.source_files(book, source)
    contract, warehouse = book.contract, platform.warehouse
    with (
        TemporaryDirectory(dir=platform.settings.cache) as folder,
        platform.lake.publish_together(book.name, outputs) as out,
    ):
        raw, rejects, clean, refused, joined = (
            Path(folder, f"{name}.parquet") for name in ("raw", "rejects", "clean", "refused", "joined")
        )
        accepted, quarantined = (out[name] for name in outputs)
        table = Table.from_contract(contract, outcomes)
        if not contract.tables:
            warehouse.read_raw(files, table, policy, raw, rejects)
            return warehouse.stage(raw, table, accepted, quarantined, rejects=rejects)
        main = Table.from_source(contract, next(t for t in contract.tables if t.name == MAIN_TABLE))
        tables = cleaned_tables(platform, book)
        warehouse.read_raw(files, main, policy, raw, rejects)
        warehouse.stage(raw, main, clean, refused, rejects=rejects)
        platform.linked_tables(book).join(tables, joined, new_rows=clean)
        return warehouse.stage(joined, table, accepted, quarantined, previously_quarantined=refused)


def cleaned_tables(platform: Platform, book: Portfolio) -> dict[str, Path]:
    """Parquet of each cleaned table of the book, by name.

    Raises:
        NotPublishedError: one was not materialized yet.
    """
    return {
        name: platform.lake.path(book.name, clean_asset(name))
        for name in (table.name for table in book.contract.tables)
    }


def staging_report(staged: "StageSummary") -> str:
    """The counts as JSON text."""
    nulled = [{"column": c, "reason": why, "rows": rows} for (c, why), rows in staged.nulled.items()]
    return json.dumps(asdict(staged) | {"nulled": nulled}, indent=1) + "\n"


def staged_metadata(staged: "StageSummary") -> tuple[dict[str, Any], dict[str, Any]]:
    """Metadata of the asset with the accepted rows, and of that with the refused ones."""
    accepted: dict[str, Any] = {
        "dagster/row_count": staged.accepted,
        "rows_in": staged.rows_in,
        "quarantined": staged.quarantined,
        "values_nulled": sum(staged.nulled.values()),
    }
    if staged.nulled:
        rows = [f"| {column} | {why} | {count:,} |" for (column, why), count in staged.nulled.items()]
        table = "\n".join(["| column | reason | values dropped |", "| --- | --- | ---: |", *rows])
        accepted["nulled"] = dg.MarkdownMetadataValue(table)
    quarantined = {"dagster/row_count": staged.quarantined, "by_reason": dg.JsonMetadataValue(staged.by_reason)}
    return accepted, quarantined


def staging_checks(book: Portfolio, asset: str) -> Iterator[dg.AssetCheckSpec]:
    """Blocking checks of an asset that is staged from files."""
    loans = key(book, asset)
    yield dg.AssetCheckSpec(
        "rows_reconcile", asset=loans, blocking=True, description="Rows in = accepted + quarantined, exactly."
    )
    yield dg.AssetCheckSpec(
        "quarantine_within_policy",
        asset=loans,
        blocking=True,
        description=f"At most {book.quarantine.max_share:.1%} of the rows are quarantined.",
    )


def staging_results(book: Portfolio, asset: str, staged: "StageSummary") -> Iterator[dg.AssetCheckResult]:
    """What `staging_checks` found."""
    loans, out = key(book, asset), staged.accepted + staged.quarantined
    yield dg.AssetCheckResult(
        asset_key=loans,
        check_name="rows_reconcile",
        passed=staged.rows_in == out,
        description=f"{staged.rows_in:,} in, {staged.accepted:,} + {staged.quarantined:,} out.",
        metadata={"rows_in": staged.rows_in, "accepted": staged.accepted, "quarantined": staged.quarantined},
    )
    share = staged.quarantined / max(staged.rows_in, 1)
    yield dg.AssetCheckResult(
        asset_key=loans,
        check_name="quarantine_within_policy",
        passed=share <= book.quarantine.max_share,
        description=f"{share:.2%} of the rows are quarantined, {book.quarantine.max_share:.1%} are allowed.",
        metadata={"share": share, "allowed": book.quarantine.max_share},
    )
