"""The rows of a batch job's input, in pieces of one frame each."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO, cast

import polars as pl

from bento.http.bodies import json_object
from bento.http.problems import HttpError
from loan_platform.adapters.csv_files.blocks import MAX_RECORD_BYTES, blocks
from loan_platform.adapters.csv_files.header import Header, check_unique
from loan_platform.adapters.csv_files.record_splitter import CsvRecordSplitter
from loan_platform.adapters.storage.atomic_files import atomic_write
from loan_platform.core.applications.frame_reader import KEY, REJECTIONS, ROW, FrameReader, ReadRows
from loan_platform.core.applications.reader import ApplicationError
from loan_platform.core.errors import ExplainedError, SourceError

JSON, NDJSON, CSV, PARQUET = "application/json", "application/x-ndjson", "text/csv", "application/vnd.apache.parquet"
MEDIA = (JSON, NDJSON, CSV, PARQUET)
BOM = b"\xef\xbb\xbf"
PIECE_ROWS = 50_000
PIECE_BYTES = 16 << 20
TOO_LONG = f"the record is longer than {MAX_RECORD_BYTES:,} bytes"


class InputError(ExplainedError, ValueError):
    """A file that cannot be read at all; the message says why."""


class Pieces:
    """The input of a job, cut into pieces once and read piece by piece.

    Args:
        folder: of the job; it has `input`.
        media: one of `MEDIA`.
        reader: checks and types the rows.
        most_bytes: of a text file when unpacked.
    """

    def __init__(self, folder: Path, media: str, reader: FrameReader, most_bytes: int) -> None:
        self._folder, self._media, self._reader, self._most_bytes = folder, media, reader, most_bytes
        self._lines = folder / "lines"
        self._told: dict[str, Any] = {}

    def cut(self) -> tuple[int, int | None]:
        """Number of pieces, and of rows where that is known without reading them.

        Raises:
            InputError: the file is none of its type, or has columns that no application has.
        """
        if self._media == PARQUET:
            return self._of_parquet()
        done = self._folder / "lines.json"
        if not done.exists():
            self._lines.mkdir(exist_ok=True)
            try:
                told = self._cut_csv() if self._media == CSV else self._cut_lines()
            except SourceError as error:  # whose remedies are for sources of the graph
                raise InputError(f"The file {error.message}.") from None
            atomic_write(done, json.dumps(told))
        self._told = json.loads(done.read_bytes())
        return self._told["pieces"], None

    def read(self, piece: int) -> ReadRows:
        """The rows of a piece, and those that were refused.

        Raises:
            InputError: they are of a Parquet file, and damaged.
        """
        if self._media == PARQUET:
            try:
                rows = pl.scan_parquet(self._folder / "input").slice(piece * PIECE_ROWS, PIECE_ROWS).collect()
            except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
                raise InputError(f"The file is damaged at or after row {piece * PIECE_ROWS + 1:,}.") from None
            return self._reader.read(rows.with_row_index(ROW, piece * PIECE_ROWS + 1).cast({ROW: pl.Int64}), False)
        path = self._lines / str(piece)
        if self._media == CSV:
            names = [ROW, *self._told["names"]]
            raw = (
                pl.read_csv(path, has_header=False, new_columns=names, infer_schema=False)
                if path.stat().st_size
                else pl.DataFrame(schema=dict.fromkeys(names, pl.String))
            )
            # Lines of the file are told from 1 below the header, as a person counts rows.
            read = self._reader.read(raw.with_columns(pl.col(ROW).cast(pl.Int64) - 1), True)
            return read if piece else _with(read, self._rejected())
        return self._read_lines(path)

    def _of_parquet(self) -> tuple[int, int | None]:
        try:
            lazy = pl.scan_parquet(self._folder / "input")
            names, rows = lazy.collect_schema().names(), cast("int", lazy.select(pl.len()).collect().item())
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
            raise InputError("The file is not Parquet.") from None
        self._check(names)
        return max(-(-rows // PIECE_ROWS), 1), rows

    def _check(self, names: Sequence[str]) -> None:
        try:
            self._reader.check_columns([name for name in names if name != ROW])
            if ROW in names:
                raise InputError(f"A column is called {ROW}, which answers use: rename or remove it.")
        except ApplicationError as error:
            told = [f"{i.path} {i.detail}" for i in error.issues if i.code == "unknown_field"]
            raise InputError(f"Columns that no application has: {'; '.join(told)}") from None

    def _cut_csv(self) -> dict[str, Any]:
        path = self._folder / "input"
        first = next(blocks(path, self._most_bytes)).partition(b"\n")[0].decode("utf-8", "replace")
        try:
            names = next(csv.reader([first]), [])
        except csv.Error:
            raise InputError("The first line of the file does not name columns.") from None
        if not names:
            raise InputError("The file is empty: its first line names the columns.")
        check_unique("The file", names)
        self._check(names)
        pieces = _PieceFiles(self._lines)
        with closing(pieces), (self._folder / "rejects").open("wb") as rejects:
            header = Header(1, ",", tuple(names))
            clean = cast("BinaryIO", pieces)
            CsvRecordSplitter("The file", header, clean, cast("BinaryIO", rejects), 10**9).split(
                blocks(path, self._most_bytes)
            )
        if not pieces.count:  # no line is sound, and what is wrong with the others is told with the first piece
            (self._lines / "0").touch()
        return {"pieces": pieces.count or 1, "names": names}

    def _rejected(self) -> pl.DataFrame:
        lines = (self._folder / "rejects").read_text().splitlines()
        found = [line.split("\t", 1) for line in lines]
        rows = [(int(number) - 1, "", "malformed_line", why) for number, why in found]
        return pl.DataFrame(rows, schema=REJECTIONS, orient="row")

    def _cut_lines(self) -> dict[str, Any]:
        pieces = _PieceFiles(self._lines)
        with closing(pieces), (self._folder / "input").open("rb") as file:
            for number, line in enumerate(_lines(file), start=1):
                pieces.write(b"%d\t%b\n" % (number, line.removeprefix(BOM) if number == 1 else line))
        return {"pieces": pieces.count}

    def _read_lines(self, path: Path) -> ReadRows:
        rows: list[int] = []
        keys: list[str | None] = []
        inputs: list[list[Any]] = []
        problems: list[tuple[int, str, str, str]] = []
        reader = self._reader.one
        for line in path.read_bytes().split(b"\n"):  # a carriage return may stand in JSON, and begins no row
            number, _, text = line.partition(b"\t")
            if not text.strip():
                continue
            if len(text) > MAX_RECORD_BYTES:
                problems.append((int(number), "", "malformed_line", TOO_LONG))
                continue
            try:
                values = json_object(text)
                inputs.append(reader.inputs(values))
                rows.append(int(number))
                keys.append(None if (key := values.get(reader.key)) is None else str(key))
            except ApplicationError as error:
                problems += [(int(number), i.path, i.code, i.detail) for i in error.issues]
            except HttpError as error:
                field = error.errors[0].path if error.errors else ""
                problems.append((int(number), field, error.code, error.detail))
        frame = reader.frame(inputs) if inputs else pl.DataFrame(schema=reader.schema)
        refused = pl.DataFrame(problems, schema=REJECTIONS, orient="row")
        return ReadRows(pl.Series(ROW, rows, pl.Int64), pl.Series(KEY, keys, pl.String), frame, refused)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines without their ends; of one that is too long only so much that this can be seen, whatever a file holds."""
    while line := file.readline(MAX_RECORD_BYTES + 3):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(MAX_RECORD_BYTES)
        yield line.rstrip(b"\r\n")


class _PieceFiles(io.RawIOBase):
    """Takes whole lines, and begins a new file after so many bytes."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._file, self._size, self.count = folder, None, 0, 0

    def write(self, data: Any) -> int:
        if self._file is None or self._size > PIECE_BYTES:
            if self._file is not None:
                self._file.close()
            self._file, self._size = (self._folder / str(self.count)).open("wb"), 0
            self.count += 1
        self._size += len(data)
        return self._file.write(data)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()


def _with(read: ReadRows, more: pl.DataFrame) -> ReadRows:
    return ReadRows(read.rows, read.keys, read.frame, pl.concat([read.rejected, more]).sort(ROW))


def json_lines(body: bytes) -> Iterator[bytes]:
    """The applications of a JSON body, a line for each: those of a list, or of `{"applications": [...]}`.

    Raises:
        HttpError: 400 where it is no JSON, 422 where it is neither.
    """
    wrapped = body if body.lstrip()[:1] == b"{" else b'{"applications":' + body + b"}"
    value = json_object(wrapped)
    rows = value.get("applications")
    if list(value) != ["applications"] or not isinstance(rows, list) or not rows:
        detail = 'Send a list of applications, or {"applications": [...]}; at least one.'
        raise HttpError(422, "unknown_form", detail)
    for row in cast("list[Any]", rows):
        yield json.dumps(row, ensure_ascii=True).encode()
