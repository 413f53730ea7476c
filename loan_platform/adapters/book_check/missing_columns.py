"""Find the columns that a contract reads and a raw file lacks, and the values that its loans seldom lack."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

import polars as pl

from loan_platform.adapters.book_check.findings import Findings
from loan_platform.adapters.csv_files.header import closest_names
from loan_platform.adapters.sources.sample import Sample
from loan_platform.core.book.constants import SOURCE_LOCATION, TARGET
from loan_platform.core.book.contract import Contract
from loan_platform.core.errors import Issue
from loan_platform.core.staging.table import Table

_MAX_NAMES = 12


def find_missing_columns(contract: Contract, table: Table, file: str, names: Sequence[str]) -> Findings:
    """Compare the columns and target of a contract without linked files with the columns of a raw file.

    Args:
        contract: for the key paths.
        table: what is staged from the file.
        file: its name.
        names: its raw columns, in lower case, as the contract's SQL names them.
    """
    found, present = Findings(), frozenset(names)
    required = table.missing_required(present)
    positions = {column.name: i for i, column in enumerate(contract.columns)}
    unread: list[str] = []
    for column in table.columns:
        missing = column.raw_columns - present - {*SOURCE_LOCATION}
        path = f"columns[{positions[column.name]}].{'sql' if column.sql else 'name'}"
        if column.name in required:
            message = f"{column.name!r} is required, and {file} lacks {_format_names(sorted(missing))}"
            found.issues.append(Issue(path, message, _hint(missing | {column.name}, names), "required_column_missing"))
        elif similar := _similar_unread(missing, names, table.raw_columns):
            message = f"reads {_format_names(sorted(missing))}, which {file} lacks"
            hint = f"Did you mean {' or '.join(repr(name) for name in similar)}?"
            found.notes.append(Issue(path, message, hint, "column_misspelt"))
        elif missing and missing == column.raw_columns - {*SOURCE_LOCATION}:
            unread.append(column.name)
    if unread:
        message = f"{file} has no data for these optional columns, so they would be missing: {_shortened(unread)}"
        found.notes.append(Issue("columns", message, code="optional_columns_missing"))
    if absent := required.get(TARGET):
        message = f"reads {_format_names(sorted(absent))}, which {file} lacks, so outcomes would be wrong or unknown"
        found.issues.append(Issue("target.sql", message, _hint(absent, names), "target_columns_missing"))
    return found


def find_seldom_missing(contract: Contract, samples: Sequence[Sample], least: int) -> Findings:
    """A note that names the features of optional columns which fewer than `least` loans of the samples lack.

    Training may not learn what a missing value of them means. So `when_missing` decides.
    """
    found = Findings()
    optional = {c.name: sorted(c.raw_columns - {*SOURCE_LOCATION}) for c in contract.columns if not c.required}
    lacking = {name: sum(_lacking(raw, sample) for sample in samples) for name, raw in optional.items()}
    loans = sum(sample.rows.height for sample in samples)
    names = [
        f"{feature.name} ({feature.when_missing})"
        for feature in contract.features
        if (read := feature.columns & lacking.keys()) and all(lacking[name] < least for name in read)
    ]
    if names and loans >= least:
        message = (
            f"of the first {loans:,} loans fewer than {least} lack the value of these features, so `when_missing` "
            f"decides what an application without it is: {_shortened(names)}"
        )
        hint = "`average` is the default; state `worst` or `refer` where that is wrong."
        found.notes.append(Issue("features", message, hint, "seldom_missing"))
    return found


def _lacking(raw: Sequence[str], sample: Sample) -> int:
    """Loans of a sample that lack one of the raw columns."""
    read = [name for name in raw if name in sample.rows.columns]
    return sample.rows.select(pl.any_horizontal(pl.col(read).is_null()).sum()).item() if read else 0


def _similar_unread(missing: frozenset[str], names: Sequence[str], read: frozenset[str]) -> list[str]:
    """Columns of the file that no contract column reads and that are spelt like a missing one."""
    unread = [name for name in names if name not in read]
    return [name for wanted in sorted(missing) for name in get_close_matches(wanted, unread, n=1, cutoff=0.8)]


def _shortened(names: list[str]) -> str:
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return ", ".join(names[:_MAX_NAMES]) + more


def _format_names(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _hint(wanted: frozenset[str], names: Sequence[str]) -> str:
    close = closest_names(wanted, names)
    if not close:
        return "The file has no similar column."
    return f"Closest in the file: {_format_names(close)}."
