"""Raw rows to typed rows: how a source is staged, checked and published, with the metadata of every staged asset."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from loan_platform.adapters.storage.lake import Lake
from loan_platform.adapters.storage.report_files import ReportFiles
from loan_platform.assets.ingestion.contract_checks import check_contract, contract_check_specs
from loan_platform.assets.ingestion.publication import Checked, Decision, Publisher
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.sources import SourcesResource
from loan_platform.assets.resources.warehouse import WarehouseResource
from loan_platform.assets.specs.book_assets import asset_key, clean_asset
from loan_platform.core.book.constants import MAIN_TABLE
from loan_platform.core.book.parts.contract_parts import SourceTable
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.staging.rules import Rule
from loan_platform.core.staging.staging_report import DroppedValues, StagingReport
from loan_platform.core.staging.table import Table

if TYPE_CHECKING:
    from loan_platform.adapters.warehouse.stage_summary import StageSummary
    from loan_platform.adapters.warehouse.warehouse import RawSummary

QUARANTINED = "Rejected rows with source file, line, column and reason. The rejected value is never copied."


@dataclass(frozen=True)
class StagedAssets:
    """An asset of typed rows with the asset of its quarantined rows. Both are checked, then published together.

    Attributes:
        book: whose assets they are.
        names: of the typed and of the quarantined rows.
        rules: of the contract for the typed rows.
        folder: of the reports about the published rows, see `Publisher`.
    """

    book: Portfolio
    names: tuple[str, str]
    rules: tuple[Rule, ...] = ()
    folder: str = ""

    @property
    def check_specs(self) -> list[dg.AssetCheckSpec]:
        """The checks of staging, and one for each rule."""
        name = self.names[0]
        return [*staging_checks(self.book, name), *contract_check_specs(self.book, name, self.rules)]

    def publish(
        self,
        lake: Lake,
        reports: ReportFiles,
        stage: Callable[[Path, Path], "StageSummary"],
        check: Callable[[Path, "StageSummary"], Checked] | None = None,
    ) -> tuple["StageSummary", Decision]:
        """Stage to candidate files, check them, and publish or refuse them.

        Args:
            lake: where the rows are published.
            reports: where the reports about them are published.
            stage: writes typed and quarantined rows to two paths.
            check: further checks of the typed rows and their counts.
        """
        name = self.names[0]
        publisher = Publisher(self.book, name, lake, reports, self.folder)
        with lake.candidates(self.book.name, self.names) as candidates:
            accepted, quarantined = (candidates.paths[name] for name in self.names)
            staged = stage(accepted, quarantined)
            checked = check_staging(self.book, name, staged)
            if self.rules:
                title = f"{self.book.name} {name}" if self.folder else self.book.name
                absent = staged.missing_optional
                checked = checked.also(check_contract(self.book, name, self.rules, accepted, absent, title))
            if check:
                checked = checked.also(check(accepted, staged))
            return staged, publisher.decide(candidates, checked)


@dataclass(frozen=True)
class Staging:
    """What staging works with: the book, its raw files, DuckDB and the lake.

    `on_read` is called with what was read of the raw files.
    """

    book: Portfolio
    sources: SourcesResource
    warehouse: WarehouseResource
    lake: LakeResource
    on_read: Callable[["RawSummary"], None]

    def stage_source(self, source: str, accepted: Path, quarantined: Path, outcomes: bool = False) -> "StageSummary":
        """Write the accepted and the quarantined rows of a source.

        Args:
            source: name in the book's sources.
            accepted: Parquet file to write.
            quarantined: Parquet file to write.
            outcomes: stage only key and target, as a file of later outcomes has them.

        Raises:
            SourceError: a file as a whole cannot be used.
        """
        policy = self.book.sources[source]
        table = Table.from_contract(self.book.contract, outcomes)
        with self.warehouse.scratch_folder() as scratch:
            if self.book.contract.tables:
                return self._stage_joined(source, table, scratch, accepted, quarantined)
            table = table.with_key_rules(policy, None)
            raw, rejects = self._read(source, table, scratch)
            return self.warehouse.open().stage(raw, table, accepted, quarantined, rejects=rejects)

    def _stage_joined(
        self, source: str, table: Table, scratch: Path, accepted: Path, quarantined: Path
    ) -> "StageSummary":
        """Join the rows of a source with the other cleaned tables of the book, then stage them."""
        contract, warehouse = self.book.contract, self.warehouse.open()
        clean, rejected, joined, lost = (scratch / f"{n}.parquet" for n in ("clean", "rejected", "joined", "lost"))
        main = Table.from_source(contract, next(t for t in contract.tables if t.name == MAIN_TABLE))
        policy = self.book.sources[source]
        main = main.with_key_rules(policy, None)
        raw, rejects = self._read(source, main, scratch)
        warehouse.stage(raw, main, clean, rejected, rejects=rejects)
        tables = cleaned_tables(self.lake.open(), self.book)
        self.warehouse.linked_tables(self.book).join_new(tables, clean, joined, lost, policy.same_key)
        table = table.with_key_rules(policy, None, joined=True)
        return warehouse.stage(joined, table, accepted, quarantined, previously_quarantined=(rejected, lost))

    def _read(self, source: str, table: Table, scratch: Path) -> tuple[Path, Path]:
        policy, files = self.sources.files(self.book, source)
        raw, rejects = scratch / "raw.parquet", scratch / "rejects.parquet"
        self.on_read(self.warehouse.open().read_raw(files, table, policy, raw, rejects))
        return raw, rejects


def cleaned_tables(lake: Lake, book: Portfolio) -> dict[str, Path]:
    """Parquet file of each cleaned table of the book, by name.

    Raises:
        NotPublishedError: one was not materialized yet.
    """
    return {table.name: lake.path(book.name, clean_asset(table.name)) for table in book.contract.tables}


def adds_up(source: SourceTable) -> bool:
    """Whether the files of a linked source add to it: its rows have a key. Each file replaces the loans themselves."""
    return source.name != MAIN_TABLE and bool(source.key)


def source_table(book: Portfolio, source: SourceTable, needs_target: bool = False) -> Table:
    """What is read and staged of a linked source of the book."""
    table = Table.from_source(book.contract, source, needs_target)
    # A later file may repeat a key. Within a file it is an error, of the file or of the contract's key.
    return table.with_key_rules(book.sources[source.name], "refuse").with_key_in_file() if adds_up(source) else table


def staging_report(staged: "StageSummary") -> StagingReport:
    """The counts as a report."""
    nulled = tuple(DroppedValues(column=c, reason=why, rows=rows) for (c, why), rows in staged.nulled.items())
    return StagingReport.model_validate(asdict(staged) | {"nulled": nulled})


def staged_metadata(staged: "StageSummary") -> tuple[dict[str, Any], dict[str, Any]]:
    """Metadata of the asset with the accepted rows, and of the asset with the quarantined rows."""
    accepted: dict[str, Any] = {
        "dagster/row_count": staged.accepted,
        "rows_in": staged.rows_in,
        "quarantined": staged.quarantined,
        "values_nulled": sum(staged.nulled.values()),
    }
    if staged.rule_warnings:
        accepted["row_rule_warnings"] = dg.JsonMetadataValue(staged.rule_warnings)
    if staged.nulled:
        rows = [f"| {column} | {why} | {count:,} |" for (column, why), count in staged.nulled.items()]
        table = "\n".join(["| column | reason | values dropped |", "| --- | --- | ---: |", *rows])
        accepted["nulled"] = dg.MarkdownMetadataValue(table)
    quarantined = {"dagster/row_count": staged.quarantined, "by_reason": dg.JsonMetadataValue(staged.by_reason)}
    return accepted, quarantined


def staged_materializations(
    book: Portfolio, names: tuple[str, str], staged: "StageSummary", **more: Any
) -> Iterator[dg.MaterializeResult]:
    """The two assets of a staging step; `more` is metadata of the accepted rows."""
    accepted, quarantined = staged_metadata(staged)
    yield dg.MaterializeResult(asset_key=asset_key(book, names[0]), metadata=accepted | more)
    yield dg.MaterializeResult(asset_key=asset_key(book, names[1]), metadata=quarantined)


def staging_checks(book: Portfolio, asset: str) -> list[dg.AssetCheckSpec]:
    """Blocking checks of an asset that is staged from files."""
    key = asset_key(book, asset)
    within = f"At most {book.quarantine.max_share:.1%} of the rows are quarantined."
    return [
        dg.AssetCheckSpec(
            "rows_reconcile", asset=key, blocking=True, description="Rows in = accepted + quarantined, exactly."
        ),
        dg.AssetCheckSpec("quarantine_within_policy", asset=key, blocking=True, description=within),
    ]


def check_staging(book: Portfolio, asset: str, staged: "StageSummary") -> Checked:
    """Results of `staging_checks`, and the counts as a report."""
    key, out = asset_key(book, asset), staged.accepted + staged.quarantined
    reconcile = dg.AssetCheckResult(
        asset_key=key,
        check_name="rows_reconcile",
        passed=staged.rows_in == out,
        description=f"{staged.rows_in:,} in, {staged.accepted:,} + {staged.quarantined:,} out.",
        metadata={"rows_in": staged.rows_in, "accepted": staged.accepted, "quarantined": staged.quarantined},
    )
    share = staged.quarantined / max(staged.rows_in, 1)
    within = dg.AssetCheckResult(
        asset_key=key,
        check_name="quarantine_within_policy",
        passed=share <= book.quarantine.max_share,
        description=f"{share:.2%} of the rows are quarantined. The limit is {book.quarantine.max_share:.1%}.",
        metadata={"share": share, "allowed": book.quarantine.max_share},
    )
    names = frozenset(spec.name for spec in staging_checks(book, asset))
    return Checked((reconcile, within), names, {"staging.json": staging_report(staged)})
