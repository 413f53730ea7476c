"""The warehouse: DuckDB, which reads, types and joins raw files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pydantic import Field

from loan_platform.assets.resources.home import HomeResource
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.settings.platform import DuckDbSettings

if TYPE_CHECKING:  # imported when first used: every Dagster process loads this module
    from loan_platform.adapters.warehouse.accumulate import Accumulator
    from loan_platform.adapters.warehouse.linked_tables import LinkedTables
    from loan_platform.adapters.warehouse.session import DuckDbSession
    from loan_platform.adapters.warehouse.warehouse import Warehouse


class WarehouseResource(HomeResource):
    """DuckDB in the process of the run: it reads raw files, types their rows and joins linked sources.

    LOAN_THREADS and LOAN_MEMORY_LIMIT say how much of the machine it uses.
    """

    scratch: str = Field(description="Folder for temporary files, and for what exceeds LOAN_MEMORY_LIMIT.")

    def open(self) -> "Warehouse":
        """Read and stage raw files."""
        from loan_platform.adapters.warehouse.warehouse import Warehouse

        return Warehouse(self._session())

    def linked_tables(self, book: Portfolio) -> "LinkedTables":
        """Join the cleaned tables of a book of linked files."""
        from loan_platform.adapters.warehouse.linked_tables import LinkedTables

        return LinkedTables(self._session(), book.contract)

    def accumulator(self) -> "Accumulator":
        """Add the rows of a new file to known rows."""
        from loan_platform.adapters.warehouse.accumulate import Accumulator

        return Accumulator(self._session())

    @contextmanager
    def scratch_folder(self) -> Iterator[Path]:
        """An empty folder that is deleted after the block."""
        with TemporaryDirectory(dir=self.scratch) as folder:
            yield Path(folder)

    def _session(self) -> "DuckDbSession":
        from loan_platform.adapters.warehouse.session import DuckDbSession

        limits = DuckDbSettings.from_environment()
        return DuckDbSession(limits.threads, limits.memory_limit, Path(self.scratch))
