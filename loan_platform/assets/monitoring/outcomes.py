"""Outcomes of loans that were scored earlier."""

import dagster as dg

from loan_platform.assets.ingestion.staging import Staging
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.sources import SourcesResource
from loan_platform.assets.resources.warehouse import WarehouseResource
from loan_platform.assets.specs.book_assets import book_asset, clean_assets
from loan_platform.core.book.portfolio import Portfolio

OUTCOMES = "outcomes"


def outcome_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`outcomes`; none for a book without a source of outcomes."""
    return [_outcomes(book)] if OUTCOMES in book.sources else []


def _outcomes(book: Portfolio) -> dg.AssetsDefinition:
    @book_asset(book, OUTCOMES, "monitoring", "duckdb", "parquet", deps=clean_assets(book))
    def outcomes(
        context: dg.AssetExecutionContext, sources: SourcesResource, warehouse: WarehouseResource, lake: LakeResource
    ) -> dg.MaterializeResult:
        """Key and outcome of loans that were scored earlier, from a later file of the lender."""
        if not sources.has_files(book, OUTCOMES):
            context.log.warning("no file of outcomes yet: performance is unknown until one arrives")
            return dg.MaterializeResult(metadata={"dagster/row_count": 0, "known": 0})
        staging = Staging(book, sources, warehouse, lake)
        staged = staging.stage_source(OUTCOMES, (OUTCOMES, "quarantined_outcomes"), outcomes=True)
        context.log.info(f"{staged.resolved:,} of {staged.accepted:,} outcomes are known")
        counts = {"known": staged.resolved, "quarantined": staged.quarantined}
        return dg.MaterializeResult(metadata={"dagster/row_count": staged.accepted, **counts})

    return outcomes
