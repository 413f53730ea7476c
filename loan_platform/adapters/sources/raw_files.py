"""Raw files as DuckDB relations of text, one per file, in the order of their names."""

import os
from pathlib import Path

import duckdb

from loan_platform.adapters.csv_files.blocks import is_parquet
from loan_platform.adapters.sources.csv_relation import csv_relation
from loan_platform.adapters.sources.parquet_relation import parquet_relation
from loan_platform.adapters.sources.relation import Relation
from loan_platform.core.book.policies import Source
from loan_platform.core.staging.table import Table


def raw_relations(
    connection: duckdb.DuckDBPyConnection, files: list[Path], table: Table, source: Source, scratch: Path
) -> list[Relation]:
    """One relation for each file, in the order of their names.

    Args:
        connection: reads the metadata of Parquet files.
        files: CSV (plain or gzip) or Parquet.
        table: what is to be staged.
        source: limits for all files together.
        scratch: folder for temporary files; it must outlive the relations.

    Raises:
        SourceError: a file cannot be used, or all together have too many rows.
    """
    labels = _short_names(files)
    relations: list[Relation] = []
    max_rows = source.max_rows
    for path in sorted(files, key=lambda path: labels[path]):
        label = labels[path]
        if is_parquet(path):
            link = scratch / f"{len(relations)}.parquet"
            link.symlink_to(path.absolute())
            rejects = link.with_suffix(".rejects")
            relation = parquet_relation(connection, link, label, table, source, max_rows, rejects)
        else:
            relation = csv_relation(path, label, table, source, max_rows, scratch)
        max_rows -= relation.file.rows + relation.file.rejected
        relations.append(relation)
    return relations


def _short_names(files: list[Path]) -> dict[Path, str]:
    """The name of each file, with folders only if two files have the same name."""
    if len({path.name for path in files}) == len(files):
        return {path: path.name for path in files}
    root = os.path.commonpath([path.absolute().parent for path in files])
    return {path: path.absolute().relative_to(root).as_posix() for path in files}
