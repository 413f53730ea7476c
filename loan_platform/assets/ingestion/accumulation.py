"""Rows that files add to: a file brings new keys or later words on known keys, and takes none away by silence."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from loan_platform.adapters.storage.lake import Lake
from loan_platform.adapters.storage.report_files import ReportFiles
from loan_platform.assets.ingestion.contract_checks import check_contract, contract_check_specs
from loan_platform.assets.ingestion.publication import Checked, Decision, Publisher
from loan_platform.assets.ingestion.staging import check_staging, staged_metadata, staging_checks
from loan_platform.assets.resources.warehouse import WarehouseResource
from loan_platform.assets.specs.book_assets import asset_key
from loan_platform.assets.specs.partitions import BatchRange, batch_sql
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.staging.rules import Rule
from loan_platform.core.staging.table import LATEST_BY

if TYPE_CHECKING:  # imports DuckDB
    from loan_platform.adapters.warehouse.accumulate import Accumulation, KeyRules
    from loan_platform.adapters.warehouse.stage_summary import StageSummary

MAX_SHOWN = 5
NO_BATCH_SHRINKS = "No batch has fewer rows than before, unless the run was told to replace it."
ONE_ROW_PER_KEY = "No row has the key of another row with other values."


@dataclass(frozen=True)
class Arrival:
    """What a file brought: its own rows, and how they changed those that were known."""

    staged: "StageSummary"
    counts: "Accumulation"

    def __str__(self) -> str:
        """For the log."""
        found = self.counts
        told = f"{self.staged.accepted:,} of {self.staged.rows_in:,} rows accepted: {found.added:,} new, "
        told += f"{found.unchanged:,} known, {found.replacing:,} replace a row, {found.outranked:,} do not count"
        removed = f"; {found.removed:,} rows removed" if found.removed else ""
        return f"{told}{removed}; {found.rows:,} rows now"


@dataclass(frozen=True)
class AccumulatedAssets:
    """An asset of rows by key, with the asset of the quarantined rows and the asset of rows that no longer count.

    Attributes:
        book: whose assets they are.
        source: whose files bring the rows.
        names: of the rows that count, of the quarantined rows of the last file, and of the rows that do not count.
        dated: whether the rows belong to batches, so that no batch may shrink.
        rules: of the contract for the rows of the files.
    """

    book: Portfolio
    source: str
    names: tuple[str, str, str]
    dated: bool
    rules: tuple[Rule, ...] = ()

    @property
    def check_specs(self) -> list[dg.AssetCheckSpec]:
        """The checks of the files, those of what they change, and one for each rule."""
        key, specs = asset_key(self.book, self.names[0]), staging_checks(self.book, self.names[0])
        if self.dated:
            specs.append(dg.AssetCheckSpec("no_batch_shrinks", asset=key, blocking=True, description=NO_BATCH_SHRINKS))
        if self.book.sources[self.source].same_key == "refuse":
            specs.append(dg.AssetCheckSpec("one_row_per_key", asset=key, blocking=True, description=ONE_ROW_PER_KEY))
        return [*specs, *contract_check_specs(self.book, self.names[0], self.rules)]

    def publish(
        self,
        lake: Lake,
        reports: ReportFiles,
        warehouse: WarehouseResource,
        stage: Callable[[Path, Path], "StageSummary"],
        replace: BatchRange | None = None,
        check: Callable[[Path, Path], Checked] | None = None,
    ) -> tuple[Arrival, Decision]:
        """Add the rows of the source's files to those that are known; publish the result, or refuse it.

        Args:
            lake: where the rows are published.
            reports: where the reports about them are published.
            warehouse: adds rows.
            stage: writes typed and quarantined rows of the files to two paths.
            replace: batches whose known rows go if the files lack them; None: none goes.
            check: further checks, of the rows that would count and of all rows that would not.
        """
        name = self.names[0]
        publisher = Publisher(self.book, name, lake, reports, f"{self.source}/")
        known, history = (self._known(lake, asset) for asset in (name, self.names[2]))
        with lake.candidates(self.book.name, self.names) as candidates, warehouse.scratch_folder() as scratch:
            counting, quarantined, replaced = (candidates.paths[asset] for asset in self.names)
            arrived = scratch / "arrived.parquet"
            staged = stage(arrived, quarantined)
            counts = warehouse.accumulator().add(arrived, known, history, self._rules(replace), counting, replaced)
            checked = check_staging(self.book, name, staged).also(self._changes(counts, replace))
            checked = checked.also(check(counting, replaced)) if check else checked
            if self.rules:
                title = f"{self.book.name} {name}"
                found = check_contract(self.book, name, self.rules, arrived, staged.missing_optional, title)
                checked = checked.also(found)
            return Arrival(staged, counts), publisher.decide(candidates, checked)

    def materializations(self, arrival: Arrival, **more: object) -> Iterator[dg.MaterializeResult]:
        """The three assets; `more` is metadata of the rows that count."""
        (accepted, quarantined), counts = staged_metadata(arrival.staged), arrival.counts
        changed = {name: getattr(counts, name) for name in ("added", "unchanged", "replacing", "outranked", "removed")}
        rows = accepted | {"dagster/row_count": counts.rows, "rows_accepted": arrival.staged.accepted} | changed | more
        lost = {"rows_of_this_run": counts.replacing + counts.outranked + counts.removed}
        for name, metadata in zip(self.names, (rows, quarantined, lost), strict=True):
            yield dg.MaterializeResult(asset_key=asset_key(self.book, name), metadata=metadata)

    def _known(self, lake: Lake, asset: str) -> Path | None:
        return lake.path(self.book.name, asset) if lake.exists(self.book.name, asset) else None

    def _rules(self, replace: BatchRange | None) -> "KeyRules":
        from loan_platform.adapters.warehouse.accumulate import KeyRules

        source = self.book.sources[self.source]
        return KeyRules(
            key=self.book.contract.entity_key,
            same_key=source.same_key,
            # The join of linked files drops the date, so there the latest row is chosen before the join.
            latest_by=LATEST_BY if source.latest_by and not self.book.contract.tables else None,
            batch=batch_sql(self.book) if self.dated else "'all'",
            replace=replace,
        )

    def _changes(self, counts: "Accumulation", replace: BatchRange | None) -> Checked:
        key, results = asset_key(self.book, self.names[0]), list[dg.AssetCheckResult]()
        if self.dated:
            shrunk = [batch for batch in counts.shrunk if not (replace and replace[0] <= batch[0] <= replace[1])]
            found = ", ".join(f"{batch}: {before:,} -> {rows:,} rows" for batch, before, rows in shrunk[:MAX_SHOWN])
            more = f" and {len(shrunk) - MAX_SHOWN} more" if len(shrunk) > MAX_SHOWN else ""
            told = f"{found}{more}. Name the batches in `replace` if that is right." if shrunk else "None has."
            results.append(
                dg.AssetCheckResult(
                    asset_key=key,
                    check_name="no_batch_shrinks",
                    passed=not shrunk,
                    description=told,
                    metadata={"batches": len(shrunk)},
                )
            )
        if self.book.sources[self.source].same_key == "refuse":
            told = f"{counts.outranked:,} rows have the key of another row with other values."
            results.append(
                dg.AssetCheckResult(
                    asset_key=key, check_name="one_row_per_key", passed=counts.outranked == 0, description=told
                )
            )
        return Checked(tuple(results), frozenset(str(result.check_name) for result in results))
