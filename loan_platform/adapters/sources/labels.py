"""The column names of a source that has no contract yet, from the CSV header or the Parquet schema."""

import csv
import re
from collections import Counter
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
    header = max((_header(first, delimiter) for delimiter in DELIMITERS), key=lambda found: found[0])[1]
    if len(header) < 2:
        raise SourceError(
            path.name, "has only one column", f"Separate the columns by one of {' '.join(map(repr, DELIMITERS))}."
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


def _header(lines: list[str], delimiter: str) -> tuple[int, list[str]]:
    """The first record with the most common number of fields, and the number of fields of all such records."""
    try:
        records = list(csv.reader((f"{line}\n" for line in lines), delimiter=delimiter))
    except csv.Error:
        return 0, []
    counts = Counter(len(record) for record in records if len(record) > 1)
    if not counts:
        return 0, []
    fields, rows = max(counts.items(), key=lambda item: (item[1] * item[0], item[0]))
    names = [[one_line(name) for name in record] for record in records if len(record) == fields]
    # A title above the header fills one cell or two.
    return fields * rows, next((record for record in names if sum(map(bool, record)) > fields / 2), names[0])
