"""A CSV file as a relation: split into records and structural rejects before DuckDB parses it."""

import os
import tempfile
from pathlib import Path

from loan_platform.adapters.csv_files.blocks import MAX_RECORD_BYTES, blocks, lines
from loan_platform.adapters.csv_files.header import Header, find_header
from loan_platform.adapters.csv_files.record_splitter import CsvRecordSplitter
from loan_platform.adapters.sources.layouts import file_layout
from loan_platform.adapters.sources.relation import RawFile, Relation, select_list
from loan_platform.core.book.policies import Source
from loan_platform.core.book.sql import quote_literal
from loan_platform.core.staging.table import Table


def csv_relation(path: Path, label: str, table: Table, source: Source, max_rows: int, scratch: Path) -> Relation:
    """Split a CSV file into clean records and structural rejects.

    Args:
        path: the file, plain or gzip.
        label: its short name.
        table: what is to be staged.
        source: limits.
        max_rows: rows that may still be read.
        scratch: folder for the unpacked records and the rejects.

    Raises:
        SourceError: the file as a whole cannot be used.
    """
    header = find_header(label, lines(path, source.max_bytes, source.encoding), table)
    descriptor, clean = tempfile.mkstemp(suffix=".csv", dir=scratch)
    rejects = Path(clean).with_suffix(".rejects")
    with os.fdopen(descriptor, "wb") as good, rejects.open("wb") as bad:
        splitter = CsvRecordSplitter(label, header, good, bad, max_rows, table.may_be_empty, table.raw_columns)
        splitter.split(blocks(path, source.max_bytes, source.encoding))
    names = frozenset(header.names)
    form, missing = table.layout_of(header.written), table.missing_optional(names)
    file = RawFile(
        label,
        splitter.rows,
        splitter.rejected,
        missing,
        header.line,
        header.delimiter,
        form and form.name,
        header.last_line,
    )
    layout = file_layout(label, header.written, table)
    return Relation(file, layout, _query(Path(clean), label, header, table), rejects if splitter.rejected else None)


def _query(clean: Path, label: str, header: Header, table: Table) -> str:
    columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(header.names) + 1))
    marks = ", ".join(quote_literal(mark) for mark in table.missing)
    texts = {raw: f"c{i}" for i, raw in enumerate(header.names, start=1)}
    return (
        f"SELECT {select_list(label, 'c0', texts, table)} FROM read_csv({quote_literal(str(clean))}, "
        f"auto_detect = false, header = false, delim = {quote_literal(header.delimiter)}, quote = '\"', "
        f"escape = '\"', columns = {{{columns}}}, nullstr = [{marks}], compression = 'none', "
        f"max_line_size = {2 * MAX_RECORD_BYTES})"
    )
