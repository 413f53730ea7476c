"""The counts of one staging."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from loan_platform.adapters.sources.relation import RawFile
from loan_platform.adapters.warehouse.session import WarehouseError
from loan_platform.adapters.warehouse.stage_steps import StagingFindings, nulled_values
from loan_platform.core.book.sql import quote_literal
from loan_platform.core.staging.quarantine_reasons import broken_sql
from loan_platform.core.staging.table import Table


@dataclass(frozen=True)
class StageSummary:
    """Result of staging; `rows_in == accepted + quarantined`.

    Attributes:
        rows_in: rows of all raw files, structural rejects and previously quarantined rows included.
        accepted: typed rows.
        quarantined: rows that were not accepted.
        by_reason: quarantined rows by the reason of their first fault.
        nulled: number of values set to null in accepted rows, by (column, reason).
        rule_warnings: number of accepted rows that break each row rule with severity `warning`, by rule.
        missing_optional: optional columns that at least one file lacks, in contract order.
        layouts: (file, layout) of files that fit a layout of the contract.
        resolved: accepted rows with a known outcome, 0 for rows without a target.
        target_rate: share of defaults among the resolved rows, from 0 to 1; None without resolved rows.
    """

    rows_in: int
    accepted: int
    quarantined: int
    by_reason: dict[str, int]
    nulled: dict[tuple[str, str], int]
    rule_warnings: dict[str, int]
    missing_optional: tuple[str, ...]
    layouts: tuple[tuple[str, str], ...]
    resolved: int
    target_rate: float | None


def summarize(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    files: Sequence[RawFile],
    rows_in: int,
    findings: StagingFindings,
    outputs: tuple[Path, Path],
) -> StageSummary:
    """Count what staging wrote.

    Args:
        connection: with the tables of `find_faults`.
        table: that was staged.
        files: raw files of the rows.
        rows_in: number of rows to account for.
        findings: of `find_faults`.
        outputs: Parquet files of accepted and of quarantined rows.

    Raises:
        WarehouseError: accepted and quarantined rows do not add up to `rows_in`.
    """
    accepted, quarantined = (quote_literal(str(path)) for path in outputs)
    outcome = "count(target), avg(target)" if table.target else "0, NULL"
    counts = f"SELECT count(*), {outcome} FROM read_parquet({accepted})"
    good, resolved, rate = connection.execute(counts).fetchall()[0]
    by_reason = f"SELECT reason, count(*) FROM read_parquet({quarantined}) GROUP BY ALL ORDER BY ALL"
    reasons = connection.execute(by_reason).fetchall()
    bad = sum(count for _, count in reasons)
    if rows_in != good + bad:
        raise WarehouseError(
            f"{rows_in} rows in, but {good} accepted and {bad} quarantined in {outputs[0].parent}. "
            "Report this as a defect."
        )
    missing = {column for file in files for column in file.missing}
    return StageSummary(
        rows_in=rows_in,
        accepted=good,
        quarantined=bad,
        by_reason={str(reason): int(count) for reason, count in reasons},
        nulled=nulled_values(connection),
        rule_warnings=_rule_warnings(connection, table, accepted),
        missing_optional=tuple(column.name for column in table.columns if column.name in missing),
        layouts=tuple(sorted((file.name, file.layout) for file in files if file.layout is not None)),
        resolved=resolved,
        target_rate=rate,
    )


def _rule_warnings(connection: duckdb.DuckDBPyConnection, table: Table, accepted: str) -> dict[str, int]:
    rules = [rule for rule in table.row_rules if rule.severity == "warning"]
    if not rules:
        return {}
    counts = ", ".join(f"count(*) FILTER ({broken_sql(table, rule)})" for rule in rules)
    found = connection.execute(f"SELECT {counts} FROM read_parquet({accepted})").fetchall()[0]
    return {rule.name: int(count) for rule, count in zip(rules, found, strict=True)}
