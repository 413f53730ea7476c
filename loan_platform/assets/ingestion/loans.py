"""Raw files become typed loans; a row that cannot be typed is quarantined with its reason."""

from collections.abc import Iterator

import dagster as dg

from loan_platform.assets.ingestion.contract_checks import contract_checks
from loan_platform.assets.ingestion.linked_sources import cleaned_sources, joined_loans, source_checks
from loan_platform.assets.ingestion.staging import staged_metadata, staging_checks, staging_report, staging_results
from loan_platform.assets.resources.platform import Platform
from loan_platform.assets.specs.graph import JOINED, asset_of, explained, key, spec_of
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.staging.rules import expectations_for
from loan_platform.core.staging.table import Table


def ingestion_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """From raw files to `validated_loans` with `quarantined_rows`.

    One file: `raw_loans` is validated. Linked files: each has its raw and its clean asset, and `joined_loans` is
    validated.
    """
    tables = {t.name: Table.from_source(book.contract, t) for t in book.contract.tables}
    raw = [_raw(book, name, table) for name, table in (tables or {"loans": Table.from_contract(book.contract)}).items()]
    linked = [*cleaned_sources(book), joined_loans(book)] if tables else []
    return [*raw, *linked, _validated_loans(book)]


def ingestion_checks(book: Portfolio) -> list[dg.AssetChecksDefinition]:
    """One check for each rule of the contract."""
    loans = contract_checks(book, "validated_loans", expectations_for(book.contract), "")
    return [*source_checks(book), loans]


def _raw(book: Portfolio, source: str, table: Table) -> dg.AssetsDefinition:
    @asset_of(
        book,
        f"raw_{source}",
        "duckdb",
        "parquet",
        description=f"The source `{source}` as the lender's files state it: every value as text, with source file and "
        "line. Personal free text (names, job titles, descriptions) is not copied: only columns that the contract "
        "reads are.",
    )
    def raw(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
        from loan_platform.adapters.reports.great_expectations import quality_process

        quality_process.start()  # Great Expectations is imported while files are read
        policy, files = platform.source_files(book, source)
        context.log.info(f"reading {', '.join(file.name for file in files)}")
        rows, rejects = f"raw_{source}", f"raw_{source}_rejects"
        with platform.lake.publish_together(book.name, (rows, rejects)) as out:
            read = platform.warehouse.read_raw(files, table, policy, out[rows], out[rejects])
        context.log.info(f"{read.rows:,} rows and {read.rejected:,} broken lines")
        return dg.MaterializeResult(metadata={"dagster/row_count": read.rows, "broken_lines": read.rejected})

    return raw


def _validated_loans(book: Portfolio) -> dg.AssetsDefinition:
    loans = "Loans whose every value has its type and range, one row each."
    refused = "Rows that were refused: file, line, column and reason, never the value."
    names = ("validated_loans", "quarantined_rows")
    upstream = JOINED if book.contract.tables else "raw_loans"

    @dg.multi_asset(
        name=f"{book.name}__validated_loans",
        specs=[
            spec_of(book, names[0], loans, "duckdb", "parquet", deps=[upstream]),
            spec_of(book, names[1], refused, "duckdb", "parquet", deps=[upstream]),
        ],
        check_specs=list(staging_checks(book, "validated_loans")),
    )
    @explained
    def validated_loans(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        raw = platform.lake.path(book.name, upstream)
        rejects = None if book.contract.tables else platform.lake.path(book.name, "raw_loans_rejects")
        with platform.lake.publish_together(book.name, names) as out:
            staged = platform.warehouse.stage(
                raw, Table.from_contract(book.contract), *(out[n] for n in names), rejects=rejects
            )
        platform.write_report(book, "staging.json", staging_report(staged))
        context.log.info(f"{staged.accepted:,} of {staged.rows_in:,} rows accepted")
        accepted, quarantined = staged_metadata(staged)
        known = {"resolved": staged.resolved, "target_rate": staged.target_rate}
        yield dg.MaterializeResult(asset_key=key(book, names[0]), metadata=accepted | known)
        yield dg.MaterializeResult(asset_key=key(book, names[1]), metadata=quarantined)
        yield from staging_results(book, "validated_loans", staged)

    return validated_loans
