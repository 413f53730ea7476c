"""Generate sample raw files of a book from the DuckDB SQL beside its contract."""

from collections.abc import Mapping
from pathlib import Path

import duckdb

from loan_platform.adapters.storage.atomic_files import discarded_on_error, fsync, make_directory, partial_path
from loan_platform.adapters.storage.duckdb_files import OFFLINE, limit_files
from loan_platform.core.book.sql import quote_identifier, quote_literal
from loan_platform.core.errors import ExplainedError

SCRIPT = "sample.sql"

# They depend only on row number and text, so that threads and versions do not change the files.
_DRAWS = """
CREATE MACRO uniform(row, text) AS md5_number_lower(concat(text, ' ', row)) / 18446744073709551616.0;
CREATE MACRO normal(row, text) AS
    sqrt(-2 * ln(1 - uniform(row, text || ' radius'))) * cos(2 * pi() * uniform(row, text || ' angle'));
"""


class SampleError(ExplainedError, ValueError):
    """A sample script does not run, or creates no table for a source."""


def write_sample(script: Path, sources: Mapping[str, Path], rows: int) -> dict[str, int]:
    """Run a script and write the table that it creates for each source as CSV, each file atomically.

    The script can use `getvariable('rows')` and the macros `uniform(row, text)`, in [0, 1), and `normal(row, text)`,
    with mean 0 and standard deviation 1. The macros depend only on their arguments.

    Args:
        script: DuckDB SQL that creates one table for each source, with its name and raw columns.
        sources: the file of each source.
        rows: requested size of the loan book.

    Returns:
        Number of rows of each file.

    Raises:
        SampleError: the script does not run, or creates no table for a source.
    """
    folders = {path.parent for path in sources.values()}
    with duckdb.connect(config={"threads": 1, **OFFLINE}) as connection:
        limit_files(connection, folders=folders)
        connection.execute(_DRAWS)
        connection.execute(f"SET VARIABLE rows = {rows}")
        try:
            connection.execute(script.read_text(encoding="utf-8"))
        except duckdb.Error as error:
            raise SampleError(f"{script}: does not run: {str(error).splitlines()[0]}") from error
        created = {row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        if missing := sorted(set(sources) - created):
            raise SampleError(f"{script}: creates no table {', '.join(missing)}. Add CREATE TABLE {missing[0]} AS ...")
        return {source: _write(connection, source, path) for source, path in sources.items()}


def _write(connection: duckdb.DuckDBPyConnection, table: str, path: Path) -> int:
    make_directory(path.parent)
    partial = partial_path(path)
    with discarded_on_error(partial):
        connection.execute(f"COPY {quote_identifier(table)} TO {quote_literal(str(partial))} (FORMAT csv, HEADER)")
        fsync(partial)
        partial.replace(path)
    return connection.execute(f"SELECT count(*) FROM {quote_identifier(table)}").fetchall()[0][0]
