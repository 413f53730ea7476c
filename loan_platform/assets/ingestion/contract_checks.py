"""Great Expectations on typed rows before they are published: one asset check for each rule of the contract."""

from collections.abc import Collection, Sequence
from pathlib import Path

import dagster as dg

from loan_platform.assets.ingestion.publication import Checked
from loan_platform.assets.specs.book_assets import asset_key
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.staging.rules import Rule, RuleOutcome

SEVERITY = {"critical": dg.AssetCheckSeverity.ERROR, "warning": dg.AssetCheckSeverity.WARN}


def contract_check_specs(book: Portfolio, asset: str, rules: Sequence[Rule]) -> list[dg.AssetCheckSpec]:
    """One check for each rule. Rules with severity `critical` block."""
    key = asset_key(book, asset)
    return [
        dg.AssetCheckSpec(rule.name, asset=key, description=rule.description, blocking=rule.severity == "critical")
        for rule in rules
    ]


def check_contract(
    book: Portfolio, asset: str, rules: Sequence[Rule], rows: Path, absent: Collection[str], title: str
) -> Checked:
    """Check typed rows against the rules of the contract.

    Args:
        book: whose asset it is.
        asset: its name.
        rules: what must hold.
        rows: Parquet file of the typed rows.
        absent: optional columns that the source lacks; their rules are skipped.
        title: of the report's page.
    """
    from loan_platform.adapters.reports.great_expectations import quality_process
    from loan_platform.adapters.reports.quality_page import quality_html

    found = quality_process(rows, rules, absent)
    key = asset_key(book, asset)
    return Checked(
        results=tuple(_result(key, outcome) for outcome in found.outcomes),
        blocking=frozenset(rule.name for rule in rules if rule.severity == "critical"),
        reports={"quality.json": found.to_json(), "quality.html": quality_html(found, title=title)},
    )


def _result(asset: dg.AssetKey, outcome: RuleOutcome) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=outcome.rule.name,
        passed=outcome.success,
        severity=SEVERITY[outcome.rule.severity],
        description=_description(outcome),
        metadata={"rows": outcome.element_count, "rows_that_break_it": outcome.unexpected_count},
    )


def _description(outcome: RuleOutcome) -> str:
    told = outcome.note or outcome.rule.description
    if outcome.success or not outcome.unexpected_count:
        return told
    return f"{told} {outcome.unexpected_count:,} of {outcome.element_count:,} rows break it."
