"""A raw file as a DuckDB relation of text: file name, line and the raw columns that a table reads."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from loan_platform.adapters.sources.layouts import FileLayout
from loan_platform.core.book.sql import quote_identifier, quote_literal
from loan_platform.core.staging.table import LayoutFiles, Table


@dataclass(frozen=True)
class RawFile:
    """One file that was read.

    Attributes:
        name: file name, with folders only if two files have the same name.
        rows: number of records.
        rejected: number of structural rejects, which are no records.
        missing: optional contract columns that the file lacks.
        header_line: physical line of the header, from 1; None for Parquet.
        rows_after: physical line above the first row: the last one of the header; 0 for Parquet.
        delimiter: of the fields; None for Parquet.
        layout: of the contract that its header fits; None: the file is written as the columns say.
    """

    name: str
    rows: int
    rejected: int
    missing: tuple[str, ...]
    header_line: int | None = None
    delimiter: str | None = None
    layout: str | None = None
    rows_after: int = 0


@dataclass(frozen=True)
class Relation:
    """A raw file that DuckDB can read.

    Attributes:
        file: what is known of the file.
        layout: which of the columns that are read it has.
        sql: query of its source location and raw columns.
        rejects: file of structural rejects, each `line<TAB>reason`; None without rejects.
    """

    file: RawFile
    layout: FileLayout
    sql: str
    rejects: Path | None


def layout_files(files: Iterable[RawFile]) -> LayoutFiles:
    """Names of the files of each layout."""
    found: dict[str, frozenset[str]] = {}
    for file in files:
        if file.layout is not None:
            found[file.layout] = found.get(file.layout, frozenset()) | {file.name}
    return found


def raw_columns(table: Table) -> list[str]:
    """Raw columns that a table reads, sorted."""
    return sorted(table.raw_columns)


def select_list(label: str, line: str, texts: dict[str, str], table: Table) -> str:
    """The SELECT list of a relation.

    Args:
        label: name of the file.
        line: SQL of the line number.
        texts: SQL of each raw column that the file has; the others become null.
        table: decides which raw columns are read.
    """
    place = f"{quote_literal(label)} AS source_file, CAST({line} AS BIGINT) AS source_line"
    columns = [f"{texts.get(raw, 'CAST(NULL AS VARCHAR)')} AS {quote_identifier(raw)}" for raw in raw_columns(table)]
    return ", ".join([place, *columns])
