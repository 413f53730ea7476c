"""Raw files become typed loans; a row that cannot be typed is quarantined with its reason."""

import json
from collections.abc import Iterator
from dataclasses import asdict

import dagster as dg

from loan_platform.assets.graph import about, key
from loan_platform.assets.platform import Platform
from loan_platform.core.portfolio import Portfolio
from loan_platform.core.rules import QualityResult, Rule, RuleOutcome, expectations_for

SEVERITY = {"critical": dg.AssetCheckSeverity.ERROR, "warning": dg.AssetCheckSeverity.WARN}


def ingestion_assets(book: Portfolio) -> list[dg.AssetsDefinition | dg.AssetChecksDefinition]:
    """`raw_loans`, `validated_loans` with `quarantined_rows`, and a check for each rule of the contract."""
    return [_raw_loans(book), _validated_loans(book), _contract_checks(book)]


def _raw_loans(book: Portfolio) -> dg.AssetsDefinition:
    @dg.asset(**about(book, "raw_loans", "duckdb", "parquet"))
    def raw_loans(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
        """The loan book as the lender's files state it: every value as text, with source file and line.

        Personal free text (names, job titles, descriptions) is not copied: only columns that the contract
        reads are.
        """
        source, files = platform.source_files(book, "loans")
        context.log.info(f"reading {', '.join(file.name for file in files)}")
        with platform.lake.publish_together(book.name, ("raw_loans", "raw_rejects")) as out:
            raw = platform.warehouse.read_raw(
                files, book.contract, source, out["raw_loans"], out["raw_rejects"]
            )
        context.log.info(f"{raw.rows:,} rows and {raw.rejected:,} broken lines")
        return dg.MaterializeResult(metadata={"dagster/row_count": raw.rows, "broken_lines": raw.rejected})

    return raw_loans


def _validated_loans(book: Portfolio) -> dg.AssetsDefinition:
    loans = about(book, "validated_loans", "duckdb", "parquet", deps=["raw_loans"])
    refused = about(book, "quarantined_rows", "duckdb", "parquet", deps=["raw_loans"])

    @dg.multi_asset(
        name=f"{book.name}__validated_loans",
        specs=[
            dg.AssetSpec(**loans, description="Loans whose every value has its type and range, one row each."),
            dg.AssetSpec(
                **refused, description="Rows that were refused: file, line, column, reason, never the value."
            ),
        ],
        check_specs=list(_staging_checks(book)),
    )
    def validated_loans(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        raw, rejects = (platform.lake.path(book.name, name) for name in ("raw_loans", "raw_rejects"))
        with platform.lake.publish_together(book.name, ("validated_loans", "quarantined_rows")) as out:
            staged = platform.warehouse.stage(
                raw, rejects, book.contract, out["validated_loans"], out["quarantined_rows"]
            )
        platform.write_report(book, "staging.json", json.dumps(asdict(staged), indent=1, sort_keys=True))
    return validated_loans
