"""Which files a DuckDB connection can reach. SQL of a book's editor must not read or write others."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from loan_platform.core.book.sql import quote_literal

OFFLINE: dict[str, Any] = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}


class Connection(Protocol):
    """A connection of DuckDB, which the small image of the service does not have."""

    def execute(self, query: str, /) -> Any:
        """Run a statement."""


def limit_files(connection: Connection, files: Iterable[Path] = (), folders: Iterable[Path] = ()) -> None:
    """Let a connection reach these files and folders only. It cannot be undone, by no SQL.

    Extensions cannot be loaded afterwards, and other databases cannot be attached.

    Args:
        connection: to a database in memory.
        files: that may be read.
        folders: in which files may be read and written.
    """
    paths = ", ".join(quote_literal(str(path.absolute())) for path in files)
    directories = ", ".join(quote_literal(f"{path.absolute()}/") for path in folders)
    connection.execute(f"SET allowed_paths = [{paths}]")
    connection.execute(f"SET allowed_directories = [{directories}]")
    connection.execute("SET enable_external_access = false")
