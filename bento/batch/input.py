"""The input of a batch job, split into pieces of one frame each."""

import csv
import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import polars as pl

from bento.batch.piece_files import PIECE_ROWS, PieceFiles, bounded_lines
from bento.batch.raw_columns import RawColumns
from bento.http.bodies import Row, json_object, json_value
from bento.http.problems import HttpError
from loan_platform.adapters.csv_files.blocks import MAX_RECORD_BYTES, blocks
from loan_platform.adapters.csv_files.header import Header, check_unique
from loan_platform.adapters.csv_files.record_splitter import CsvRecordSplitter
from loan_platform.adapters.storage.atomic_files import atomic_write, remove
from loan_platform.core.applications.frame_reader import KEY, REJECTIONS, ROW, FrameReader, ReadRows
from loan_platform.core.applications.reader import ApplicationError
from loan_platform.core.errors import ExplainedError, SourceError

JSON, NDJSON, CSV, PARQUET = "application/json", "application/x-ndjson", "text/csv", "application/vnd.apache.parquet"
MEDIA = (JSON, NDJSON, CSV, PARQUET)
LISTS = ("applications", "instances")  # fields of a JSON body that may hold the list
ENCODING = "Send CSV in UTF-8."
TOO_LONG = f"the line is longer than {MAX_RECORD_BYTES:,} bytes"


Steps = Generator[None, None, dict[str, Any]]


class UnreadableFileError(ExplainedError, ValueError):
    """The input cannot be read at all. The message says why."""


class InputLimits(NamedTuple):
    """How large an input may be.

    Attributes:
        max_bytes: of a text file after decompression.
        max_rows: of any file.
    """

    max_bytes: int
    max_rows: int

    def check_rows(self, rows: int) -> None:
        """Check a number of rows.

        Raises:
            UnreadableFileError: there are too many.
        """
        if rows > self.max_rows:
            raise UnreadableFileError(f"The file has more than the allowed {self.max_rows:,} rows. Send several files.")


class Pieces:
    """The input of a job, split once and then read piece by piece.

    Args:
        folder: of the job; it contains `input`.
        media: one of `MEDIA`.
        reader: checks and types the rows.
        limits: of the file.
        raw: the lender's own columns.
        columns: `contract` or `raw`, if the client said which ones the file has.
    """

    def __init__(
        self,
        folder: Path,
        media: str,
        reader: FrameReader,
        limits: InputLimits,
        raw: RawColumns,
        columns: str | None = None,
    ) -> None:
        self._folder, self._media, self._reader, self._limits = folder, media, reader, limits
        self._raw, self._columns = raw, columns
        self._lines = folder / "lines"
        self._split: dict[str, Any] = {}

    @property
    def count(self) -> int:
        """Number of pieces of an input that is split."""
        return self._split["pieces"]

    @property
    def rows(self) -> int | None:
        """Number of rows of an input that is split, if it is known without reading them."""
        return self._split.get("rows")

    def split(self) -> Iterator[None]:
        """Split the input, with pauses in which other jobs may be worked on.

        Raises:
            UnreadableFileError: the file has another format, too many rows, or columns that no application has.
        """
        done = self._folder / "lines.json"
        if not done.exists():
            remove(self._lines)  # of a process that was killed
            self._lines.mkdir()
            split = {CSV: self._split_csv, PARQUET: self._split_parquet}.get(self._media, self._split_lines)
            try:
                found = yield from split()
            except SourceError as error:  # its remedies are for sources of the graph
                expected = f" {ENCODING}" if "UTF" in error.message else ""
                raise UnreadableFileError(f"The file {error.message}.{expected}") from None
            atomic_write(done, json.dumps(found))
        self._split = json.loads(done.read_bytes())

    def read(self, piece: int) -> ReadRows:
        """The rows of a piece, and the rejected ones.

        Raises:
            UnreadableFileError: the Parquet file is damaged.
        """
        if self._split.get("raw"):
            return self._raw.read(self._lines, piece * PIECE_ROWS, PIECE_ROWS)
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

    def _split_parquet(self) -> Steps:
        path = self._folder / "input"
        try:
            lazy = pl.scan_parquet(path)
            names, rows = lazy.collect_schema().names(), cast("int", lazy.select(pl.len()).collect().item())
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
            raise UnreadableFileError("The file is not Parquet.") from None
        self._limits.check_rows(rows)
        yield
        if self._is_raw(names, names):
            return self._stage(path)
        return {"pieces": max(-(-rows // PIECE_ROWS), 1), "rows": rows}

    def _is_raw(self, names: Sequence[str], raw_names: Sequence[str]) -> bool:
        """Whether a file is read in the lender's columns; if not, all its columns are the contract's.

        A file whose columns are all the contract's is read as that, because clients send such files.

        Args:
            names: in the header, as the contract's columns are read.
            raw_names: in the header, as the lender's columns are read.

        Raises:
            UnreadableFileError: the header fits neither.
        """
        if self._columns == "raw":
            return True
        unknown = [name for name in names if name not in self._reader.one.columns and name != ROW]
        if self._columns is None and (not names or unknown or ROW in names) and self._raw.fit(raw_names):
            return True
        if ROW in names and not unknown:
            raise UnreadableFileError(f"The column name {ROW} is reserved for answers: rename or remove the column.")
        try:
            self._reader.check_columns(unknown)
        except ApplicationError as error:
            why = "; ".join(f"{i.path} {i.detail}" for i in error.issues if i.code == "unknown_field")
            end = "" if why.endswith(("?", ".")) else "."
            lacking = self._raw.lacking(names, raw_names)
            raise UnreadableFileError(f"Unknown columns: {why}{end} {lacking}") from None
        return False

    def _stage(self, path: Path) -> dict[str, Any]:
        accepted = self._raw.stage(path, self._lines, *self._limits)
        return {"pieces": max(-(-accepted // PIECE_ROWS), 1), "raw": True}

    def _split_csv(self) -> Steps:
        path = self._folder / "input"
        first = next(blocks(path, self._limits.max_bytes)).partition(b"\n")[0].decode("utf-8", "replace")
        try:
            names = next(csv.reader([first]), [])
        except csv.Error:
            raise UnreadableFileError("The first line of the file does not name columns.") from None
        if "\ufffd" in first:
            raise UnreadableFileError(f"The first line of the file is not UTF-8 text. {ENCODING}")
        if self._is_raw(names, self._raw.names(path, self._limits.max_bytes)):
            return self._stage(path)
        if not names:
            raise UnreadableFileError("The file is empty: its first line must name the columns.")
        check_unique("The file", names)
        pieces = PieceFiles(self._lines)
        with closing(pieces), (self._folder / "rejects").open("wb") as rejects:
            header = Header(1, ",", tuple(names))
            clean = cast("BinaryIO", pieces)
            splitter = CsvRecordSplitter("The file", header, clean, cast("BinaryIO", rejects), self._limits.max_rows)
            yield from splitter.steps(blocks(path, self._limits.max_bytes))
        if not pieces.count:  # no line is valid: the rejected lines are reported with the first piece
            (self._lines / "0").touch()
        return {"pieces": pieces.count or 1, "names": names}

    def _rejected(self) -> pl.DataFrame:
        lines = (self._folder / "rejects").read_text().splitlines()
        found = [line.split("\t", 1) for line in lines]
        rows = [(int(number) - 1, "", "malformed_line", why) for number, why in found]
        return pl.DataFrame(rows, schema=REJECTIONS, orient="row")

    def _split_lines(self) -> Steps:
        pieces, number = PieceFiles(self._lines), 0
        with closing(pieces), (self._folder / "input").open("rb") as file:
            for number, line in enumerate(bounded_lines(file), start=1):
                pieces.write(b"%d\t%b\n" % (number, line))
                if number % PIECE_ROWS == 0:
                    self._limits.check_rows(number)
                    yield
        self._limits.check_rows(number)
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
                typed, key = reader.inputs(values), reader.key_of(values)
            except ApplicationError as error:
                problems += [(int(number), i.path, i.code, i.detail) for i in error.issues]
            except HttpError as error:
                field = error.errors[0].path if error.errors else ""
                problems.append((int(number), field, error.code, error.detail))
            else:
                rows.append(int(number))
                keys.append(key)
                inputs.append(typed)
        frame = reader.frame(inputs) if inputs else pl.DataFrame(schema=reader.schema)
        refused = pl.DataFrame(problems, schema=REJECTIONS, orient="row")
        return self._reader.checked(
            ReadRows(pl.Series(ROW, rows, pl.Int64), pl.Series(KEY, keys, pl.String), frame, refused)
        )


def _with_rejected(read: ReadRows, more: pl.DataFrame) -> ReadRows:
    return ReadRows(read.rows, read.keys, read.frame, pl.concat([read.rejected, more]).sort(ROW))


def json_lines(body: bytes) -> Iterator[bytes]:
    """The applications of a JSON body, one line each. The body is a list, or an object whose one field is the list.

    Raises:
        HttpError: 400 if it is not JSON, 422 if it has another form.
    """
    value = json_value(body)
    if isinstance(value, dict) and len(cast("Row", value)) == 1:
        value = next((value[name] for name in LISTS if name in value), None)
    if not isinstance(value, list) or not value:
        forms = " or ".join(f'{{"{name}": [...]}}' for name in LISTS)
        detail = f"Send a list of at least one application, or {forms} with no other field."
        raise HttpError(422, "unknown_form", detail)
    for row in cast("list[Any]", value):
        yield json.dumps(row, ensure_ascii=True).encode()
