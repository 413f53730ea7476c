"""Split the lines of a CSV file into records and structural rejects, before DuckDB parses them.

DuckDB's own reject store is not enough: an unclosed quote swallows the rows after it, and mixed line ends stop the
reader.
"""

import re
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO

from loan_platform.adapters.csv_files.blocks import MAX_RECORD_BYTES, MAX_VALUE_BYTES, TOO_LONG_VALUE, is_utf8
from loan_platform.adapters.csv_files.header import Header
from loan_platform.core.errors import SourceError

MAX_RECORD_LINES = 100  # of one record with line ends in a quoted value
MIN_RECORDS = 1_000  # with fewer records, a file may have any share of rejects
_NOT_UTF8 = "the record is not UTF-8 text"
_BROKEN = "a value has a quote inside"
_QUOTED = re.compile(rb'(?:"[^"]*")+')


class CsvRecordSplitter:
    """Writes records to `clean`, each after its physical line number from 1, and other lines to `rejects`.

    A record with line ends in a quoted value gets the number of its first line. If a quote is not closed, only its
    line is rejected, and reading continues with the next line. Blank lines are skipped.

    A file without rows is an error, unless it `may_be_empty`. `read` are the names of the header whose values are read,
    and must not be too long; None: all.

    Attributes:
        rows: records written so far.
        rejected: lines rejected so far.
    """

    def __init__(
        self,
        file: str,
        header: Header,
        clean: BinaryIO,
        rejects: BinaryIO,
        max_rows: int,
        may_be_empty: bool = False,
        read: frozenset[str] | None = None,
    ) -> None:
        self.rows = 0
        self._blank = 0
        self._read = [i for i, name in enumerate(header.names) if read is None or name in read]
        self.rejected = 0
        self._not_utf8 = 0
        self._file = file
        self._header = header
        self._clean = clean
        self._rejects = rejects
        self._max_rows = max_rows
        self._may_be_empty = may_be_empty
        self._delimiter = header.delimiter.encode()
        self._fields = len(header.names)
        beside = re.escape(self._delimiter) + rb"\n"
        self._broken_quote = re.compile(rb'[^%b]"|"[^%b]' % (beside, beside))
        self._number = 0
        self._open: deque[tuple[int, bytes]] = deque()

    def split(self, blocks: Iterator[bytes]) -> None:
        """Split every line below the header.

        Raises:
            SourceError: more records than allowed, or most of them do not fit the header.
        """
        for _ in self.steps(blocks):
            pass

    def steps(self, blocks: Iterator[bytes]) -> Iterator[None]:
        """Split every line below the header, and pause after each block.

        Raises:
            SourceError: as `split`.
        """
        for block in blocks:
            lines = block.split(b"\n")
            lines.pop()
            self._sort(lines, plain=b"\x00" not in block and is_utf8(block))
            self._check_totals()
            yield
        while self._open:
            self._give_up_open()
        self._check_totals()
        if self.rows + self.rejected == 0 and not self._may_be_empty:
            raise SourceError(self._file, "has a header and no rows", "Give a file with rows.")

    def _sort(self, lines: list[bytes], plain: bool) -> None:
        good: list[bytes] = []
        delimiter, commas, number = self._delimiter, self._fields - 1, self._number
        for line in lines:
            number += 1
            if number <= self._header.last_line:
                continue
            if (
                (plain or (line.isascii() and b"\x00" not in line))
                and line.count(delimiter) == commas
                and b'"' not in line
                and len(line) <= MAX_VALUE_BYTES
                and not self._open
                and line
            ):
                good.append(b"%d%b%b\n" % (number, delimiter, line))
            elif not line and not self._open:
                self._blank += 1
            else:
                self._sort_odd(number, line, good)
        self._number = number
        self.rows += len(good)
        self._clean.write(b"".join(good))

    def _sort_odd(self, number: int, line: bytes, good: list[bytes]) -> None:
        waiting = deque([(number, line)])
        while waiting:
            number, line = waiting.popleft()
            if self._open:
                self._open.append((number, line))
                if line.count(b'"') % 2:
                    self._close(good, waiting)
                elif self._too_long():
                    self._give_up_first(waiting)
            elif line.count(b'"') % 2 and len(line) <= MAX_RECORD_BYTES:
                self._open.append((number, line))
            elif line.strip():
                self._accept_or_reject(number, line, good)
            else:
                self._blank += 1

    def _close(self, good: list[bytes], waiting: deque[tuple[int, bytes]]) -> None:
        """The open lines now have an even number of quotes: they are one record, or a quote was never closed."""
        number, record = self._open[0][0], b"\n".join(line for _, line in self._open)
        problem = self._misshapen(record)
        between = list(self._open)[1:-1]
        if problem == _BROKEN or (problem and not all(self._misshapen(line) for _, line in between)):
            self._give_up_first(waiting)
            return
        self._open.clear()
        self._accept_or_reject(number, record, good)

    def _too_long(self) -> bool:
        return len(self._open) > MAX_RECORD_LINES or sum(len(line) for _, line in self._open) > MAX_RECORD_BYTES

    def _give_up_first(self, waiting: deque[tuple[int, bytes]]) -> None:
        """Reject the first open line and read the lines after it again."""
        number, _ = self._open.popleft()
        self._reject(number, "a quote is opened and not closed")
        waiting.extendleft(reversed(self._open))
        self._open.clear()

    def _give_up_open(self) -> None:
        good: list[bytes] = []
        waiting: deque[tuple[int, bytes]] = deque()
        self._give_up_first(waiting)
        for number, line in waiting:
            self._sort_odd(number, line, good)
        self.rows += len(good)
        self._clean.write(b"".join(good))

    def _accept_or_reject(self, number: int, line: bytes, good: list[bytes]) -> None:
        if problem := self._problem(line):
            self._reject(number, problem)
        else:
            good.append(b"%d%b%b\n" % (number, self._delimiter, line))

    def _problem(self, record: bytes) -> str | None:
        if problem := self._misshapen(record):
            return problem
        if b"\x00" in record:
            return "the record holds a NUL byte"
        if not is_utf8(record):
            return _NOT_UTF8
        return TOO_LONG_VALUE if len(record) > MAX_VALUE_BYTES and self._has_long_value(record) else None

    def _has_long_value(self, record: bytes) -> bool:
        """Whether a value that is read is too long. The record has the fields of the header."""
        values = _QUOTED.sub(lambda quoted: b"x" * len(quoted[0]), record).split(self._delimiter)
        return any(len(values[i]) > MAX_VALUE_BYTES for i in self._read)

    def _misshapen(self, record: bytes) -> str | None:
        if len(record) > MAX_RECORD_BYTES:
            return f"the record is longer than {MAX_RECORD_BYTES:,} bytes"
        bare = record
        if b'"' in record:
            bare = _QUOTED.sub(b'"', record)
            if self._broken_quote.search(bare):
                return _BROKEN
        fields = bare.count(self._delimiter) + 1
        return None if fields == self._fields else f"{fields} fields where the header has {self._fields}"

    def _reject(self, number: int, problem: str) -> None:
        self.rejected += 1
        self._not_utf8 += problem == _NOT_UTF8
        self._rejects.write(b"%d\t%b\n" % (number, problem.encode()))

    def _check_totals(self) -> None:
        records = self.rows + self.rejected
        if self._blank > max(self._max_rows, MIN_RECORDS):
            problem = f"has more than {self._blank:,} blank lines"
            raise SourceError(self._file, problem, "Check the file: it may have been padded, or written wrongly.")
        if records > self._max_rows:
            raise SourceError(
                self._file,
                f"has more than the allowed {self._max_rows:,} rows",
                "Raise `max_rows` of the source if the size is right.",
            )
        if records > MIN_RECORDS and self._not_utf8 > records / 2:
            raise SourceError(
                self._file,
                f"has {self._not_utf8:,} of {records:,} lines that are not UTF-8 text",
                "State `encoding: windows-1252` (or utf-16) of the source, or save it as CSV in UTF-8.",
            )
        if records > MIN_RECORDS and self.rejected > records / 2:
            raise SourceError(
                self._file,
                f"has {self.rejected:,} of {records:,} lines that do not fit the header in line {self._header.line}, "
                f"which has {self._fields} fields",
                "Check delimiter, quotes and header of the file.",
            )
