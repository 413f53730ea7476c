"""Find the header line of a CSV file and check that it has the required columns."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import islice

from loan_platform.core.errors import SourceError
from loan_platform.core.staging.table import Table

SEARCHED_LINES = 25
MAX_COLUMNS = 10_000  # a million of them, in a file of 6 MB, take 1.7 GB
_NOT_UTF8 = "Save it as CSV in UTF-8, or state `encoding: windows-1252` of the source."
DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class Header:
    """Header of one file.

    Attributes:
        line: physical line, from 1.
        delimiter: of the fields.
        names: column names in lower case, in file order. Other names of a column are replaced by the one that the
            contract's SQL uses.
        written: the names as the file has them, in lower case.
        more_lines: physical lines after the first, where a name in quotes has a line break.
    """

    line: int
    delimiter: str
    names: tuple[str, ...]
    written: tuple[str, ...] = ()
    more_lines: int = 0

    @property
    def last_line(self) -> int:
        """The physical line that the header ends on."""
        return self.line + self.more_lines


def find_header(file: str, lines: Iterable[bytes], table: Table) -> Header:
    """The header of a file that can be staged.

    Raises:
        SourceError: no line names a contract column, two columns have one name, or a required column is missing.
    """
    header = likely_header(file, lines, table)
    check_names(file, header.names, table)
    return header


def likely_header(file: str, lines: Iterable[bytes], table: Table) -> Header:
    """The line that names the most raw columns of the contract. Lines above it, such as notes, are skipped.

    Raises:
        SourceError: no line names a column of the contract, or two columns are the same one of the contract.
    """
    first = [*islice(lines, SEARCHED_LINES)]
    candidates = [
        Header(number, delimiter, tuple(_names(line, delimiter)), more_lines=line.count(b"\n"))
        for number in range(1, len(first) + 1)
        for delimiter in DELIMITERS
        for line in [_record(first[number - 1 :], delimiter)]
    ]
    wanted = table.raw_columns
    # max keeps the first of equals
    best = max(candidates, key=lambda header: len(wanted & set(table.canonical(header.names))))
    if not wanted & set(table.canonical(best.names)):
        raise SourceError(
            file,
            f"has no header: none of its first {SEARCHED_LINES} lines names a column of the contract",
            f"Add a header line with the columns {', '.join(sorted(table.required_raw))}.",
        )
    check_width(file, len(best.names))
    if any("\x00" in name or "\ufffd" in name for name in best.names):
        raise SourceError(file, "has a header that is not UTF-8 text", _NOT_UTF8)
    written = tuple(n or f"unnamed_{i}" for i, n in enumerate(best.names))
    return replace(best, names=canonical_names(file, written, table), written=written)


def canonical_names(file: str, written: Sequence[str], table: Table) -> tuple[str, ...]:
    """The names of a file's columns, in lower case, as the contract's SQL uses them.

    Raises:
        SourceError: the file has two of the names that the contract lists for one column.
    """
    names = table.canonical(written)
    for name in dict.fromkeys(table.aliases.values()):
        found = list(dict.fromkeys(w for w, n in zip(written, names, strict=True) if n == name))
        if len(found) > 1:
            raise SourceError(
                file,
                f"has {len(found)} columns that the contract takes for one: {', '.join(map(repr, found))}",
                "Remove all but one from the file, or from `sources` of the column in the contract.",
            )
    return names


def check_width(file: str, columns: int) -> None:
    """Check that a file has no more columns than one that can be read.

    Raises:
        SourceError: with the number.
    """
    if columns > MAX_COLUMNS:
        raise SourceError(
            file,
            f"has {columns:,} columns, {MAX_COLUMNS:,} at most",
            "Write a file with the columns that the contract names.",
        )


def check_unique(file: str, names: Sequence[str]) -> None:
    """Check that no two columns have the same name.

    Raises:
        SourceError: lists the duplicate names.
    """
    duplicates = sorted(name for name, count in Counter(names).items() if count > 1 and name)
    if duplicates:
        problem = f"has several columns of the same name: {', '.join(duplicates)}"
        raise SourceError(file, problem, "Rename or remove them.")


def check_names(file: str, names: Sequence[str], table: Table) -> None:
    """Check that no two columns have the same name and that no required column is missing.

    Raises:
        SourceError: lists the columns, with the most similar names in the file.
    """
    check_unique(file, names)
    missing = table.missing_required(frozenset(names))
    if missing:
        columns = "; ".join(f"{column}{_closest(column, raw, names)}" for column, raw in missing.items())
        raise SourceError(
            file,
            f"lacks {len(missing)} required columns: {columns}",
            "Rename the columns of the file, or list their names in `sources` of these columns in the contract.",
        )


def closest_names(wanted: frozenset[str], names: Sequence[str]) -> list[str]:
    """Columns of a file with a similar spelling to a wanted one, or whose initials spell it."""
    close: list[str] = []
    for name in sorted(wanted):
        close += get_close_matches(name, names, n=2, cutoff=0.6)
        close += [other for other in names if _initials(other) == name]
    return list(dict.fromkeys(close))


def _names(line: bytes, delimiter: str) -> list[str]:
    try:
        record = next(csv.reader(line.decode("utf-8", "replace").splitlines(keepends=True), delimiter=delimiter), [])
    except csv.Error:
        return []
    return [one_line(name).lower() for name in record]


def one_line(name: str) -> str:
    """A column's name without spaces around it; a line break in it counts as a space."""
    return " ".join(name.split()) if "\n" in name else name.strip()


def _record(lines: list[bytes], delimiter: str) -> bytes:
    """The first line, or the record of several lines whose quotes are closed on the last one."""
    quotes = lines[0].count(b'"')
    if quotes % 2 == 0:
        return lines[0]
    for more, line in enumerate(lines[1:], start=2):
        quotes += line.count(b'"')
        if quotes % 2 == 0:
            record = b"\n".join(lines[:more])
            return record if _is_one(record, delimiter) else lines[0]
    return lines[0]


def _is_one(record: bytes, delimiter: str) -> bool:
    """Whether lines are one record: a quote inside a name, as in `size 5"`, opens nothing."""
    text = record.decode("utf-8", "replace").splitlines(keepends=True)
    try:
        return len(list(csv.reader(text, delimiter=delimiter))) == 1
    except csv.Error:
        return False


def _closest(column: str, raw: frozenset[str], names: Sequence[str]) -> str:
    close = closest_names(raw | {column}, names)
    found = f"closest: {', '.join(close)}" if close else "no similar name"
    read = "" if raw == {column} else f"read from {', '.join(sorted(raw))}; "
    return f" ({read}{found})"


def _initials(name: str) -> str:
    return "".join(word[0] for word in re.split(r"[^a-z0-9]+", name) if word)
