"""Applications are typed by the same contract as the loans. Each file adds to those of the files before it."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import dagster as dg
import polars as pl
from pydantic import Field

from loan_platform.assets.ingestion.accumulation import IGNORE_QUARANTINED, AccumulatedAssets, Change
from loan_platform.assets.ingestion.layouts import tell_layouts
from loan_platform.assets.ingestion.publication import Checked
from loan_platform.assets.ingestion.staging import QUARANTINED, Staging
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.reports import ReportsResource
from loan_platform.assets.resources.sources import SourcesResource
from loan_platform.assets.resources.warehouse import WarehouseResource
from loan_platform.assets.specs.book_assets import asset_key, book_spec, clean_assets
from loan_platform.assets.specs.explained import explained
from loan_platform.assets.specs.partitions import BATCH, batch_column, batches, parse_range
from loan_platform.core.book.constants import TARGET
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.staging.rules import expectations_for_applications

SOURCE = "applications"
NAMES = (SOURCE, "quarantined_applications", "replaced_applications")
DESCRIPTIONS = (
    "Applications to score, typed by the same contract as the loans. They need no outcome. Each file adds to those of "
    "the files before it; a later row with a known key counts instead of the earlier one. Files that fail a blocking "
    "check are refused, and the applications stay as they are.",
    QUARANTINED,
    "Applications that no longer count, because a later row has their key or their batch was replaced.",
)
INSIDE = "Every application is dated inside the book's partitions. Others are not scored."


class ApplicationsConfig(dg.Config):
    """What a run may take away: a batch such as 2018-01, a range such as 2018-01..2018-03, or all."""

    replace: str | None = Field(
        default=None,
        description="Batch or range of batches whose applications are removed where this run's files lack them, such "
        "as 2018-01, 2018-01..2018-03 or all. Default: no application is removed.",
    )
    may_shrink: str | None = Field(
        default=None,
        description="Batch or range of batches that may lose applications to others, because their dates were "
        "corrected. Nothing is removed. Default: such files are refused.",
    )
    ignore_quarantined: bool = Field(default=False, description=IGNORE_QUARANTINED)

    def change(self, book: Portfolio) -> Change:
        """As ranges of the book's batches.

        Raises:
            RangeError: a text is no range of them.
        """
        replace, may_shrink = (parse_range(book, text) if text else None for text in (self.replace, self.may_shrink))
        return Change(replace, may_shrink, self.ignore_quarantined)


def application_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`applications` with what was quarantined or replaced; none for a book without applications."""
    return [_applications(book)] if SOURCE in book.sources else []


def _applications(book: Portfolio) -> dg.AssetsDefinition:
    rules = expectations_for_applications(book.contract)
    upstream, key = clean_assets(book), (book.contract.entity_key,)
    assets = AccumulatedAssets(book, SOURCE, NAMES, key, dated=True, rules=rules, not_compared=_not_yet_known(book))
    inside = dg.AssetCheckSpec("inside_partitions", asset=asset_key(book, SOURCE), description=INSIDE)

    @dg.multi_asset(
        name=f"{book.name}__applications",
        specs=[
            book_spec(book, name, "scoring", text, "duckdb", "parquet", deps=upstream)
            for name, text in zip(NAMES, DESCRIPTIONS, strict=True)
        ],
        check_specs=[*assets.check_specs, inside],
    )
    @explained
    def applications(
        context: dg.AssetExecutionContext,
        config: ApplicationsConfig,
        sources: SourcesResource,
        warehouse: WarehouseResource,
        lake: LakeResource,
        reports: ReportsResource,
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        from loan_platform.adapters.reports.evidently_report import drift_report_process
        from loan_platform.adapters.reports.great_expectations import quality_process

        quality_process.start()  # Great Expectations is imported while files are read
        change = config.change(book)
        drift_report_process.start()  # Evidently is imported while applications are read and scored
        told = partial(tell_layouts, context, asset_key(book, NAMES[0]))
        staging = Staging(book, sources, warehouse, lake, told)
        arrival, decision = assets.publish(
            lake.open(),
            reports.open(),
            warehouse,
            lambda *out: staging.stage_source(SOURCE, *out),
            change,
            lambda out: _inside_partitions(book, out.counting),
        )
        context.log.info(str(arrival))
        yield from decision.events(assets.materializations(arrival))

    return applications


def _not_yet_known(book: Portfolio) -> frozenset[str]:
    """Columns that nobody knew at the decision: an application is the same when they are filled in later."""
    later = (column.name for column in book.contract.columns if column.available_at == "after_origination")
    return frozenset({TARGET, *later})


def _inside_partitions(book: Portfolio, applications: Path) -> Checked:
    """Whether each application has a batch."""
    partitions = batches(book)
    keys = partitions.get_partition_keys() if partitions else None
    rows = pl.scan_parquet(applications).select(batch_column(book))
    outside = rows.filter(~pl.col(BATCH).is_in(keys).fill_null(False)).collect().height if keys is not None else 0
    told = "The book is one batch."
    if keys:
        told = f"{outside:,} applications are dated outside {keys[0]} to {keys[-1]}, and are not scored."
        told += " Check their event date, or change partitions.start or partitions.end." if outside else ""
    result = dg.AssetCheckResult(
        asset_key=asset_key(book, SOURCE),
        check_name="inside_partitions",
        passed=outside == 0,
        description=told,
        metadata={"outside": outside},
    )
    return Checked((result,), frozenset())
