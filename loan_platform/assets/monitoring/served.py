"""The service's responses come back from its audit log, as a table like that of the predictions."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.service_records import ServiceRecordsResource
from loan_platform.assets.specs.book_assets import asset_key, book_spec
from loan_platform.assets.specs.explained import explained
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.monitoring.served_table import Served, merge_tables, served_table, with_known

if TYPE_CHECKING:
    from loan_platform.adapters.audit.reader import AuditRecords
    from loan_platform.core.audit.hash_chain import Chain

SERVED, QUARANTINED = "served_predictions", "quarantined_records"
ROWS_AT_ONCE = 50_000
MAX_SHOWN = 5
FAULT = {"chain": pl.String, "segment": pl.String, "line": pl.Int64, "reason": pl.String, "whole_chain": pl.Boolean}
DESCRIPTIONS = {
    SERVED: "Responses of the scoring service, read from its audit log. Only records of intact hash chains are read. A "
    "response that was read stays, without its inputs, when its record is deleted after the retention period or fails "
    "verification later.",
    QUARANTINED: "Records of the audit log that fail verification, with hash chain, file, line and reason.",
}
INTACT = "Every hash chain of the service's audit log is intact."


def served_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`served_predictions` with `quarantined_records`; none for a book without applications."""
    return [_served_predictions(book)] if "applications" in book.sources else []


def _served_predictions(book: Portfolio) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=f"{book.name}__{SERVED}",
        specs=[
            book_spec(book, name, "service_monitoring", text, "polars", "parquet")
            for name, text in DESCRIPTIONS.items()
        ],
        check_specs=[dg.AssetCheckSpec("audit_chain", asset=asset_key(book, SERVED), description=INTACT)],
    )
    @explained
    def served_predictions(
        context: dg.AssetExecutionContext, lake: LakeResource, service_records: ServiceRecordsResource
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        records, files = service_records.open(book), lake.open()
        with files.one_writer(book.name, SERVED):
            chains = list(records.chains())
            faults = _faults(chains)
            known = files.read(book.name, SERVED) if files.exists(book.name, SERVED) else None
            read = _served_table(context, book, records, chains)
            table = with_known(read, known)
            with files.publish_together(book.name, (SERVED, QUARANTINED)) as paths:
                table.write_parquet(paths[SERVED])
                faults.write_parquet(paths[QUARANTINED])
        kept = table.height - read.height
        gone = f", {kept:,} of them read before: their records are deleted or fail verification now" if kept else ""
        context.log.info(f"{table.height:,} responses{gone}; {len(chains)} chain(s)" if table.height else "none yet")
        inputs = table["inputs"].count()
        counts = {"dagster/row_count": table.height, "with_inputs": inputs, "chains": len(chains), "kept": kept}
        rejected = {"dagster/row_count": faults.height}
        yield dg.MaterializeResult(asset_key=asset_key(book, SERVED), metadata=counts)
        yield dg.MaterializeResult(asset_key=asset_key(book, QUARANTINED), metadata=rejected)
        yield _chain_check(book, chains)

    return served_predictions


def _served_table(
    context: dg.AssetExecutionContext, book: Portfolio, records: "AuditRecords", chains: list["Chain"]
) -> pl.DataFrame:
    about = (book.contract.entity_key, book.contract.event_date)
    tables = [served_table(rows, *about) for rows in _rows_in_parts(context, records, chains)]
    return merge_tables(tables) if tables else served_table((), *about)


def _faults(chains: list["Chain"]) -> pl.DataFrame:
    rows = [(f.chain, f.segment, f.line, f.reason, f.invalidates_chain) for chain in chains for f in chain.faults]
    return pl.DataFrame(rows, schema=FAULT, orient="row")


def _rows_in_parts(
    context: dg.AssetExecutionContext, records: "AuditRecords", chains: list["Chain"]
) -> Iterator[list[Served]]:
    """The records of single responses of each chain, and those of each batch job, in parts that fit into memory."""
    from loan_platform.adapters.audit.job_records import row_record

    for chain in chains:
        yield list(_rows(context, records, chain.name, chain.records))
        for line, rows in records.jobs(chain):
            for part in rows.iter_slices(ROWS_AT_ONCE):
                found = (line | row_record(line, row) for row in part.iter_rows(named=True))
                yield list(_rows(context, records, f"job {line['job']}", found))


def _rows(
    context: dg.AssetExecutionContext, records: "AuditRecords", where: str, found: Iterable[dict[str, Any]]
) -> Iterator[Served]:
    """Records with their inputs, where the key for them is available."""
    from loan_platform.adapters.audit.keys import AuditKeyError

    unread = 0
    for record in found:
        try:
            stored = records.stored_application(record)
        except AuditKeyError:
            stored, unread = None, unread + 1
        yield Served(record, stored.inputs, stored.entity, stored.date) if stored else Served(record)
    if unread:
        context.log.warning(f"{where}: inputs of {unread:,} records were encrypted with another key")


def _chain_check(book: Portfolio, chains: list["Chain"]) -> dg.AssetCheckResult:
    faults = [str(fault) for chain in chains for fault in chain.faults]
    unused = sum(chain.head.n for chain in chains if any(fault.invalidates_chain for fault in chain.faults))
    more = f"; {unused:,} lines of broken chains are not used" if unused else ""
    return dg.AssetCheckResult(
        asset_key=asset_key(book, SERVED),
        check_name="audit_chain",
        passed=not faults,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{'; '.join(faults[:MAX_SHOWN])}{more}" if faults else f"{len(chains)} chain(s) are intact.",
    )
