"""Generated raw files of a book, by the DuckDB SQL beside its contract: for trying it without data of one's own."""

from collections.abc import Mapping
from pathlib import Path

import duckdb

from loan_platform.adapters.storage.atomic_files import discarded_on_error, fsync, make_directory, partial_path
from loan_platform.core.errors import ExplainedError
from loan_platform.core.staging.parsing import name, quoted

SCRIPT = "sample.sql"

# Of the row's number and a text alone, so that neither threads nor versions change the files.
_DRAWS = """
CREATE MACRO uniform(row, text) AS md5_number_lower(concat(text, ' ', row)) / 18446744073709551616.0;
CREATE MACRO normal(row, text) AS
    sqrt(-2 * ln(1 - uniform(row, text || ' radius'))) * cos(2 * pi() * uniform(row, text || ' angle'));
"""


class SampleError(ExplainedError, ValueError):
    """A sample script does not run, or makes no table for a source."""


def write_sample(script: Path, sources: Mapping[str, Path], rows: int) -> dict[str, int]:
    """Run a script and write the table that it makes for each source as CSV; each file whole or not at all.

    The script finds `getvariable('rows')`, and the macros `uniform(row, text)` from 0 to below 1 and
    `normal(row, text)`, which depend on their arguments alone.

    Args:
        script: DuckDB SQL that creates one table for each source, of its name and raw columns.
        sources: the file of each source.
        rows: size of the loan book that is asked for.

    Returns:
        Rows of each file.

    Raises:
        SampleError: the script does not run, or makes no table for a source.
        DiskFullError: no space is left.
    """
    with duckdb.connect(config={"threads": 1, "autoinstall_known_extensions": False}) as connection:
        connection.execute(_DRAWS)
        connection.execute(f"SET VARIABLE rows = {rows}")
        try:
            connection.execute(script.read_text(encoding="utf-8"))
        except duckdb.Error as error:
            raise SampleError(f"{script}: does not run: {str(error).splitlines()[0]}") from error
        made = {row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        if missing := sorted(set(sources) - made):
            raise SampleError(f"{script}: makes no table {', '.join(missing)}: add CREATE TABLE {missing[0]} AS ...")
        return {source: _write(connection, source, path) for source, path in sources.items()}


def _write(connection: duckdb.DuckDBPyConnection, table: str, path: Path) -> int:
    make_directory(path.parent)
    partial = partial_path(path)
    with discarded_on_error(partial):
        connection.execute(f"COPY {name(table)} TO {quoted(str(partial))} (FORMAT csv, HEADER)")
        fsync(partial)
        partial.replace(path)
    return connection.execute(f"SELECT count(*) FROM {name(table)}").fetchall()[0][0]
