"""An embedded DuckDB, opened for one task and closed after it. Its errors become `WarehouseError`."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from loan_platform.adapters.storage.duckdb_files import OFFLINE, limit_files
from loan_platform.core.errors import ExplainedError

_NO_VALUE = "The SQL of the contract fails on a row. Use try_cast instead of CAST."
# It moves a shared expression out of its TRY, so that one bad text fails the whole query.
_NO_OPTIMIZERS = "common_subexpressions"
_ADVICE = "Free memory or disk space, or change the warehouse's memory_limit or temp_directory."


class WarehouseError(ExplainedError, RuntimeError):
    """Rows cannot be read, joined or staged. Files that were written so far must not be used."""


@dataclass(frozen=True)
class DuckDbSession:
    """Resources that DuckDB may use.

    Attributes:
        threads: number of threads; the bytes written do not depend on it.
        memory_limit: DuckDB's own limit, such as 4GB; it spills to `temp_directory` above it.
        temp_directory: scratch space, at least the uncompressed size of the sources; None: the system's.
    """

    threads: int = 2
    memory_limit: str = "4GB"
    temp_directory: Path | None = None

    @contextmanager
    def connection(
        self, reads: Iterable[Path], writes: Iterable[Path]
    ) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
        """A connection to an empty database, and its scratch folder. Both exist until the block ends.

        SQL of a contract runs on it, so it reaches no other files.

        Args:
            reads: files that it may read.
            writes: files that it may write; those in the same folders may be read too.

        Raises:
            WarehouseError: the contract's SQL does not run or fails on a row, or memory or disk space ran out.
        """
        if self.temp_directory:
            self.temp_directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.temp_directory, prefix="warehouse-") as scratch:
            connection = self._connect(scratch)
            try:
                connection.execute("SET enable_progress_bar = false")
                connection.execute("SET enable_caching_operators = false")  # they lose the order of rows
                connection.execute(f"SET disabled_optimizers = '{_NO_OPTIMIZERS}'")
                limit_files(connection, reads, {Path(scratch), *(path.parent for path in writes)})
                yield connection, Path(scratch)
            except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException) as error:
                reason = str(error).splitlines()[0]
                raise WarehouseError(f"The SQL of the contract does not run: {reason}") from error
            except (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException):
                raise WarehouseError(_NO_VALUE) from None
            except duckdb.Error as error:  # its text may hold values of a row, so it is dropped
                raise WarehouseError(f"{type(error).__name__}: {_ADVICE}") from None
            finally:
                connection.close()

    def _connect(self, scratch: str) -> duckdb.DuckDBPyConnection:
        return duckdb.connect(
            config={
                "threads": self.threads,
                "memory_limit": self.memory_limit,
                "temp_directory": scratch,
                "preserve_insertion_order": True,
                **OFFLINE,
            }
        )


@contextmanager
def lists_in_place(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Test values against lists without a join for each list: with the joins, a wide contract takes twice the time.

    Not for rows that are written: without a join DuckDB cuts them into row groups by the number of its threads.
    """
    connection.execute(f"SET disabled_optimizers = '{_NO_OPTIMIZERS},in_clause'")
    yield
    connection.execute(f"SET disabled_optimizers = '{_NO_OPTIMIZERS}'")
