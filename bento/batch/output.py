"""Sends the answers and rejected rows of a batch job: one page of rows, or all rows as a file."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import polars as pl
from starlette.responses import FileResponse, Response, StreamingResponse

from bento.batch.input import CSV, NDJSON, PARQUET

TABLES = (CSV, PARQUET)
FORMATS = {"ndjson": NDJSON, "csv": CSV, "parquet": PARQUET}
SLICE_ROWS = 20_000
# Spreadsheets skip blanks, and read the wide forms too.
FORMULA = r"^[\s\x00]*[=+\-@\t\r\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]"
NUMBER = r"^[+-]?[0-9]+([.,][0-9]+)?$"


def read_page(path: Path, offset: int, limit: int) -> list[dict[str, Any]]:
    """At most `limit` rows of a file after its first `offset` rows."""
    return pl.scan_parquet(path).slice(offset, limit).collect().to_dicts()


def file_response(path: Path, name: str, form: str) -> Response:
    """All rows of a file in one of `FORMATS`, sent in slices."""
    headers = {"content-disposition": f'attachment; filename="{name}.{form}"'}
    if form == "parquet":
        return FileResponse(path, media_type=PARQUET, headers=headers)
    return StreamingResponse(_in_threads(file_slices(path, form == "csv")), media_type=FORMATS[form], headers=headers)


def file_slices(path: Path, as_csv: bool) -> Iterator[bytes]:
    """All rows of a file in pieces, as CSV or as lines of JSON."""
    frame, offset = pl.scan_parquet(path), 0
    while True:
        rows = frame.slice(offset, SLICE_ROWS).collect()
        if rows.height or (as_csv and not offset):
            yield _as_csv(rows, offset == 0) if as_csv else _as_lines(rows)
        if rows.height < SLICE_ROWS:
            return
        offset += SLICE_ROWS


def _as_csv(rows: pl.DataFrame, header: bool) -> bytes:
    for name in (name for name, dtype in rows.schema.items() if dtype.is_nested()):  # CSV has no lists
        cells = [json.dumps(value, ensure_ascii=False) for value in rows[name].to_list()]
        rows = rows.with_columns(pl.Series(name, cells, pl.String))
    written = io.BytesIO()
    _without_formulas(rows).write_csv(written, include_header=header)
    return written.getvalue()


def _without_formulas(rows: pl.DataFrame) -> pl.DataFrame:
    """An apostrophe before each text that a spreadsheet would run. Numbers are not changed."""
    texts = pl.col(pl.String)
    runs = texts.str.contains(FORMULA) & ~texts.str.contains(NUMBER)
    return rows.with_columns(pl.when(runs).then(pl.lit("'") + texts).otherwise(texts).name.keep())


def _as_lines(rows: pl.DataFrame) -> bytes:
    written = io.BytesIO()
    rows.write_ndjson(written)
    return written.getvalue()


async def _in_threads(slices: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (part := await asyncio.to_thread(next, slices, None)) is not None:
        yield part
