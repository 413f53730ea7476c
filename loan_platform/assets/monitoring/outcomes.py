"""Outcomes of loans that were scored earlier."""

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

OUTCOMES = "outcomes"
NAMES = (OUTCOMES, "quarantined_outcomes")
DESCRIPTION = (
    "Key and outcome of loans that were scored earlier, from a later file of the lender. Outcomes that fail a blocking "
    "check are refused, and those before them stay."
)
NO_FILE = "There is no file of outcomes yet."


def outcome_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`outcomes` with `quarantined_outcomes`; none for a book without a source of outcomes."""
    return [_outcomes(book)] if OUTCOMES in book.sources else []


def _outcomes(book: Portfolio) -> dg.AssetsDefinition:
    upstream, assets = clean_assets(book), StagedAssets(book, NAMES, folder=f"{OUTCOMES}/")

    @dg.multi_asset(
        name=f"{book.name}__outcomes",
        specs=[
            book_spec(book, name, "monitoring", text, "duckdb", "parquet", deps=upstream)
            for name, text in zip(NAMES, (DESCRIPTION, QUARANTINED), strict=True)
        ],
        check_specs=assets.check_specs,
    )
    @explained
    def outcomes(
        context: dg.AssetExecutionContext,
        sources: SourcesResource,
        warehouse: WarehouseResource,
        lake: LakeResource,
        reports: ReportsResource,
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        if not sources.has_files(book, OUTCOMES):
            context.log.warning("no file of outcomes yet: performance is unknown until one arrives")
            yield from _no_file(book, assets)
            return
        told = partial(tell_layouts, context, asset_key(book, OUTCOMES))
        staging = Staging(book, sources, warehouse, lake, told)
        staged, decision = assets.publish(
            lake.open(), reports.open(), lambda *out: staging.stage_source(OUTCOMES, *out, outcomes=True)
        )
        context.log.info(f"{staged.resolved:,} of {staged.accepted:,} outcomes are known")
        yield from decision.events(staged_materializations(book, NAMES, staged, known=staged.resolved))

    return outcomes


def _no_file(book: Portfolio, assets: StagedAssets) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    nothing = {"dagster/row_count": 0}
    yield dg.MaterializeResult(asset_key=asset_key(book, NAMES[0]), metadata=nothing | {"known": 0})
    yield dg.MaterializeResult(asset_key=asset_key(book, NAMES[1]), metadata=nothing)
    for spec in assets.check_specs:
        yield dg.AssetCheckResult(asset_key=spec.asset_key, check_name=spec.name, passed=True, description=NO_FILE)
