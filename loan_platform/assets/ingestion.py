"""Raw files become typed loans; a row that cannot be typed is quarantined with its reason."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import dagster as dg

from loan_platform.assets.graph import asset_of, explained, key, spec_of
from loan_platform.assets.platform import Platform
from loan_platform.assets.staging import staging_checks, staging_results
from loan_platform.core.portfolio import Portfolio
from loan_platform.core.rules import RuleOutcome, expectations_for

if TYPE_CHECKING:
    from loan_platform.adapters.warehouse import StageSummary

SEVERITY = {"critical": dg.AssetCheckSeverity.ERROR, "warning": dg.AssetCheckSeverity.WARN}


def ingestion_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`raw_loans`, and `validated_loans` with `quarantined_rows`."""
    return [_raw_loans(book), _validated_loans(book)]


def ingestion_checks(book: Portfolio) -> list[dg.AssetChecksDefinition]:
    """One check for each rule of the contract."""
    return [_contract_checks(book)]


def _raw_loans(book: Portfolio) -> dg.AssetsDefinition:
    @asset_of(book, "raw_loans", "duckdb", "parquet")
    def raw_loans(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
        """The loan book as the lender's files state it: every value as text, with source file and line.

        Personal free text (names, job titles, descriptions) is not copied: only columns that the contract
        reads are.
        """
        source, files = platform.source_files(book, "loans")
        context.log.info(f"reading {', '.join(file.name for file in files)}")
        with platform.lake.publish_together(book.name, ("raw_loans", "raw_rejects")) as out:
            raw = platform.warehouse.read_raw(files, book.contract, source, out["raw_loans"], out["raw_rejects"])
        context.log.info(f"{raw.rows:,} rows and {raw.rejected:,} broken lines")
        return dg.MaterializeResult(metadata={"dagster/row_count": raw.rows, "broken_lines": raw.rejected})

    return raw_loans


def _validated_loans(book: Portfolio) -> dg.AssetsDefinition:
    loans = "Loans whose every value has its type and range, one row each."
    refused = "Rows that were refused: file, line, column and reason, never the value."

    @dg.multi_asset(
        name=f"{book.name}__validated_loans",
        specs=[
            spec_of(book, "validated_loans", loans, "duckdb", "parquet", deps=["raw_loans"]),
            spec_of(book, "quarantined_rows", refused, "duckdb", "parquet", deps=["raw_loans"]),
        ],
        check_specs=list(staging_checks(book, "validated_loans")),
    )
    @explained
    def validated_loans(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        raw, rejects = (platform.lake.path(book.name, name) for name in ("raw_loans", "raw_rejects"))
        with platform.lake.publish_together(book.name, ("validated_loans", "quarantined_rows")) as out:
            staged = platform.warehouse.stage(
                raw, rejects, book.contract, out["validated_loans"], out["quarantined_rows"]
            )
        platform.write_report(book, "staging.json", _as_json(staged))
        context.log.info(f"{staged.accepted:,} of {staged.rows_in:,} rows accepted")
        yield dg.MaterializeResult(
            asset_key=key(book, "validated_loans"),
            metadata={
                "dagster/row_count": staged.accepted,
                "rows_in": staged.rows_in,
                "resolved": staged.resolved,
                "target_rate": staged.target_rate,
                "values_nulled": sum(staged.nulled.values()),
            },
        )
        yield dg.MaterializeResult(
            asset_key=key(book, "quarantined_rows"),
            metadata={
                "dagster/row_count": staged.quarantined,
                "by_reason": dg.JsonMetadataValue(staged.by_reason),
            },
        )
        yield from staging_results(book, "validated_loans", staged)

    return validated_loans


def _as_json(staged: "StageSummary") -> str:
    nulled = [{"column": c, "reason": why, "rows": rows} for (c, why), rows in staged.nulled.items()]
    return json.dumps(asdict(staged) | {"nulled": nulled}, indent=1) + "\n"


def _contract_checks(book: Portfolio) -> dg.AssetChecksDefinition:
    rules = expectations_for(book.contract)
    loans = key(book, "validated_loans")

    @dg.multi_asset_check(
        name=f"{book.name}__contract_checks",
        specs=[
            dg.AssetCheckSpec(
                rule.name, asset=loans, description=rule.description, blocking=rule.severity == "critical"
            )
            for rule in rules
        ],
    )
    @explained
    def contract_checks(context: dg.AssetCheckExecutionContext, platform: Platform) -> Iterator[dg.AssetCheckResult]:
        """Great Expectations on the validated loans: one check for each rule of the contract."""
        from loan_platform.adapters.quality import run_quality
        from loan_platform.adapters.quality_report import quality_html

        absent = platform.read_report(book, "staging.json")["missing_optional"]
        found = run_quality(platform.lake.path(book.name, "validated_loans"), rules, absent)
        platform.write_report(book, "quality.json", found.to_json())
        page = platform.write_report(book, "quality.html", quality_html(found, title=book.name))
        context.log.info(f"{len(rules)} rules checked: {page}")
        yield from (_result(loans, outcome) for outcome in found.outcomes)

    return contract_checks


def _result(loans: dg.AssetKey, outcome: RuleOutcome) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=loans,
        check_name=outcome.rule.name,
        passed=outcome.success,
        severity=SEVERITY[outcome.rule.severity],
        description=outcome.note or outcome.rule.description,
        metadata={"rows": outcome.element_count, "rows_that_break_it": outcome.unexpected_count},
    )
