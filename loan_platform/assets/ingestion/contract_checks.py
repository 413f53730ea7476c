"""Great Expectations on typed rows: one asset check for each rule."""

from collections.abc import Iterator, Sequence

import dagster as dg

from loan_platform.assets.resources.platform import Platform
from loan_platform.assets.specs.graph import explained, key
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.staging.rules import Rule, RuleOutcome

SEVERITY = {"critical": dg.AssetCheckSeverity.ERROR, "warning": dg.AssetCheckSeverity.WARN}


def contract_checks(book: Portfolio, asset: str, rules: Sequence[Rule], folder: str) -> dg.AssetChecksDefinition:
    """The checks of one asset.

    Args:
        book: whose asset it is.
        asset: its name.
        rules: what must hold.
        folder: where below the book's reports `staging.json` is read and `quality.json` and its page are written.
    """
    checked = key(book, asset)

    @dg.multi_asset_check(
        name=f"{book.name}__{asset}_checks",
        specs=[
            dg.AssetCheckSpec(
                rule.name, asset=checked, description=rule.description, blocking=rule.severity == "critical"
            )
            for rule in rules
        ],
    )
    @explained
    def checks(context: dg.AssetCheckExecutionContext, platform: Platform) -> Iterator[dg.AssetCheckResult]:
        from loan_platform.adapters.reports.great_expectations import quality_process
        from loan_platform.adapters.reports.quality_page import quality_html

        absent = platform.read_report(book, f"{folder}staging.json")["missing_optional"]
        found = quality_process(platform.lake.path(book.name, asset), rules, absent)
        platform.write_report(book, f"{folder}quality.json", found.to_json())
        title = f"{book.name} {asset}" if folder else book.name
        page = platform.write_report(book, f"{folder}quality.html", quality_html(found, title=title))
        context.log.info(f"{len(rules)} rules checked: {page}")
        yield from (_result(checked, outcome) for outcome in found.outcomes)

    return checks


def _result(asset: dg.AssetKey, outcome: RuleOutcome) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=outcome.rule.name,
        passed=outcome.success,
        severity=SEVERITY[outcome.rule.severity],
        description=outcome.note or outcome.rule.description,
        metadata={"rows": outcome.element_count, "rows_that_break_it": outcome.unexpected_count},
    )
