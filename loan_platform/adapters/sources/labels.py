"""The column names of a source that has no contract yet, from the CSV header or the Parquet schema."""

import csv
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import polars as pl

from loan_platform.adapters.csv_files.blocks import UTF_8, is_parquet, lines
from loan_platform.adapters.csv_files.header import DELIMITERS, SEARCHED_LINES, check_unique, one_line
from loan_platform.core.errors import SourceError

MAX_COLUMNS = 500
_VALUE = re.compile(r"[-+]?[$€£]?\s*[0-9][0-9.,:/ -]*%?")


def source_labels(files: list[Path], max_bytes: int, encoding: str = UTF_8) -> dict[str, str]:
    """The columns of all files, in file order.

    Returns:
        By lower-case name the spelling in the first file that has the column.

    Raises:
        SourceError: no header, two columns of one name, too many columns, or a reason of `blocks`.
    """
    labels: dict[str, str] = {}
    for path in files:
        names = _parquet_names(path) if is_parquet(path) else _csv_names(path, max_bytes, encoding)
        check_unique(path.name, [name.lower() for name in names])
        for place, label in enumerate(names):
            labels.setdefault(label.lower() or f"unnamed_{place}", label or f"unnamed {place}")
    if len(labels) > MAX_COLUMNS:
        raise SourceError(
            files[0].name,
            f"has {len(labels):,} columns; a book can be drafted from at most {MAX_COLUMNS}",
            "Keep key, date, outcome and the columns known at application, or write the contract by hand.",
        )
    return labels


def _parquet_names(path: Path) -> list[str]:
    try:
        return [name.strip() for name in pl.read_parquet_schema(path)]
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise SourceError(path.name, "is no readable Parquet file", "Write it again.") from error


def _csv_names(path: Path, max_bytes: int, encoding: str) -> list[str]:
    first = [line.decode("utf-8", "replace") for line in islice(lines(path, max_bytes, encoding), SEARCHED_LINES)]
    found = max((_header(first, delimiter) for delimiter in DELIMITERS), key=lambda found: found.fields)
    header = found.names
    if len(header) < 2:
        raise SourceError(
            path.name, "has only one column", f"Separate the columns by one of {' '.join(map(repr, DELIMITERS))}."
        )
    if found.other is not None:
        line, width = found.other
        raise SourceError(
            path.name,
            f"has a header of {width} fields on line {line}, and rows of {len(header)}",
            "Give every column a name. A row that ends in a separator has one field too many. Quote a value that has a "
            "separator in it. Write a file of R without the names of its rows: row.names = FALSE.",
        )
    if not _are_names(header):
        likely = next((i for i, line in enumerate(first, start=1) if _look_like_header(line)), None)
        hint = "Add a line with the names of the columns."
        if likely is not None:
            hint = f"Line {likely} looks like the header: remove the lines above it."
        raise SourceError(path.name, "has no header: its first line holds values", hint)
    return header


def _are_names(record: list[str]) -> bool:
    stated = [name for name in record if name]
    return sum(bool(_VALUE.fullmatch(name)) for name in stated) < max(len(stated) / 2, 1)


def _look_like_header(line: str) -> bool:
    """Whether all cells of a line are different words."""
    cells = max((next(csv.reader([line], delimiter=d), []) for d in DELIMITERS), key=len)
    words = {cell.strip() for cell in cells}
    return len(cells) > 1 and len(words) == len(cells) and all(re.match(r"[^\W\d]", word) for word in words)


@dataclass(frozen=True)
class _Header:
    """The first record with the most common number of fields.

    Attributes:
        fields: of all such records.
        names: its fields.
        other: line and number of fields of a record above it that looks like the header, or None. Above a record of
            names only, it is a title or names groups of columns.
    """

    fields: int = 0
    names: list[str] = field(default_factory=list[str])
    other: tuple[int, int] | None = None


def _header(lines: list[str], delimiter: str) -> _Header:
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter)
    records: list[tuple[int, list[str]]] = []
    try:
        for record in reader:
            records.append((reader.line_num, [one_line(name) for name in record]))
    except csv.Error:
        return _Header()
    counts = Counter(len(record) for _, record in records if len(record) > 1)
    if not counts:
        return _Header()
    fields, rows = max(counts.items(), key=lambda item: (item[1] * item[0], item[0]))
    same = [(line, record) for line, record in records if len(record) == fields]
    # A title above the header fills one cell or two.
    line, names = next((found for found in same if sum(map(bool, found[1])) > fields / 2), same[0])
    above = [(other, record) for other, record in records if other < line and len(record) > fields / 2]
    likely = next(((other, len(record)) for other, record in above if _are_only_names(record)), None)
    likely = None if _are_only_names(names) else likely
    return _Header(fields * rows, names, likely)


def _are_only_names(record: list[str]) -> bool:
    """Whether all stated cells differ and none is a number or a date, and most are stated."""
    stated = [cell for cell in record if cell]
    different = len({*stated}) == len(stated) and not any(map(_VALUE.fullmatch, stated))
    return different and len(stated) > len(record) / 2
