"""What a contract reads and a raw file lacks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from loan_platform.adapters.csv_files.header import closest_names
from loan_platform.core.book.constants import TARGET
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.sql import columns_read
from loan_platform.core.errors import Issue
from loan_platform.core.staging.table import Table

_SHOWN = 12


@dataclass
class ColumnFindings:
    """Mistakes: the file would be refused, or teaches nothing. Notes: values would be missing."""

    issues: list[Issue] = field(default_factory=list[Issue])
    notes: list[Issue] = field(default_factory=list[Issue])


def find_missing_columns(
    contract: Contract, table: Table, file: str, names: Sequence[str], needs_target: bool
) -> ColumnFindings:
    """Hold the columns of a contract of one file, and its target, against the column names of a raw file.

    Args:
        contract: for the key paths.
        table: what is staged from the file.
        file: its name.
        names: its raw columns, in lower case.
        needs_target: without outcomes the file is useless.
    """
    found, present = ColumnFindings(), frozenset(names)
    required = table.missing_required(present)
    places = {column.name: i for i, column in enumerate(contract.columns)}
    silent: list[str] = []
    for column in table.columns:
        absent = column.raw_columns - present
        path = f"columns[{places[column.name]}].{'sql' if column.sql else 'name'}"
        if column.name in required:
            message = f"{column.name!r} is required, and {file} lacks {_listed(absent)}: the file would be refused"
            found.issues.append(Issue(path, message, _remedy(absent | {column.name}, names)))
        elif meant := _misspelt(absent, names, table.raw_columns):
            message = f"reads {_listed(absent)}, which {file} lacks"
            found.notes.append(Issue(path, message, f"Did you mean {' or '.join(repr(name) for name in meant)}?"))
        elif absent == column.raw_columns:
            silent.append(column.name)
    if silent:
        message = f"{file} has nothing for these optional columns, which would be missing: {_shortened(silent)}"
        found.notes.append(Issue("columns", message))
    _target(found, contract, file, names, needs_target or TARGET in required)
    return found


def _target(found: ColumnFindings, contract: Contract, file: str, names: Sequence[str], needed: bool) -> None:
    reads = columns_read(contract.target.sql)
    absent = reads - frozenset(names)
    if absent == reads and needed:
        message = f"reads {_listed(absent)}, which {file} lacks, so no outcome would be known"
        found.issues.append(Issue("target.sql", message, _remedy(absent, names)))
    elif absent and needed:
        found.notes.append(Issue("target.sql", f"reads {_listed(absent)}, which {file} lacks", _remedy(absent, names)))


def _misspelt(absent: frozenset[str], names: Sequence[str], read: frozenset[str]) -> list[str]:
    """Columns of the file that nothing reads and that are spelt nearly like an absent one."""
    unread = [name for name in names if name not in read]
    return [name for wanted in sorted(absent) for name in get_close_matches(wanted, unread, n=1, cutoff=0.8)]


def _shortened(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _listed(names: frozenset[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names))


def _remedy(wanted: frozenset[str], names: Sequence[str]) -> str:
    close = closest_names(wanted, names)
    return f"Closest in the file: {', '.join(repr(name) for name in close)}." if close else "Nothing there is like it."
