"""The columns of a source before any contract exists: delimiter and header of a CSV file, schema of a Parquet file."""

import csv
import re
from collections import Counter
from itertools import islice
from pathlib import Path

import polars as pl

from loan_platform.adapters.csv_files.blocks import blocks, is_parquet
from loan_platform.adapters.csv_files.header import DELIMITERS, SEARCHED_LINES
from loan_platform.core.errors import SourceError

MAX_COLUMNS = 500
_VALUE = re.compile(r"[-+]?[$€£]?\s*[0-9][0-9.,:/ -]*%?")


def source_labels(files: list[Path], max_bytes: int) -> dict[str, str]:
    """Every column of the files by its lower-case name, as the first file that has it writes it, in file order.

    Raises:
        SourceError: no header, too many columns, or one of the reasons of `blocks`.
    """
    labels: dict[str, str] = {}
    for path in files:
        names = _parquet_names(path) if is_parquet(path) else _csv_names(path, max_bytes)
        twice = sorted(name for name, count in Counter(n.lower() for n in names).items() if count > 1 and name)
        if twice:
            raise SourceError(
                path.name, f"has several columns of the same name: {', '.join(twice)}", "Rename or remove them."
            )
        for place, label in enumerate(names):
            labels.setdefault(label.lower() or f"unnamed_{place}", label or f"unnamed {place}")
    if len(labels) > MAX_COLUMNS:
        raise SourceError(
            files[0].name,
            f"has {len(labels):,} columns, and a book is drafted from at most {MAX_COLUMNS}",
            "Keep those that are known at application, with key, date and outcome; or write the contract by hand.",
        )
    return labels


def _parquet_names(path: Path) -> list[str]:
    try:
        return [name.strip() for name in pl.read_parquet_schema(path)]
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SourceError(path.name, "is no readable Parquet file", "Write it again.") from error


def _csv_names(path: Path, max_bytes: int) -> list[str]:
    lines = _first_lines(path, max_bytes)
    header = max((_header(lines, delimiter) for delimiter in DELIMITERS), key=lambda found: found[0])[1]
    if len(header) < 2:
        raise SourceError(
            path.name, "has one column only", f"Separate the columns by one of {' '.join(map(repr, DELIMITERS))}."
        )
    stated = [name for name in header if name]
    if sum(bool(_VALUE.fullmatch(name)) for name in stated) >= max(len(stated) / 2, 1):
        raise SourceError(
            path.name, "has no header: its first line holds values", "Add a line with the names of the columns."
        )
    return header


def _header(lines: list[str], delimiter: str) -> tuple[int, list[str]]:
    """The first record of the commonest number of fields, and how many fields all such records have together."""
    try:
        records = list(csv.reader((f"{line}\n" for line in lines), delimiter=delimiter))
    except csv.Error:
        return 0, []
    counts = Counter(len(record) for record in records if len(record) > 1)
    if not counts:
        return 0, []
    fields, rows = max(counts.items(), key=lambda item: (item[1] * item[0], item[0]))
    header = next(record for record in records if len(record) == fields)
    return fields * rows, [" ".join(name.split()) if "\n" in name else name.strip() for name in header]


def _first_lines(path: Path, max_bytes: int) -> list[str]:
    lines: list[bytes] = []
    for block in blocks(path, max_bytes):
        lines += block.split(b"\n")[:-1]
        if len(lines) >= SEARCHED_LINES:
            break
    return [line.decode("utf-8", "replace") for line in islice(lines, SEARCHED_LINES)]
