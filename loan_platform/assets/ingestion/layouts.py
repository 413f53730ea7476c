"""Tell when the files of one source have different columns: rows of some files then lack values."""

from typing import TYPE_CHECKING

import dagster as dg

from loan_platform.core.plain_text import markdown_text

if TYPE_CHECKING:  # imports DuckDB
    from loan_platform.adapters.sources.layouts import FileLayout
    from loan_platform.adapters.warehouse.warehouse import RawSummary

MAX_SHOWN = 20


def tell_layouts(context: dg.AssetExecutionContext, asset: dg.AssetKey, read: "RawSummary") -> None:
    """Log the files whose columns differ from the others', and list them in the asset's metadata."""
    from loan_platform.adapters.sources.layouts import layout_differences

    differing = layout_differences(read.layouts)
    if not differing:
        return
    context.log.warning(
        f"{len(differing)} of {len(read.layouts)} files differ in the columns that the contract reads. "
        f"Rows of a file that lacks a column have no value in it. {_shown(differing)}"
    )
    table = [
        f"| {markdown_text(layout.file)} | {markdown_text(', '.join(layout.lacks))} | "
        f"{markdown_text(', '.join(f'{n}: {other}' for n, other in layout.calls))} |"
        for layout in differing[:MAX_SHOWN]
    ]
    rows = ["| file | lacks | calls differently |", "| --- | --- | --- |", *table]
    context.add_asset_metadata({"files_that_differ": dg.MarkdownMetadataValue("\n".join(rows))}, asset_key=asset)


def _shown(differing: "tuple[FileLayout, ...]") -> str:
    more = f" And {len(differing) - MAX_SHOWN} more files." if len(differing) > MAX_SHOWN else ""
    return ". ".join(map(str, differing[:MAX_SHOWN])) + "." + more
