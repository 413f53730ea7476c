"""The one Dagster resource: the outside tools of this platform, opened when first used."""

from pathlib import Path
from typing import Any

import dagster as dg

from loan_platform.adapters.lake import Lake
from loan_platform.core.policies import Source
from loan_platform.core.portfolio import Portfolio
from loan_platform.settings import Settings, source_override


class Platform(dg.ConfigurableResource):
    """Lake, warehouse, registry and ledger below the platform home (see `loan_platform.settings`)."""

    @property
    def settings(self) -> Settings:
        """Where everything is, read from the environment."""
        return Settings.from_environment()

    @property
    def lake(self) -> Lake:
        """The Parquet files of all assets."""
        return Lake(self.settings.lake)

    @property
    def warehouse(self) -> Any:
        """DuckDB, for staging raw files."""
        from loan_platform.adapters.warehouse import Warehouse

        settings = self.settings
        return Warehouse(
            threads=settings.threads,
            memory_limit=settings.memory_limit,
            temp_directory=settings.cache / "duckdb",
        )

    def source_files(self, book: Portfolio, name: str) -> tuple[Source, list[Path]]:
        """The local files behind a source of the book.

        Raises:
            SourceError: no such source or no such file; the message says which setting to change.
        """
        from loan_platform.adapters.sources import resolve

        source = book.sources[name]
        override = source_override(book.name, name)
        files = resolve(source, home=self.settings.home, override=override, cache=self.settings.cache)
        return source, files

    def report(self, book: Portfolio, *names: str) -> Path:
        """Path of a report for people, its folder made."""
        path = self.settings.reports.joinpath(book.name, *names)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
