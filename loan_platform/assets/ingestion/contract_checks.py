"""Great Expectations on typed rows: one asset check for each rule of the contract."""

from collections.abc import Iterator, Sequence

import dagster as dg

from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.reports import ReportsResource
from loan_platform.assets.specs.book_assets import asset_key
from loan_platform.assets.specs.explained import explained
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.staging.rules import Rule, RuleOutcome
from loan_platform.core.staging.staging_report import StagingReport

SEVERITY = {"critical": dg.AssetCheckSeverity.ERROR, "warning": dg.AssetCheckSeverity.WARN}


def contract_checks(book: Portfolio, asset: str, rules: Sequence[Rule], folder: str) -> dg.AssetChecksDefinition:
    """The checks of one asset.

    Args:
        book: whose asset it is.
        asset: its name.
        rules: what must hold.
        folder: where below the book's reports `staging.json` is read and `quality.json` and its page are written.
    """
    checked = asset_key(book, asset)

    @dg.multi_asset_check(name=f"{book.name}__{asset}_checks", specs=[_spec(checked, rule) for rule in rules])
    @explained
    def checks(
        context: dg.AssetCheckExecutionContext, lake: LakeResource, reports: ReportsResource
    ) -> Iterator[dg.AssetCheckResult]:
        from loan_platform.adapters.reports.great_expectations import quality_process
        from loan_platform.adapters.reports.quality_page import quality_html

        files = reports.open()
        absent = files.read(book.name, f"{folder}staging.json", StagingReport).missing_optional
        found = quality_process(lake.open().path(book.name, asset), rules, absent)
        files.write(book.name, f"{folder}quality.json", found.to_json())
        title = f"{book.name} {asset}" if folder else book.name
        page = files.write(book.name, f"{folder}quality.html", quality_html(found, title=title))
        context.log.info(f"{len(rules)} rules checked: {page}")
        yield from (_result(checked, outcome) for outcome in found.outcomes)

    return checks


def _spec(asset: dg.AssetKey, rule: Rule) -> dg.AssetCheckSpec:
    blocking = rule.severity == "critical"
    return dg.AssetCheckSpec(rule.name, asset=asset, description=rule.description, blocking=blocking)


def _result(asset: dg.AssetKey, outcome: RuleOutcome) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=outcome.rule.name,
        passed=outcome.success,
        severity=SEVERITY[outcome.rule.severity],
        description=outcome.note or outcome.rule.description,
        metadata={"rows": outcome.element_count, "rows_that_break_it": outcome.unexpected_count},
    )
