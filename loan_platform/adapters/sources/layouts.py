"""Which of the columns that a table reads each file has, and where the files of one source differ."""

from collections.abc import Sequence
from dataclasses import dataclass

from loan_platform.core.staging.table import Table


@dataclass(frozen=True)
class FileLayout:
    """The columns of one file, as far as they are read.

    Attributes:
        file: its name.
        lacks: raw columns that are read and that the file does not have, sorted.
        calls: raw columns that the file has under another name, each with that name, sorted.
    """

    file: str
    lacks: tuple[str, ...]
    calls: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        """`b.csv lacks 'debts'; calls 'id' 'client no'`."""
        lacks = [f"lacks {', '.join(map(repr, self.lacks))}"] if self.lacks else []
        calls = [f"calls {name!r} {other!r}" for name, other in self.calls]
        return f"{self.file} {'; '.join([*lacks, *calls])}"


def file_layout(file: str, written: Sequence[str], table: Table) -> FileLayout:
    """The layout of a file with these columns, in lower case as the file writes them."""
    names = table.canonical(written)
    read = table.raw_columns
    calls = sorted((n, w) for n, w in zip(names, written, strict=True) if n != w and n in read)
    return FileLayout(file, tuple(sorted(read - set(names))), tuple(calls))


def layout_differences(layouts: Sequence[FileLayout]) -> tuple[FileLayout, ...]:
    """The files that differ from the others, each with only what not all files have in common."""
    if not layouts:
        return ()
    lacks = frozenset.intersection(*(frozenset(layout.lacks) for layout in layouts))
    calls = frozenset.intersection(*(frozenset(layout.calls) for layout in layouts))
    own = [
        FileLayout(
            layout.file,
            tuple(name for name in layout.lacks if name not in lacks),
            tuple(pair for pair in layout.calls if pair not in calls),
        )
        for layout in layouts
    ]
    return tuple(layout for layout in own if layout.lacks or layout.calls)
