"""A book of linked files: each source is cleaned by itself, then all are joined to one row per loan."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import polars as pl

from loan_platform.adapters.storage.lake import Lake
from loan_platform.assets.ingestion.accumulation import AccumulatedAssets, ReplaceConfig
from loan_platform.assets.ingestion.publication import Checked, Publisher
from loan_platform.assets.ingestion.staging import (
    QUARANTINED,
    StagedAssets,
    adds_up,
    cleaned_tables,
    source_table,
    staged_materializations,
)
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.reports import ReportsResource
from loan_platform.assets.resources.warehouse import WarehouseResource
from loan_platform.assets.specs.book_assets import JOINED, asset_key, book_asset, book_spec, clean_asset, clean_assets
from loan_platform.assets.specs.explained import explained
from loan_platform.core.book.constants import MAIN_TABLE
from loan_platform.core.book.parts.contract_parts import SourceTable
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.staging.rules import expectations_for_source

if TYPE_CHECKING:  # imports DuckDB
    from loan_platform.adapters.warehouse.linked_tables import JoinSummary
    from loan_platform.adapters.warehouse.stage_summary import StageSummary

TYPED = (
    "Each value is typed. An invalid optional value is missing; other invalid rows are in `{}`. Rows that fail a "
    "blocking check are refused, and the rows before them stay."
)
REPLACED = "Rows that no longer count, because a later file has their key or the source was replaced."
NOT_FEWER_ROWS = "There are as many rows as before, or more, unless the run was told to replace them."
NO_LOAN_LOST = "Every cleaned loan has a row in the joined loans."
POINT_IN_TIME = "The values known of a loan at its decision do not change when all later records are removed."


def cleaned_sources(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`clean_<source>` with `quarantined_<source>`, for each linked source.

    Files add to a source whose rows have a key; what no longer counts is in `replaced_<source>`. Each file replaces the
    loans themselves, and a source without a key.
    """
    tables = book.contract.tables
    return [_added_to(book, table) if adds_up(table) else _replaced(book, table) for table in tables]


def _added_to(book: Portfolio, source: SourceTable) -> dg.AssetsDefinition:
    names = clean_asset(source.name), f"quarantined_{source.name}", f"replaced_{source.name}"
    table, rules = source_table(book, source), expectations_for_source(source, adds_up=True)
    assets = AccumulatedAssets(book, source.name, names, source.key, rules=rules)
    clean = f"{source.description} {TYPED.format(names[1])} Each file adds to the rows of the files before it; a later "
    clean += "row with a known key counts instead of the earlier one."

    @dg.multi_asset(
        name=f"{book.name}__{names[0]}",
        specs=[
            book_spec(book, name, "ingestion", text, "duckdb", "parquet", deps=[f"raw_{source.name}"])
            for name, text in zip(names, (clean, QUARANTINED, REPLACED), strict=True)
        ],
        check_specs=assets.check_specs,
    )
    @explained
    def cleaned(
        context: dg.AssetExecutionContext,
        config: ReplaceConfig,
        warehouse: WarehouseResource,
        lake: LakeResource,
        reports: ReportsResource,
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        files, tool = lake.open(), warehouse.open()
        raw, rejects = _raw_files(files, book, source)
        arrival, decision = assets.publish(
            files,
            reports.open(),
            warehouse,
            lambda *out: tool.stage(raw, table, *out, rejects=rejects),
            config.change,
        )
        context.log.info(str(arrival))
        yield from decision.events(assets.materializations(arrival))

    return cleaned


def _replaced(book: Portfolio, source: SourceTable) -> dg.AssetsDefinition:
    names, table = (clean_asset(source.name), f"quarantined_{source.name}"), source_table(book, source)
    assets = StagedAssets(book, names, expectations_for_source(source), f"{source.name}/")
    key, specs = asset_key(book, names[0]), assets.check_specs
    if source.name != MAIN_TABLE:
        specs.append(dg.AssetCheckSpec("no_rows_lost", asset=key, blocking=True, description=NOT_FEWER_ROWS))

    @dg.multi_asset(
        name=f"{book.name}__{names[0]}",
        specs=[
            book_spec(book, name, "ingestion", text, "duckdb", "parquet", deps=[f"raw_{source.name}"])
            for name, text in zip(names, (f"{source.description} {TYPED.format(names[1])}", QUARANTINED), strict=True)
        ],
        check_specs=specs,
    )
    @explained
    def cleaned(
        context: dg.AssetExecutionContext,
        config: ReplaceConfig,
        warehouse: WarehouseResource,
        lake: LakeResource,
        reports: ReportsResource,
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        files, tool = lake.open(), warehouse.open()
        raw, rejects = _raw_files(files, book, source)
        staged, decision = assets.publish(
            files,
            reports.open(),
            lambda *out: tool.stage(raw, table, *out, rejects=rejects),
            lambda _, staged: _rows_lost(book, source, files, staged, config),
        )
        nulled = sum(staged.nulled.values())
        context.log.info(f"{staged.accepted:,} of {staged.rows_in:,} rows accepted, {nulled:,} values dropped")
        yield from decision.events(staged_materializations(book, names, staged))

    return cleaned


def _raw_files(lake: Lake, book: Portfolio, source: SourceTable) -> tuple[Path, Path]:
    """The rows and the broken lines of a source."""
    raw = f"raw_{source.name}"
    return lake.path(book.name, raw), lake.path(book.name, f"{raw}_rejects")


def _rows_lost(
    book: Portfolio, source: SourceTable, lake: Lake, staged: "StageSummary", config: ReplaceConfig
) -> Checked:
    """Whether a source without a key has as many rows as before. Nothing else tells whether one is lost."""
    if source.name == MAIN_TABLE:
        return Checked((), frozenset())
    name = clean_asset(source.name)
    before = lake.scan(book.name, name).select(pl.len()).collect().item() if lake.exists(book.name, name) else 0
    now, may_be_lost = staged.accepted, staged.quarantined and not config.ignore_quarantined
    told = f"{before:,} rows were published, and {now:,} rows of the files are accepted. "
    told += f"{staged.quarantined:,} rows of the files are quarantined. " if staged.quarantined else ""
    told += "The rows have no key, so each file replaces those before it."
    if now < before:
        correct = "Correct the quarantined rows. " if may_be_lost else ""
        more = "`replace: true` and `ignore_quarantined: true`" if staged.quarantined else "`replace: true`"
        told += f" {correct}If rows are to go, set {more} for {book.name}__{name} in the run's configuration."
    result = dg.AssetCheckResult(
        asset_key=asset_key(book, name),
        check_name="no_rows_lost",
        passed=now >= before or (config.replace and not may_be_lost),
        description=told,
        metadata={"before": before, "now": now, "quarantined": staged.quarantined},
    )
    return Checked((result,), frozenset({"no_rows_lost"}))


def joined_loans(book: Portfolio) -> dg.AssetsDefinition:
    """`joined_loans`: one row per loan."""
    key = asset_key(book, JOINED)
    specs = [
        dg.AssetCheckSpec("no_loan_lost", asset=key, blocking=True, description=NO_LOAN_LOST),
        dg.AssetCheckSpec("point_in_time", asset=key, blocking=True, description=POINT_IN_TIME),
    ]

    @book_asset(book, JOINED, "ingestion", "duckdb", "parquet", deps=clean_assets(book), check_specs=specs)
    def joined(
        context: dg.AssetExecutionContext, warehouse: WarehouseResource, lake: LakeResource, reports: ReportsResource
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        """One row per loan, joined from all sources by SQL: the values known at the decision, and the outcome.

        A join that loses a loan or looks ahead is refused, and the joined rows before it stay.
        """
        files = lake.open()
        tables = cleaned_tables(files, book)
        with files.candidates(book.name, (JOINED,)) as candidates:
            path = candidates.paths[JOINED]
            found = warehouse.linked_tables(book).join(tables, path)
            context.log.info(f"{found.rows:,} loans joined from {', '.join(tables)}")
            results = (_no_loan_lost(found), _point_in_time(book, warehouse, tables, path))
            checked = Checked(results, frozenset(spec.name for spec in specs))
            decision = Publisher(book, JOINED, files, reports.open()).decide(candidates, checked)
        yield from decision.events([dg.MaterializeResult(metadata={"dagster/row_count": found.rows})])

    return joined


def _no_loan_lost(found: "JoinSummary") -> dg.AssetCheckResult:
    lost = f"{found.lost:,} loans have no joined row."
    return dg.AssetCheckResult(check_name="no_loan_lost", passed=found.lost == 0, description=lost)


def _point_in_time(
    book: Portfolio, warehouse: WarehouseResource, tables: dict[str, Path], joined: Path
) -> dg.AssetCheckResult:
    """Join again without the records after some decision dates, and compare."""
    if book.contract.event_date is None:
        nothing = "The book has no date of decision."
        return dg.AssetCheckResult(check_name="point_in_time", passed=True, description=nothing)
    tried = warehouse.linked_tables(book).check_point_in_time(tables, joined)
    days = ", ".join(day.isoformat() for day in tried.days)
    return dg.AssetCheckResult(
        check_name="point_in_time",
        passed=tried.changed == 0,
        description=f"{tried.changed:,} of {tried.loans:,} loans decided on {days} change with later records.",
        metadata={"loans": tried.loans, "changed": tried.changed},
    )
