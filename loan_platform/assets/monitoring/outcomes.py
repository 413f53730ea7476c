"""Outcomes of loans that were scored earlier."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import dagster as dg
import polars as pl

from loan_platform.adapters.storage.lake import Lake
from loan_platform.assets.ingestion.accumulation import AccumulatedAssets, ReplaceConfig
from loan_platform.assets.ingestion.layouts import tell_layouts
from loan_platform.assets.ingestion.publication import Checked
from loan_platform.assets.ingestion.staging import QUARANTINED, Staging
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.reports import ReportsResource
from loan_platform.assets.resources.sources import SourcesResource
from loan_platform.assets.resources.warehouse import WarehouseResource
from loan_platform.assets.specs.book_assets import asset_key, book_spec, clean_assets
from loan_platform.assets.specs.explained import explained
from loan_platform.core.book.constants import TARGET
from loan_platform.core.book.portfolio import Portfolio

OUTCOMES = "outcomes"
NAMES = (OUTCOMES, "quarantined_outcomes", "replaced_outcomes")
DESCRIPTIONS = (
    "Key and outcome of loans that were scored earlier, from later files of the lender. Each file adds to the outcomes "
    "of the files before it; a later word on a loan counts instead of the earlier one. Files that fail a blocking "
    "check are refused, and the outcomes stay as they are.",
    QUARANTINED,
    "Words on loans that no longer count, because a later one arrived.",
)
NO_REVERSAL = "No known outcome changed: no default was cured, no repaid loan defaulted, none became unknown."


def outcome_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`outcomes` with what was quarantined or replaced; none for a book without a source of outcomes."""
    return [_outcomes(book)] if OUTCOMES in book.sources else []


def _outcomes(book: Portfolio) -> dg.AssetsDefinition:
    upstream, assets = clean_assets(book), AccumulatedAssets(book, OUTCOMES, NAMES, (book.contract.entity_key,))
    reversal = dg.AssetCheckSpec("no_reversal", asset=asset_key(book, OUTCOMES), description=NO_REVERSAL)
    specs = [*assets.check_specs, reversal]

    @dg.multi_asset(
        name=f"{book.name}__outcomes",
        specs=[
            book_spec(book, name, "monitoring", text, "duckdb", "parquet", deps=upstream)
            for name, text in zip(NAMES, DESCRIPTIONS, strict=True)
        ],
        check_specs=specs,
    )
    @explained
    def outcomes(
        context: dg.AssetExecutionContext,
        config: ReplaceConfig,
        sources: SourcesResource,
        warehouse: WarehouseResource,
        lake: LakeResource,
        reports: ReportsResource,
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        if not sources.has_files(book, OUTCOMES):
            yield from _no_file(context, book, lake.open(), specs)
            return
        told = partial(tell_layouts, context, asset_key(book, OUTCOMES))
        files, staging = lake.open(), Staging(book, sources, warehouse, lake, told)
        arrival, decision = assets.publish(
            files,
            reports.open(),
            warehouse,
            lambda *out: staging.stage_source(OUTCOMES, *out, outcomes=True),
            config.change,
            lambda out: _reversals(book, out.counting, out.superseded),
        )
        context.log.info(f"{arrival}; {arrival.staged.resolved:,} outcomes of this file are known")
        yield from decision.events(assets.materializations(arrival, known=arrival.staged.resolved))

    return outcomes


def _reversals(book: Portfolio, counting: Path, superseded: Path) -> Checked:
    """Count words on loans that were an outcome, and that this run's files say otherwise, or no more."""
    key, told_before, told_now = book.contract.entity_key, pl.col("before"), pl.col("now")
    counts_now = book.sources[OUTCOMES].same_key == "latest"
    winner, loser = ("now", "before") if counts_now else ("before", "now")
    words = pl.scan_parquet(superseded).select(key, pl.col(TARGET).alias(loser))
    pairs = words.join(pl.scan_parquet(counting).select(key, pl.col(TARGET).alias(winner)), on=key)
    kinds = {
        "cured": (told_before == 1) & (told_now == 0),
        "defaulted_after_all": (told_before == 0) & (told_now == 1),
        "not_known_any_more": told_before.is_not_null() & told_now.is_null(),
    }
    changed = pairs.select(kind.sum().alias(name) for name, kind in kinds.items()).collect().row(0, named=True)
    told = ", ".join(f"{name.replace('_', ' ')}: {count:,}" for name, count in changed.items())
    rule = "The last word on a loan counts." if counts_now else "The first word on a loan counts."
    result = dg.AssetCheckResult(
        asset_key=asset_key(book, OUTCOMES),
        check_name="no_reversal",
        passed=not any(changed.values()),
        severity=dg.AssetCheckSeverity.WARN,
        description=f"Outcomes that were known before: {told}. {rule}",
        metadata=changed,
    )
    return Checked((result,), frozenset())


def _no_file(
    context: dg.AssetExecutionContext, book: Portfolio, lake: Lake, specs: list[dg.AssetCheckSpec]
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Nothing arrived: what was published stays as it is."""
    rows = {
        name: lake.scan(book.name, name).select(pl.len()).collect().item() if lake.exists(book.name, name) else 0
        for name in NAMES
    }
    told = f"There is no file of outcomes. {rows[OUTCOMES]:,} outcomes are known from earlier files."
    context.log.warning(told)
    for name in NAMES:
        yield dg.MaterializeResult(asset_key=asset_key(book, name), metadata={"dagster/row_count": rows[name]})
    for spec in specs:
        yield dg.AssetCheckResult(asset_key=spec.asset_key, check_name=spec.name, passed=True, description=told)
