"""Find the columns that a contract reads and a raw file lacks."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from loan_platform.adapters.csv_files.header import closest_names
from loan_platform.adapters.sources.findings import Findings
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
