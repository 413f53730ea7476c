"""Raw files of a source, read and staged in one step, for sources whose raw rows nobody else reads."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import dagster as dg

from loan_platform.assets.graph import key
from loan_platform.assets.platform import Platform
from loan_platform.core.portfolio import Portfolio

if TYPE_CHECKING:
    from loan_platform.adapters.warehouse import StageSummary


def stage_source(
    platform: Platform, book: Portfolio, source: str, outputs: tuple[str, str], outcomes: bool = False
) -> "StageSummary":
    """Publish the accepted and the quarantined rows of a source under two asset names.

    Args:
        platform: lake and warehouse.
        book: whose contract types the rows.
        source: name in the book's sources.
        outputs: asset names of accepted and quarantined rows.
        outcomes: stage only key and target, as a file of later outcomes has them.

    Raises:
        SourceError: a file as a whole cannot be used.
    """
    policy, files = platform.source_files(book, source)
    warehouse = platform.warehouse
    with (
        TemporaryDirectory(dir=platform.settings.cache) as folder,
        platform.lake.publish_together(book.name, outputs) as out,
    ):
        raw, rejects = Path(folder, "raw.parquet"), Path(folder, "rejects.parquet")
        warehouse.read_raw(files, book.contract, policy, raw, rejects, outcomes=outcomes)
        return warehouse.stage(raw, rejects, book.contract, out[outputs[0]], out[outputs[1]], outcomes=outcomes)


def staging_checks(book: Portfolio, asset: str) -> Iterator[dg.AssetCheckSpec]:
    """Blocking checks of an asset that is staged from files."""
    loans = key(book, asset)
    yield dg.AssetCheckSpec(
        "rows_reconcile", asset=loans, blocking=True, description="Rows in = accepted + quarantined, exactly."
    )
    yield dg.AssetCheckSpec(
        "quarantine_within_policy",
        asset=loans,
        blocking=True,
        description=f"At most {book.quarantine.max_share:.1%} of the rows are quarantined.",
    )


def staging_results(book: Portfolio, asset: str, staged: "StageSummary") -> Iterator[dg.AssetCheckResult]:
    """What `staging_checks` found."""
    loans, out = key(book, asset), staged.accepted + staged.quarantined
    yield dg.AssetCheckResult(
        asset_key=loans,
        check_name="rows_reconcile",
        passed=staged.rows_in == out,
        description=f"{staged.rows_in:,} in, {staged.accepted:,} + {staged.quarantined:,} out.",
        metadata={"rows_in": staged.rows_in, "accepted": staged.accepted, "quarantined": staged.quarantined},
    )
    share = staged.quarantined / max(staged.rows_in, 1)
    yield dg.AssetCheckResult(
        asset_key=loans,
        check_name="quarantine_within_policy",
        passed=share <= book.quarantine.max_share,
        description=f"{share:.2%} of the rows are quarantined, {book.quarantine.max_share:.1%} are allowed.",
        metadata={"share": share, "allowed": book.quarantine.max_share},
    )
