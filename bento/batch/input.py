"""The input of a batch job, split into pieces of one frame each."""

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
TOO_LONG = f"the line is longer than {MAX_RECORD_BYTES:,} bytes"


class UnreadableFileError(ExplainedError, ValueError):
    """The input cannot be read at all. The message says why."""


class Pieces:
    """The input of a job, split once and then read piece by piece.

    Args:
        folder: of the job; it contains `input`.
        media: one of `MEDIA`.
        reader: checks and types the rows.
        max_bytes: of a text file after decompression.
    """

    def __init__(self, folder: Path, media: str, reader: FrameReader, max_bytes: int) -> None:
        self._folder, self._media, self._reader, self._max_bytes = folder, media, reader, max_bytes
        self._lines = folder / "lines"
        self._split: dict[str, Any] = {}

    def split(self) -> tuple[int, int | None]:
        """Split the input. Returns the number of pieces, and the number of rows if it is known without reading them.

        Raises:
            UnreadableFileError: the file has another format, or columns that no application has.
        """
        if self._media == PARQUET:
            return self._split_parquet()
        done = self._folder / "lines.json"
        if not done.exists():
            self._lines.mkdir(exist_ok=True)
            try:
                split = self._split_csv() if self._media == CSV else self._split_lines()
            except SourceError as error:  # its remedies are for sources of the graph
                raise UnreadableFileError(f"The file {error.message}.") from None
            atomic_write(done, json.dumps(split))
        self._split = json.loads(done.read_bytes())
        return self._split["pieces"], None

    def read(self, piece: int) -> ReadRows:
        """The rows of a piece, and the rejected ones.

        Raises:
            UnreadableFileError: the Parquet file is damaged.
        """
        if self._media == PARQUET:
            try:
                rows = pl.scan_parquet(self._folder / "input").slice(piece * PIECE_ROWS, PIECE_ROWS).collect()
            except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
                raise UnreadableFileError(f"The file is damaged at or after row {piece * PIECE_ROWS + 1:,}.") from None
            return self._reader.read(rows.with_row_index(ROW, piece * PIECE_ROWS + 1).cast({ROW: pl.Int64}), False)
        path = self._lines / str(piece)
        if self._media == CSV:
            names = [ROW, *self._split["names"]]
            raw = (
                pl.read_csv(path, has_header=False, new_columns=names, infer_schema=False)
                if path.stat().st_size
                else pl.DataFrame(schema=dict.fromkeys(names, pl.String))
            )
            # Row 1 is the first line below the header.
            read = self._reader.read(raw.with_columns(pl.col(ROW).cast(pl.Int64) - 1), True)
            return read if piece else _with_rejected(read, self._rejected())
        return self._read_lines(path)

    def _split_parquet(self) -> tuple[int, int | None]:
        try:
            lazy = pl.scan_parquet(self._folder / "input")
            names, rows = lazy.collect_schema().names(), cast("int", lazy.select(pl.len()).collect().item())
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
            raise UnreadableFileError("The file is not Parquet.") from None
        self._check_columns(names)
        return max(-(-rows // PIECE_ROWS), 1), rows

    def _check_columns(self, names: Sequence[str]) -> None:
        try:
            self._reader.check_columns([name for name in names if name != ROW])
            if ROW in names:
                raise UnreadableFileError(
                    f"The column name {ROW} is reserved for answers: rename or remove the column."
                )
        except ApplicationError as error:
            unknown = [f"{i.path} {i.detail}" for i in error.issues if i.code == "unknown_field"]
            raise UnreadableFileError(f"Unknown columns: {'; '.join(unknown)}") from None

    def _split_csv(self) -> dict[str, Any]:
        path = self._folder / "input"
        first = next(blocks(path, self._max_bytes)).partition(b"\n")[0].decode("utf-8", "replace")
        try:
            names = next(csv.reader([first]), [])
        except csv.Error:
            raise UnreadableFileError("The first line of the file does not name columns.") from None
        if not names:
            raise UnreadableFileError("The file is empty: its first line must name the columns.")
        check_unique("The file", names)
        self._check_columns(names)
        pieces = _PieceFiles(self._lines)
        with closing(pieces), (self._folder / "rejects").open("wb") as rejects:
            header = Header(1, ",", tuple(names))
            clean = cast("BinaryIO", pieces)
            CsvRecordSplitter("The file", header, clean, cast("BinaryIO", rejects), 10**9).split(
                blocks(path, self._max_bytes)
            )
        if not pieces.count:  # no line is valid: the rejected lines are reported with the first piece
            (self._lines / "0").touch()
        return {"pieces": pieces.count or 1, "names": names}

    def _rejected(self) -> pl.DataFrame:
        lines = (self._folder / "rejects").read_text().splitlines()
        found = [line.split("\t", 1) for line in lines]
        rows = [(int(number) - 1, "", "malformed_line", why) for number, why in found]
        return pl.DataFrame(rows, schema=REJECTIONS, orient="row")

    def _split_lines(self) -> dict[str, Any]:
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
        for line in path.read_bytes().split(b"\n"):  # a carriage return is part of a row
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
                keys.append(reader.key_of(values))
            except ApplicationError as error:
                problems += [(int(number), i.path, i.code, i.detail) for i in error.issues]
            except HttpError as error:
                field = error.errors[0].path if error.errors else ""
                problems.append((int(number), field, error.code, error.detail))
        frame = reader.frame(inputs) if inputs else pl.DataFrame(schema=reader.schema)
        refused = pl.DataFrame(problems, schema=REJECTIONS, orient="row")
        return ReadRows(pl.Series(ROW, rows, pl.Int64), pl.Series(KEY, keys, pl.String), frame, refused)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines without their line ends. A line that is too long is cut just above the limit, to bound the memory."""
    while line := file.readline(MAX_RECORD_BYTES + 3):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(MAX_RECORD_BYTES)
        yield line.rstrip(b"\r\n")


class _PieceFiles(io.RawIOBase):
    """Takes whole lines, and starts a new file after `PIECE_BYTES`."""

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


def _with_rejected(read: ReadRows, more: pl.DataFrame) -> ReadRows:
    return ReadRows(read.rows, read.keys, read.frame, pl.concat([read.rejected, more]).sort(ROW))


def json_lines(body: bytes) -> Iterator[bytes]:
    """The applications of a JSON body, one line each. The body is a list or `{"applications": [...]}`.

    Raises:
        HttpError: 400 if it is not JSON, 422 if it has another form.
    """
    wrapped = body if body.lstrip()[:1] == b"{" else b'{"applications":' + body + b"}"
    value = json_object(wrapped)
    rows = value.get("applications")
    if list(value) != ["applications"] or not isinstance(rows, list) or not rows:
        detail = 'Send a list of at least one application, or {"applications": [...]}.'
        raise HttpError(422, "unknown_form", detail)
    for row in cast("list[Any]", rows):
        yield json.dumps(row, ensure_ascii=True).encode()
