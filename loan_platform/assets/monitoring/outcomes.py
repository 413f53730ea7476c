"""Outcomes of loans that were scored earlier."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import dagster as dg
import polars as pl

from loan_platform.adapters.storage.lake import Lake
from loan_platform.assets.ingestion.accumulation import AccumulatedAssets
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
from loan_platform.core.scoring.answer_history import CONTENT

OUTCOMES = "outcomes"
NAMES = (OUTCOMES, "quarantined_outcomes", "replaced_outcomes")
DESCRIPTIONS = (
    "Key and outcome of loans that were scored earlier, from later files of the lender. Each file adds to the outcomes "
    "of the files before it; a later word on a loan counts instead of the earlier one. Files that fail a blocking "
    "check are refused, and the outcomes stay as they are.",
    QUARANTINED,
    "Words on loans that no longer count, because a later one arrived.",
)
NO_FILE = "There is no file of outcomes yet."
NO_REVERSAL = "No known outcome changed: no default was cured, no repaid loan defaulted, none became unknown."


def outcome_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`outcomes` with what was quarantined or replaced; none for a book without a source of outcomes."""
    return [_outcomes(book)] if OUTCOMES in book.sources else []


def _outcomes(book: Portfolio) -> dg.AssetsDefinition:
    upstream, assets = clean_assets(book), AccumulatedAssets(book, OUTCOMES, NAMES, dated=False)
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
        sources: SourcesResource,
        warehouse: WarehouseResource,
        lake: LakeResource,
        reports: ReportsResource,
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        if not sources.has_files(book, OUTCOMES):
            context.log.warning("no file of outcomes yet: performance is unknown until one arrives")
            yield from _no_file(book, specs)
            return
        told = partial(tell_layouts, context, asset_key(book, OUTCOMES))
        files, staging = lake.open(), Staging(book, sources, warehouse, lake, told)
        arrival, decision = assets.publish(
            files,
            reports.open(),
            warehouse,
            lambda *out: staging.stage_source(OUTCOMES, *out, outcomes=True),
            check=lambda rows, replaced: _reversals(book, files, rows, replaced),
        )
        context.log.info(f"{arrival}; {arrival.staged.resolved:,} outcomes of this file are known")
        yield from decision.events(assets.materializations(arrival, known=arrival.staged.resolved))

    return outcomes


def _reversals(book: Portfolio, lake: Lake, outcomes: Path, replaced: Path) -> Checked:
    """Count the words of this run's files, and those before, that were an outcome and are another now, or none."""
    key, was, now = book.contract.entity_key, pl.col(TARGET), pl.col("now")
    lost = pl.scan_parquet(replaced).drop_nulls(TARGET)
    if lake.exists(book.name, NAMES[2]):
        before = lake.scan(book.name, NAMES[2])
        lost = lost.join(before, on=[key, CONTENT, "source_file", "source_line"], how="anti")
    kinds = {
        "cured": (was == 1) & (now == 0),
        "defaulted_after_all": (was == 0) & (now == 1),
        "not_known_any_more": now.is_null(),
    }
    counting = pl.scan_parquet(outcomes).select(key, now=TARGET)
    counts = lost.join(counting, on=key).select(kind.sum().alias(name) for name, kind in kinds.items())
    changed = counts.collect().row(0, named=True)
    told = ", ".join(f"{name.replace('_', ' ')}: {count:,}" for name, count in changed.items())
    result = dg.AssetCheckResult(
        asset_key=asset_key(book, OUTCOMES),
        check_name="no_reversal",
        passed=not any(changed.values()),
        severity=dg.AssetCheckSeverity.WARN,
        description=f"Outcomes that were known before: {told}. The last word on a loan counts.",
        metadata=changed,
    )
    return Checked((result,), frozenset())


def _no_file(book: Portfolio, specs: list[dg.AssetCheckSpec]) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    nothing = {"dagster/row_count": 0}
    for name in NAMES:
        yield dg.MaterializeResult(asset_key=asset_key(book, name), metadata=nothing)
    for spec in specs:
        yield dg.AssetCheckResult(asset_key=spec.asset_key, check_name=spec.name, passed=True, description=NO_FILE)
