"""Generated raw files for a book that has none of its own."""

import sys
import time
from pathlib import Path
from typing import NamedTuple

from loan_platform.adapters.warehouse.sample_files import SCRIPT, write_sample
from loan_platform.cli.run_log import RunLog
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.sample_data.generators import GENERATORS
from loan_platform.settings.platform import PlatformSettings
from loan_platform.settings.source_files import source_override

SAMPLE_ROWS = 10_000


class GeneratedFiles(NamedTuple):
    """Whether a demo generated its files, and the run tags that name the batches of their applications."""

    any: bool
    tags: dict[str, str]


def write_demo_files(
    settings: PlatformSettings, book: Portfolio, folder: Path, rows: int | None, log: RunLog
) -> GeneratedFiles:
    """Generate the book's raw files, unless the environment names files or the book has no generator.

    Args:
        settings: where raw files go.
        book: whose files.
        folder: of the book, which may hold `sample.sql`.
        rows: loans to generate; None: the generator's own number.
        log: gets the seconds.

    Returns:
        Whether files were generated, and the batches of their applications.
    """
    generator, script = GENERATORS.get(book.name), folder / SCRIPT
    if any(source_override(book.name, source) for source in book.sources) or not (generator or script.is_file()):
        return GeneratedFiles(False, {})
    started = time.perf_counter()
    if generator:
        written = generator.write(settings.data / book.name, rows or generator.default_rows)
        tags = _range_tags(generator.first_batch, generator.last_batch)
    else:
        files = {name: settings.home / source.path for name, source in book.sources.items()}
        counts = write_sample(script, files, rows or SAMPLE_ROWS)
        written, tags = ", ".join(f"{count:,} {name}" for name, count in counts.items()), {}
    log.seconds["generate"] = time.perf_counter() - started
    sys.stderr.write(f"✓ generated in {log.seconds['generate']:.1f} s: {written}\n")
    return GeneratedFiles(True, tags)


def _range_tags(first: str, last: str) -> dict[str, str]:
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
