"""What the service answered comes back: a table like that of the predictions, and its drift."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from loan_platform.assets.monitoring.drift import ORDER, drift_check, reason_of
from loan_platform.assets.resources.platform import Platform
from loan_platform.assets.specs.graph import asset_of, explained, key, spec_of
from loan_platform.core.audit.replay import inputs_frame
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.errors import NotMaterializedError
from loan_platform.core.monitoring.psi import DriftTable, drift_table
from loan_platform.core.monitoring.reference import Reference
from loan_platform.core.monitoring.served_table import Served, merge_tables, served_table

if TYPE_CHECKING:
    from loan_platform.adapters.audit.reader import AuditRecords
    from loan_platform.core.audit.hash_chain import Chain

SERVED, REFUSED = "served_predictions", "quarantined_records"
ROWS_AT_ONCE = 50_000
FAULT = {"chain": pl.String, "segment": pl.String, "line": pl.Int64, "reason": pl.String, "whole_chain": pl.Boolean}


def served_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`served_predictions` with `quarantined_records`, and their drift; none for a book without applications."""
    return [_served_predictions(book), _served_drift_report(book)] if "applications" in book.sources else []


def _served_predictions(book: Portfolio) -> dg.AssetsDefinition:
    told = {
        SERVED: "The service's answers, from its records: only those of hash chains that stand, with inputs if kept.",
        REFUSED: "Lines of the service's records that do not stand: chain, file, line, reason.",
    }

    @dg.multi_asset(
        name=f"{book.name}__{SERVED}",
        specs=[spec_of(book, name, text, "polars", "parquet") for name, text in told.items()],
        check_specs=[
            dg.AssetCheckSpec("audit_chain", asset=key(book, SERVED), description="Every chain of records is whole.")
        ],
    )
    @explained
    def served_predictions(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        records = platform.records(book)
        chains = list(records.chains())
        about = (book.contract.entity_key, book.contract.event_date)
        tables = [served_table(rows, *about) for rows in _rows_in_parts(context, records, chains)]
        table = merge_tables(tables) if tables else served_table((), *about)
        faults = [(f.chain, f.segment, f.line, f.reason, f.invalidates_chain) for chain in chains for f in chain.faults]
        with platform.lake.publish_together(book.name, (SERVED, REFUSED)) as paths:
            table.write_parquet(paths[SERVED])
            pl.DataFrame(faults, schema=FAULT, orient="row").write_parquet(paths[REFUSED])
        context.log.info(f"{table.height:,} answers in {len(chains)} chain(s)" if chains else "nothing was served yet")
        kept = table["inputs"].count()
        metadata = {"dagster/row_count": table.height, "with_inputs": kept, "chains": len(chains)}
        yield dg.MaterializeResult(asset_key=key(book, SERVED), metadata=metadata)
        yield dg.MaterializeResult(asset_key=key(book, REFUSED), metadata={"dagster/row_count": len(faults)})
        yield _chain_check(book, chains)

    return served_predictions


def _rows_in_parts(
    context: dg.AssetExecutionContext, records: "AuditRecords", chains: list["Chain"]
) -> Iterator[list[Served]]:
    """The records of single answers of each chain, and those of each batch job, so many at a time."""
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
    """Records with their inputs, where the key for them is at hand."""
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
        asset_key=key(book, SERVED),
        check_name="audit_chain",
        passed=not faults,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{'; '.join(faults[:5])}{more}" if faults else f"{len(chains)} chain(s) are whole.",
    )


def _served_drift_report(book: Portfolio) -> dg.AssetsDefinition:
    report = key(book, "served_drift_report")

    @asset_of(
        book,
        "served_drift_report",
        "polars",
        deps=[SERVED],
        check_specs=[
            dg.AssetCheckSpec("no_critical_served_drift", asset=report, description="No variable drifts critically.")
        ],
    )
    def served_drift_report(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        """How far what the service was asked is from the loans of development, by month and model version.

        Needs records with inputs. A critical batch asks for a new model once, as `drift_report` does.
        """
        served = platform.lake.read(book.name, SERVED)
        tables = dict(_tables(context, platform, book, served.filter(pl.col("inputs").is_not_null())))
        if not tables:
            context.log.info(_nothing(served))
        worst = max((t.verdict for t in tables.values()), key=ORDER.index, default="unknown")
        newest = _newest(platform, book, *list(tables.items())[-1]) if tables else {}
        yield dg.MaterializeResult(metadata={"batches": len(tables), "worst_verdict": worst, **newest})
        yield drift_check(tables, "no_critical_served_drift", dg.AssetCheckSeverity.ERROR, ("critical",))

    return served_drift_report


def _nothing(served: pl.DataFrame) -> str:
    if served.is_empty():
        return "nothing was served yet"
    return "the records keep no inputs that can be read: LOAN_AUDIT_INPUTS=encrypted keeps them, for drift too"


def _tables(
    context: dg.AssetExecutionContext, platform: Platform, book: Portfolio, served: pl.DataFrame
) -> Iterator[tuple[str, DriftTable]]:
    months = served.with_columns(month=pl.col("time").dt.strftime("%Y-%m")).sort("month", "model_version", "time")
    by = ("month", "model_version", "model_sha256")
    for (month, version, sha256), rows in months.partition_by(by, as_dict=True).items():
        batch = f"served-{month}-v{version}"
        try:
            bundle = platform.models(book).get(str(sha256)).bundle()
        except NotMaterializedError as error:
            context.log.warning(f"{batch}: {error}")
            continue
        features = bundle.model.features(inputs_frame(bundle.model, [json.loads(text) for text in rows["inputs"]]))
        table = drift_table(Reference.from_json(bundle.reference), features, rows["probability"].to_numpy(), book.drift)
        content = {"batch": batch, "reason": reason_of(table)} | table.to_json()
        platform.write_report(book, f"drift/{batch}.json", json.dumps(content, indent=1) + "\n")
        context.log.info(f"{batch}: {table.verdict}. {reason_of(table)}")
        yield batch, table


def _newest(platform: Platform, book: Portfolio, batch: str, table: DriftTable) -> dict[str, Any]:
    """What the sensor reads: the newest batch, for which it asks once however the month goes on."""
    report = platform.report_path(book, "drift", f"{batch}.json")
    return {
        "batch": batch,
        "dagster/row_count": table.rows,
        "verdict": table.verdict,
        "reason": reason_of(table),
        "report_sha256": hashlib.sha256(report.read_bytes()).hexdigest(),
        "asks_once_for": batch,
        "report": dg.PathMetadataValue(str(report)),
    }
