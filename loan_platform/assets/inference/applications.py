"""Applications are typed by the same contract as the loans."""

from collections.abc import Iterator
from functools import partial

import dagster as dg

from loan_platform.assets.ingestion.layouts import tell_layouts
from loan_platform.assets.ingestion.staging import QUARANTINED, StagedAssets, Staging, staged_materializations
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.reports import ReportsResource
from loan_platform.assets.resources.sources import SourcesResource
from loan_platform.assets.resources.warehouse import WarehouseResource
from loan_platform.assets.specs.book_assets import asset_key, book_spec, clean_assets
from loan_platform.assets.specs.explained import explained
from loan_platform.core.book.portfolio import Portfolio

NAMES = ("applications", "quarantined_applications")
APPLICATIONS = (
    "Applications to score, typed by the same contract as the loans. They need no outcome. Applications that fail a "
    "blocking check are refused, and those before them stay."
)


def application_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`applications` with `quarantined_applications`; none for a book without applications."""
    return [_applications(book)] if "applications" in book.sources else []


def _applications(book: Portfolio) -> dg.AssetsDefinition:
    upstream, assets = clean_assets(book), StagedAssets(book, NAMES, folder=f"{NAMES[0]}/")

    @dg.multi_asset(
        name=f"{book.name}__applications",
        specs=[
            book_spec(book, name, "scoring", text, "duckdb", "parquet", deps=upstream)
            for name, text in zip(NAMES, (APPLICATIONS, QUARANTINED), strict=True)
        ],
        check_specs=assets.check_specs,
    )
    @explained
    def applications(
        context: dg.AssetExecutionContext,
        sources: SourcesResource,
        warehouse: WarehouseResource,
        lake: LakeResource,
        reports: ReportsResource,
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        from loan_platform.adapters.reports.evidently_report import drift_report_process

        drift_report_process.start()  # Evidently is imported while applications are read and scored
        told = partial(tell_layouts, context, asset_key(book, NAMES[0]))
        staging = Staging(book, sources, warehouse, lake, told)
        staged, decision = assets.publish(
            lake.open(), reports.open(), lambda *out: staging.stage_source("applications", *out)
        )
        context.log.info(f"{staged.accepted:,} of {staged.rows_in:,} rows accepted")
        yield from decision.events(staged_materializations(book, NAMES, staged))

    return applications
