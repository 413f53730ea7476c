"""An embedded DuckDB, opened for one piece of work and closed after it; its errors explained."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from loan_platform.core.errors import ExplainedError

_NO_VALUE = "the SQL of the contract fails on a row where it must not"
_ADVICE = "free memory or disk space, or give the warehouse another memory_limit or temp_directory"


class WarehouseError(ExplainedError, RuntimeError):
    """Rows cannot be read, joined or staged; nothing that was written may be used."""


class ContractSqlError(WarehouseError):
    """The contract's SQL failed on a row: an optimizer shares a part of it, and so takes it out of its TRY."""


@dataclass(frozen=True)
class DuckDbSession:
    """How DuckDB may use the machine.

    Attributes:
        threads: cores used; the bytes written do not depend on it.
        memory_limit: DuckDB's own limit; what does not fit goes to `temp_directory`.
        temp_directory: scratch space, of the unpacked size of the sources; default: the system's.
    """

    threads: int = 2
    memory_limit: str = "4GB"
    temp_directory: Path | None = None

    @contextmanager
    def connection(self, without: str = "") -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
        """A connection to an empty database, and its scratch folder; both are gone after the block.

        Args:
            without: optimizers to do without, by DuckDB's names.

        Raises:
            WarehouseError: the contract's SQL does not run, or memory or disk do not suffice.
        """
        if self.temp_directory:
            self.temp_directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.temp_directory, prefix="warehouse-") as scratch:
            connection = duckdb.connect(
                config={
                    "threads": self.threads,
                    "memory_limit": self.memory_limit,
                    "temp_directory": scratch,
                    "preserve_insertion_order": True,
                    "autoinstall_known_extensions": False,
                    "autoload_known_extensions": False,
                }
            )
            try:
                connection.execute("SET enable_progress_bar = false")
                connection.execute("SET enable_caching_operators = false")  # they lose the order of rows
                connection.execute(f"SET disabled_optimizers = '{without}'")
                yield connection, Path(scratch)
            except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException) as error:
                reason = str(error).splitlines()[0]
                raise WarehouseError(f"the SQL of the contract does not run: {reason}") from error
            except (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException):
                raise ContractSqlError(_NO_VALUE) from None
            except duckdb.Error as error:  # its text may hold values of a row, so it goes no further
                raise WarehouseError(f"{type(error).__name__}: {_ADVICE}") from None
            finally:
                connection.close()
