"""A book of linked files: each source is cleaned by itself, then all are joined to one row per loan."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from loan_platform.assets.ingestion.contract_checks import contract_checks
from loan_platform.assets.ingestion.staging import (
    cleaned_tables,
    staged_metadata,
    staging_checks,
    staging_report,
    staging_results,
)
from loan_platform.assets.resources.platform import Platform
from loan_platform.assets.specs.graph import JOINED, asset_of, clean_asset, explained, key, spec_of
from loan_platform.core.book.contract_parts import SourceTable
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.staging.rules import expectations_for_source
from loan_platform.core.staging.table import Table


def cleaned_sources(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`clean_<source>` with `quarantined_<source>`, for each linked source."""
    return [_clean(book, table) for table in book.contract.tables]


def source_checks(book: Portfolio) -> list[dg.AssetChecksDefinition]:
    """One check for each rule of each linked source."""
    return [
        contract_checks(book, clean_asset(table.name), expectations_for_source(table), f"{table.name}/")
        for table in book.contract.tables
    ]


def _clean(book: Portfolio, source: SourceTable) -> dg.AssetsDefinition:
    names = clean_asset(source.name), f"quarantined_{source.name}"
    refused = f"Rows of `{source.name}` that were refused: file, line, column and reason, never the value."
    described = (f"{source.description} Typed; a value that cannot be one is missing or its row refused.", refused)
    raw = f"raw_{source.name}"

    @dg.multi_asset(
        name=f"{book.name}__{names[0]}",
        specs=[
            spec_of(book, n, text, "duckdb", "parquet", deps=[raw]) for n, text in zip(names, described, strict=True)
        ],
        check_specs=list(staging_checks(book, names[0])),
    )
    @explained
    def clean(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        rows, rejects = (platform.lake.path(book.name, name) for name in (raw, f"{raw}_rejects"))
        table = Table.from_source(book.contract, source)
        with platform.lake.publish_together(book.name, names) as out:
            staged = platform.warehouse.stage(rows, table, *(out[n] for n in names), rejects=rejects)
        platform.write_report(book, f"{source.name}/staging.json", staging_report(staged))
        nulled = sum(staged.nulled.values())
        context.log.info(f"{staged.accepted:,} of {staged.rows_in:,} rows accepted, {nulled:,} values dropped")
        accepted, quarantined = staged_metadata(staged)
        yield dg.MaterializeResult(asset_key=key(book, names[0]), metadata=accepted)
        yield dg.MaterializeResult(asset_key=key(book, names[1]), metadata=quarantined)
        yield from staging_results(book, names[0], staged)

    return clean


def joined_loans(book: Portfolio) -> dg.AssetsDefinition:
    """`joined_loans`: one row per loan."""
    joined = key(book, JOINED)

    @asset_of(
        book,
        JOINED,
        "duckdb",
        "parquet",
        deps=[clean_asset(table.name) for table in book.contract.tables],
        check_specs=[
            dg.AssetCheckSpec(
                "no_loan_lost", asset=joined, blocking=True, description="Every loan of the cleaned loans is joined."
            ),
            dg.AssetCheckSpec(
                "point_in_time",
                asset=joined,
                blocking=True,
                description="What is known of a loan stays the same when all that is dated after its decision is "
                "taken away.",
            ),
        ],
    )
    def joined_loans(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        """One row per loan from all sources, by the contract's SQL: what was known at the decision, and the outcome."""
        linked = platform.linked_tables(book)
        tables = cleaned_tables(platform, book)
        with platform.lake.publish(book.name, JOINED) as path:
            found = linked.join(tables, path)
        context.log.info(f"{found.rows:,} loans joined from {', '.join(tables)}")
        yield dg.MaterializeResult(metadata={"dagster/row_count": found.rows})
        yield dg.AssetCheckResult(
            check_name="no_loan_lost", passed=found.lost == 0, description=f"{found.lost:,} loans are in no joined row."
        )
        yield _point_in_time(book, platform, tables)

    return joined_loans


def _point_in_time(book: Portfolio, platform: Platform, tables: dict[str, Path]) -> dg.AssetCheckResult:
    if book.contract.event_date is None:
        return dg.AssetCheckResult(
            check_name="point_in_time", passed=True, description="The book has no date of decision."
        )
    tried = platform.linked_tables(book).check_point_in_time(tables, platform.lake.path(book.name, JOINED))
    days = ", ".join(day.isoformat() for day in tried.days)
    return dg.AssetCheckResult(
        check_name="point_in_time",
        passed=tried.changed == 0,
        description=f"{tried.changed:,} of {tried.loans:,} loans decided on {days} change with later records.",
        metadata={"loans": tried.loans, "changed": tried.changed},
    )
