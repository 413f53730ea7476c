"""Raw files of a source, read and staged in one step, for sources whose raw rows nobody else reads."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

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
