"""Rows that files add to: a file brings new keys or later words on known keys, and takes none away by silence."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from loan_platform.adapters.storage.lake import Lake
from loan_platform.adapters.storage.report_files import ReportFiles
from loan_platform.assets.ingestion.contract_checks import check_contract, contract_check_specs
from loan_platform.assets.ingestion.publication import Checked, Decision, Publisher
from loan_platform.assets.ingestion.staging import check_staging, staged_metadata, staging_checks
from loan_platform.assets.resources.warehouse import WarehouseResource
from loan_platform.assets.specs.book_assets import asset_key
from loan_platform.assets.specs.partitions import EVERYTHING, WHOLE, BatchRange, batch_keys, batch_sql
from loan_platform.core.book.constants import LATEST_BY
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.staging.rules import Rule

if TYPE_CHECKING:  # imports DuckDB
    from loan_platform.adapters.warehouse.accumulate import Accumulation, AccumulationFiles, KeyRules
    from loan_platform.adapters.warehouse.stage_summary import StageSummary

MAX_SHOWN = 5
NO_BATCH_SHRINKS = "No batch loses a row, unless the run was told so."
NO_ROWS_LOST = "No published row is lost, unless the run was told to replace them."
ONE_ROW_PER_KEY = "No row has the key of another row with other values."


IGNORE_QUARANTINED = (
    "Whether rows are removed although some rows of the files are quarantined, and may be those. Default: they are not."
)


class ReplaceConfig(dg.Config):
    """What a run may take away from rows without batches."""

    replace: bool = Field(
        default=False, description="Whether rows that this run's files lack are removed. Default: no row is removed."
    )
    ignore_quarantined: bool = Field(default=False, description=IGNORE_QUARANTINED)

    @property
    def change(self) -> "Change":
        """As a range of the one batch that all rows are in."""
        return Change(EVERYTHING if self.replace else None, ignore_quarantined=self.ignore_quarantined)


@dataclass(frozen=True)
class Change:
    """What a run may take away.

    Attributes:
        replace: batches whose known rows are removed if the files lack them; None: none is.
        may_shrink: batches that may lose rows to other batches, by corrected dates; None: none may.
        ignore_quarantined: whether rows may be removed although some rows of the files are quarantined.
    """

    replace: BatchRange | None = None
    may_shrink: BatchRange | None = None
    ignore_quarantined: bool = False

    def allows(self, batch: str) -> bool:
        """Whether the batch may have fewer rows afterwards."""
        return any(allowed and allowed[0] <= batch <= allowed[1] for allowed in (self.replace, self.may_shrink))


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
        key: columns that identify a row.
        dated: whether the rows belong to batches, so that no batch may shrink.
        rules: of the contract for the rows of the files.
        not_compared: columns in which two equal rows may differ.
    """

    book: Portfolio
    source: str
    names: tuple[str, str, str]
    key: tuple[str, ...]
    dated: bool = False
    rules: tuple[Rule, ...] = ()
    not_compared: frozenset[str] = frozenset()

    @property
    def check_specs(self) -> list[dg.AssetCheckSpec]:
        """The checks of the files, those of what they change, and one for each rule."""
        key, specs = asset_key(self.book, self.names[0]), staging_checks(self.book, self.names[0])
        name, text = ("no_batch_shrinks", NO_BATCH_SHRINKS) if self.dated else ("no_rows_lost", NO_ROWS_LOST)
        specs.append(dg.AssetCheckSpec(name, asset=key, blocking=True, description=text))
        if self.book.sources[self.source].same_key == "refuse":
            specs.append(dg.AssetCheckSpec("one_row_per_key", asset=key, blocking=True, description=ONE_ROW_PER_KEY))
        return [*specs, *contract_check_specs(self.book, self.names[0], self.rules)]

    def publish(
        self,
        lake: Lake,
        reports: ReportFiles,
        warehouse: WarehouseResource,
        stage: Callable[[Path, Path], "StageSummary"],
        change: Change,
        check: Callable[["AccumulationFiles"], Checked] | None = None,
    ) -> tuple[Arrival, Decision]:
        """Add the rows of the source's files to those that are known; publish the result, or refuse it.

        A second run of the same assets waits, so that it adds to what this one publishes.

        Args:
            lake: where the rows are published.
            reports: where the reports about them are published.
            warehouse: adds rows.
            stage: writes typed and quarantined rows of the files to two paths.
            change: what the run may take away.
            check: further checks, of the rows that would count, those that would not, and those that lost their place.
        """
        from loan_platform.adapters.warehouse.accumulate import AccumulationFiles

        name = self.names[0]
        publisher = Publisher(self.book, name, lake, reports, f"{self.source}/")
        with (
            lake.one_writer(self.book.name, name),
            lake.candidates(self.book.name, self.names) as candidates,
            warehouse.scratch_folder() as scratch,
        ):
            known, history = (self._known(lake, asset) for asset in (name, self.names[2]))
            counting, quarantined, replaced = (candidates.paths[asset] for asset in self.names)
            out, arrived = (
                AccumulationFiles(counting, replaced, scratch / "superseded.parquet"),
                scratch / "new.parquet",
            )
            staged = stage(arrived, quarantined)
            counts = warehouse.accumulator().add(arrived, known, history, self._rules(change), out)
            checked = check_staging(self.book, name, staged).also(self._changes(Arrival(staged, counts), change))
            checked = checked.also(check(out)) if check else checked
            if self.rules:
                title = f"{self.book.name} {name}"
                found = check_contract(self.book, name, self.rules, arrived, staged.missing_optional, title)
                checked = checked.also(found)
            return Arrival(staged, counts), publisher.decide(candidates, checked)

    def materializations(self, arrival: Arrival, **more: Any) -> Iterator[dg.MaterializeResult]:
        """The three assets; `more` is metadata of the rows that count."""
        (accepted, quarantined), counts = staged_metadata(arrival.staged), arrival.counts
        changed = {name: getattr(counts, name) for name in ("added", "unchanged", "replacing", "outranked", "removed")}
        about: dict[str, Any] = {"dagster/row_count": counts.rows, "rows_accepted": arrival.staged.accepted}
        lost: dict[str, Any] = {"rows_of_this_run": counts.replacing + counts.outranked + counts.removed}
        for name, metadata in zip(self.names, (accepted | about | changed | more, quarantined, lost), strict=True):
            yield dg.MaterializeResult(asset_key=asset_key(self.book, name), metadata=metadata)

    def _known(self, lake: Lake, asset: str) -> Path | None:
        return lake.path(self.book.name, asset) if lake.exists(self.book.name, asset) else None

    def _rules(self, change: Change) -> "KeyRules":
        from loan_platform.adapters.warehouse.accumulate import KeyRules

        source = self.book.sources[self.source]
        return KeyRules(
            key=self.key,
            same_key=source.same_key,
            latest_by=LATEST_BY if source.latest_by else None,
            not_compared=self.not_compared,
            batch=batch_sql(self.book) if self.dated else f"'{WHOLE}'",
            replace=change.replace,
        )

    def _changes(self, arrival: Arrival, change: Change) -> Checked:
        counts, results = arrival.counts, [self._nothing_lost(arrival, change)]
        if self.book.sources[self.source].same_key == "refuse":
            told = f"{counts.outranked:,} rows have the key of another row with other values."
            results.append(self._result("one_row_per_key", counts.outranked == 0, told))
        return Checked(tuple(results), frozenset(str(result.check_name) for result in results))

    def _nothing_lost(self, arrival: Arrival, change: Change) -> dg.AssetCheckResult:
        """Whether what is gone was to go."""
        name, counts = "no_batch_shrinks" if self.dated else "no_rows_lost", arrival.counts
        if counts.removed and arrival.staged.quarantined and not change.ignore_quarantined:
            told = f"{counts.removed:,} rows would be removed because the files lack them. But "
            told += f"{arrival.staged.quarantined:,} rows of the files are quarantined, and may be among them. Correct "
            told += "those first, or set `ignore_quarantined: true` beside `replace`."
            return self._result(name, False, told)
        shrunk = [batch for batch in counts.shrunk if self.dated and not change.allows(batch[0])]
        keys = batch_keys(self.book)  # a row that was dated outside the partitions is in no batch
        shrunk = [batch for batch in shrunk if keys is None or batch[0] in keys]
        found = ", ".join(f"{batch}: {before:,} -> {rows:,} rows" for batch, before, rows in shrunk[:MAX_SHOWN])
        more = f" and {len(shrunk) - MAX_SHOWN} more" if len(shrunk) > MAX_SHOWN else ""
        if shrunk:
            told = (
                f"{found}{more}, because the files give known rows another date. Name the batches in `may_shrink` of "
            )
            return self._result(name, False, f"{told}the run's configuration if that is right.")
        told = f"{counts.removed:,} rows were removed, as the run was told." if counts.removed else "No row is lost."
        return self._result(name, True, told)

    def _result(self, check: str, passed: bool, told: str) -> dg.AssetCheckResult:
        key = asset_key(self.book, self.names[0])
        return dg.AssetCheckResult(asset_key=key, check_name=check, passed=passed, description=told)
