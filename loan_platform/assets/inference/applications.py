"""Applications are typed by the same contract as the loans."""

from collections.abc import Iterator

import dagster as dg

from loan_platform.assets.ingestion.staging import QUARANTINED, Staging, staged_results, staging_checks
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.sources import SourcesResource
from loan_platform.assets.resources.warehouse import WarehouseResource
from loan_platform.assets.specs.book_assets import book_spec, clean_assets
from loan_platform.assets.specs.explained import explained
from loan_platform.core.book.portfolio import Portfolio

NAMES = ("applications", "quarantined_applications")
APPLICATIONS = "Applications to score, typed by the same contract as the loans. They need no outcome."


def application_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`applications` with `quarantined_applications`; none for a book without applications."""
    return [_applications(book)] if "applications" in book.sources else []


def _applications(book: Portfolio) -> dg.AssetsDefinition:
    upstream = clean_assets(book)

    @dg.multi_asset(
        name=f"{book.name}__applications",
        specs=[
            book_spec(book, name, "scoring", text, "duckdb", "parquet", deps=upstream)
            for name, text in zip(NAMES, (APPLICATIONS, QUARANTINED), strict=True)
        ],
        check_specs=staging_checks(book, NAMES[0]),
    )
    @explained
    def applications(
        context: dg.AssetExecutionContext, sources: SourcesResource, warehouse: WarehouseResource, lake: LakeResource
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        from loan_platform.adapters.reports.evidently_report import drift_report_process

        drift_report_process.start()  # Evidently is imported while applications are read and scored
        staged = Staging(book, sources, warehouse, lake).stage_source("applications", NAMES)
        context.log.info(f"{staged.accepted:,} of {staged.rows_in:,} rows accepted")
        yield from staged_results(book, NAMES, staged)

    return applications
