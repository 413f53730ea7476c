"""Raw files become typed loans; a row with an invalid value is quarantined with its reason."""

from collections.abc import Iterator

import dagster as dg

from loan_platform.assets.ingestion.layouts import tell_layouts
from loan_platform.assets.ingestion.linked_sources import cleaned_sources, joined_loans
from loan_platform.assets.ingestion.staging import QUARANTINED, StagedAssets, source_table, staged_materializations
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.reports import ReportsResource
from loan_platform.assets.resources.sources import SourcesResource
from loan_platform.assets.resources.warehouse import WarehouseResource
from loan_platform.assets.specs.book_assets import JOINED, asset_key, book_asset, book_spec
from loan_platform.assets.specs.explained import explained
from loan_platform.core.book.constants import MAIN_TABLE
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.staging.rules import expectations_for
from loan_platform.core.staging.table import Table

LOANS, REJECTED = "validated_loans", "quarantined_rows"


def ingestion_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """From raw files to `validated_loans` with `quarantined_rows`.

    One file: `raw_loans` is validated. Linked files: each has a raw and a clean asset, and `joined_loans` is validated.
    """
    tables = book.contract.tables
    raw = [_raw(book, table.name) for table in tables] or [_raw(book, MAIN_TABLE)]
    linked = [*cleaned_sources(book), joined_loans(book)] if tables else []
    return [*raw, *linked, _validated_loans(book)]


def _raw(book: Portfolio, source: str) -> dg.AssetsDefinition:
    @book_asset(
        book,
        f"raw_{source}",
        "ingestion",
        "duckdb",
        "parquet",
        description=f"Rows of the source `{source}` as text, with source file and line. "
        "Only columns that the contract reads are copied, so no personal free text (names, job titles) is.",
    )
    def raw(
        context: dg.AssetExecutionContext, sources: SourcesResource, warehouse: WarehouseResource, lake: LakeResource
    ) -> dg.MaterializeResult:
        from loan_platform.adapters.reports.great_expectations import quality_process

        quality_process.start()  # Great Expectations is imported while files are read
        policy, files = sources.files(book, source)
        context.log.info(f"reading {', '.join(file.name for file in files)}")
        rows, rejects = f"raw_{source}", f"raw_{source}_rejects"
        with lake.open().publish_together(book.name, (rows, rejects)) as out:
            read = warehouse.open().read_raw(files, _raw_table(book, source), policy, out[rows], out[rejects])
        tell_layouts(context, asset_key(book, rows), read)
        context.log.info(f"{read.rows:,} rows and {read.rejected:,} broken lines")
        return dg.MaterializeResult(metadata={"dagster/row_count": read.rows, "broken_lines": read.rejected})

    return raw


def _raw_table(book: Portfolio, source: str) -> Table:
    """What a file of the source must have, with the columns of the target."""
    found = [table for table in book.contract.tables if table.name == source]
    if found:
        return source_table(book, found[0], needs_target=True)
    return Table.from_contract(book.contract, needs_target=True)


def _validated_loans(book: Portfolio) -> dg.AssetsDefinition:
    upstream = JOINED if book.contract.tables else "raw_loans"
    loans = "Loans with a valid type and range in every column, one row each. Loans that fail a blocking check are "
    loans += "refused, and the loans before them stay."
    table = Table.from_contract(book.contract)
    assets = StagedAssets(book, (LOANS, REJECTED), expectations_for(book.contract))

    @dg.multi_asset(
        name=f"{book.name}__validated_loans",
        specs=[
            book_spec(book, LOANS, "ingestion", loans, "duckdb", "parquet", deps=[upstream]),
            book_spec(book, REJECTED, "ingestion", QUARANTINED, "duckdb", "parquet", deps=[upstream]),
        ],
        check_specs=assets.check_specs,
    )
    @explained
    def validated_loans(
        context: dg.AssetExecutionContext, warehouse: WarehouseResource, lake: LakeResource, reports: ReportsResource
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        files = lake.open()
        raw = files.path(book.name, upstream)
        rejects = None if book.contract.tables else files.path(book.name, "raw_loans_rejects")
        tool = warehouse.open()
        staged, decision = assets.publish(
            files, reports.open(), lambda *out: tool.stage(raw, table, *out, rejects=rejects)
        )
        context.log.info(f"{staged.accepted:,} of {staged.rows_in:,} rows accepted")
        known = {"resolved": staged.resolved, "target_rate": staged.target_rate}
        yield from decision.events(staged_materializations(book, assets.names, staged, **known))

    return validated_loans
