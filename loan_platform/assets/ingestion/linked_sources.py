"""A book of linked files: each source is cleaned by itself, then all are joined to one row per loan."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import polars as pl

from loan_platform.adapters.storage.lake import Lake
from loan_platform.assets.ingestion.publication import Checked, Publisher
from loan_platform.assets.ingestion.staging import QUARANTINED, StagedAssets, cleaned_tables, staged_materializations
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.reports import ReportsResource
from loan_platform.assets.resources.warehouse import WarehouseResource
from loan_platform.assets.specs.book_assets import JOINED, asset_key, book_asset, book_spec, clean_asset, clean_assets
from loan_platform.assets.specs.explained import explained
from loan_platform.core.book.constants import MAIN_TABLE
from loan_platform.core.book.contract_parts import SourceTable
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.staging.rules import expectations_for_source
from loan_platform.core.staging.table import Table

if TYPE_CHECKING:  # imports DuckDB
    from loan_platform.adapters.warehouse.linked_tables import JoinSummary

LOST = "The file has every row that the one before it had. The loans themselves are replaced by each file."
NO_LOAN_LOST = "Every cleaned loan has a row in the joined loans."
POINT_IN_TIME = "The values known of a loan at its decision do not change when all later records are removed."


def cleaned_sources(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`clean_<source>` with `quarantined_<source>`, for each linked source."""
    return [_clean(book, table) for table in book.contract.tables]


def _clean(book: Portfolio, source: SourceTable) -> dg.AssetsDefinition:
    names = clean_asset(source.name), f"quarantined_{source.name}"
    raw, table = f"raw_{source.name}", Table.from_source(book.contract, source)
    clean = f"{source.description} Each value is typed. An invalid optional value is missing; other invalid rows are "
    clean += f"in `{names[1]}`. Rows that fail a blocking check are refused, and the rows before them stay."
    assets = StagedAssets(book, names, expectations_for_source(source), f"{source.name}/")
    no_rows_lost = dg.AssetCheckSpec("no_rows_lost", asset=asset_key(book, names[0]), description=LOST)

    @dg.multi_asset(
        name=f"{book.name}__{names[0]}",
        specs=[
            book_spec(book, names[0], "ingestion", clean, "duckdb", "parquet", deps=[raw]),
            book_spec(book, names[1], "ingestion", QUARANTINED, "duckdb", "parquet", deps=[raw]),
        ],
        check_specs=[*assets.check_specs, no_rows_lost],
    )
    @explained
    def cleaned(
        context: dg.AssetExecutionContext,
        warehouse: WarehouseResource,
        lake: LakeResource,
        reports: ReportsResource,
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        files = lake.open()
        rows, rejects = (files.path(book.name, name) for name in (raw, f"{raw}_rejects"))
        tool = warehouse.open()
        staged, decision = assets.publish(
            files,
            reports.open(),
            lambda *out: tool.stage(rows, table, *out, rejects=rejects),
            lambda candidate: _rows_lost(book, source, files, candidate),
        )
        nulled = sum(staged.nulled.values())
        context.log.info(f"{staged.accepted:,} of {staged.rows_in:,} rows accepted, {nulled:,} values dropped")
        yield from decision.events(staged_materializations(book, names, staged))

    return cleaned


def _rows_lost(book: Portfolio, source: SourceTable, lake: Lake, rows: Path) -> Checked:
    """Whether the file has every row that the one before it had. The loans themselves are not linked to anything."""
    name, lost, known = clean_asset(source.name), 0, 0
    if source.name != MAIN_TABLE and lake.exists(book.name, name):
        before, now = (
            frame.select(source.key or [pl.len()]) for frame in (lake.scan(book.name, name), pl.scan_parquet(rows))
        )
        if source.key:
            known = before.select(pl.len()).collect().item()
            lost = before.join(now, on=source.key, how="anti").select(pl.len()).collect().item()
        else:
            known = before.collect().item()
            lost = max(0, known - now.collect().item())
    told = f"{lost:,} of the {known:,} rows that were published are not in this file. A linked file replaces the one "
    told += "before it: give it all rows that the join reads."
    result = dg.AssetCheckResult(
        asset_key=asset_key(book, name),
        check_name="no_rows_lost",
        passed=lost == 0,
        severity=dg.AssetCheckSeverity.WARN,
        description=told,
        metadata={"lost": lost, "published": known},
    )
    return Checked((result,), frozenset())


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
