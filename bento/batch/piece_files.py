"""The files of a split input: lines of a bounded length, in pieces of a bounded size."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from loan_platform.adapters.csv_files.blocks import MAX_RECORD_BYTES

PIECE_ROWS = 50_000
PIECE_BYTES = 16 << 20


def bounded_lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines without their line ends. A line that is too long is cut just above the limit, to bound the memory."""
    while line := file.readline(MAX_RECORD_BYTES + 3):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(MAX_RECORD_BYTES)
        yield line.rstrip(b"\r\n")


class PieceFiles(io.RawIOBase):
    """Takes whole lines, and starts a new file after `PIECE_BYTES` or `PIECE_ROWS`."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._file, self._size, self._rows, self.count = folder, None, 0, 0, 0

    def write(self, data: Any) -> int:
        """Write whole lines. Returns the number of bytes."""
        if self._file is None or self._size > PIECE_BYTES or self._rows >= PIECE_ROWS:
            if self._file is not None:
                self._file.close()
            self._file, self._size, self._rows = (self._folder / str(self.count)).open("wb"), 0, 0
            self.count += 1
        self._size += len(data)
        self._rows += data.count(b"\n")
        return self._file.write(data)

    def close(self) -> None:
        """Close the last file."""
        if self._file is not None:
            self._file.close()
        super().close()
