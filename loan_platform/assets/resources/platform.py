"""The one Dagster resource: the outside tools of this platform, opened when first used."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from loan_platform.adapters.storage.atomic_files import atomic_write
from loan_platform.adapters.storage.lake import Lake
from loan_platform.adapters.storage.model_store import ModelStore, StoredModel
from loan_platform.core.book.policies import Source
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.errors import NotMaterializedError, SourceError
from loan_platform.settings.audit import AuditSettings
from loan_platform.settings.checkout import code_root
from loan_platform.settings.platform import PlatformSettings
from loan_platform.settings.source_files import source_override

if TYPE_CHECKING:  # SQLAlchemy and DuckDB are imported when they are used: every Dagster process loads this module
    from loan_platform.adapters.audit.reader import AuditRecords
    from loan_platform.adapters.ledger.ledger import Champion, Ledger
    from loan_platform.adapters.service.bentos import BentoStore
    from loan_platform.adapters.tracking.registry import Registry
    from loan_platform.adapters.tracking.runs import Tracking
    from loan_platform.adapters.warehouse.linked_tables import LinkedTables
    from loan_platform.adapters.warehouse.session import DuckDbSession
    from loan_platform.adapters.warehouse.warehouse import Warehouse


class Platform(dg.ConfigurableResource):
    """Lake, warehouse, registry and ledger below the platform home (see `loan_platform.settings`)."""

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Make the platform home, so that any job works on an empty one."""
        from loan_platform.adapters.platform.home import ensure_home

        ensure_home(self.settings)

    @property
    def settings(self) -> PlatformSettings:
        """Where everything is, read from the environment."""
        return PlatformSettings.from_environment()

    @property
    def lake(self) -> Lake:
        """The Parquet files of all assets."""
        return Lake(self.settings.lake)

    @property
    def warehouse(self) -> "Warehouse":
        """DuckDB, for staging raw files."""
        from loan_platform.adapters.warehouse.warehouse import Warehouse

        return Warehouse(self._session)

    def linked_tables(self, book: Portfolio) -> "LinkedTables":
        """DuckDB, for joining the cleaned tables of a book of linked files."""
        from loan_platform.adapters.warehouse.linked_tables import LinkedTables

        return LinkedTables(self._session, book.contract)

    @property
    def _session(self) -> "DuckDbSession":
        from loan_platform.adapters.warehouse.session import DuckDbSession

        settings = self.settings
        return DuckDbSession(settings.threads, settings.memory_limit, settings.cache)

    @property
    def ledger(self) -> "Ledger":
        """Who became champion, when and why."""
        from loan_platform.adapters.ledger.ledger import Ledger

        return Ledger(self.settings.ledger_url)

    @property
    def tracking(self) -> "Tracking":
        """MLflow's runs."""
        from loan_platform.adapters.tracking.runs import Tracking

        settings = self.settings
        return Tracking(settings.tracking_uri, settings.mlartifacts if settings.embedded_tracking else None)

    @property
    def registry(self) -> "Registry":
        """MLflow's model versions."""
        from loan_platform.adapters.tracking.registry import Registry

        return Registry(self.tracking)

    def models(self, book: Portfolio) -> ModelStore:
        """The book's trained models."""
        return ModelStore(self.settings.lake / book.name / "trained_model")

    @property
    def bentos(self) -> "BentoStore":
        """The services that were built."""
        from loan_platform.adapters.service.bentos import BentoStore

        return BentoStore(self.settings.bentos, code_root())

    def champion(self, book: Portfolio) -> "Champion":
        """The book's champion.

        Raises:
            NotMaterializedError: nothing was promoted yet.
        """
        champion = self.ledger.champion(book.name)
        if champion is None:
            raise NotMaterializedError(f"{book.name} has no champion: materialize promoted_model first")
        return champion

    def records(self, book: Portfolio) -> "AuditRecords":
        """The records of what the book's service answered."""
        from loan_platform.adapters.audit.keys import AuditKey
        from loan_platform.adapters.audit.reader import AuditRecords

        settings = AuditSettings.for_portfolio(book.name)
        return AuditRecords(settings.directory, AuditKey.read(settings.key) if settings.key.exists() else None)

    def scored_by(self, book: Portfolio, version: int) -> StoredModel:
        """The model behind a version that once scored, champion or not any more.

        Raises:
            NotMaterializedError: the ledger or the lake does not know it.
        """
        promoted = {entry.version: entry.model_sha256 for entry in self.ledger.history(book.name)}
        if version not in promoted:
            raise NotMaterializedError(f"{book.name} version {version} is not in the ledger: score the batch again")
        return self.models(book).get(promoted[version])

    def has_source(self, book: Portfolio, name: str) -> bool:
        """Whether a source has files; one that the environment names must have some, and is told of when read."""
        try:
            self.source_files(book, name)
        except SourceError:
            return source_override(book.name, name) is not None
        return True

    def source_files(self, book: Portfolio, name: str) -> tuple[Source, list[Path]]:
        """The local files behind a source of the book.

        Raises:
            SourceError: no such source or no such file; the message says which setting to change.
        """
        from loan_platform.adapters.sources.resolve import resolve

        source = book.sources[name]
        override = source_override(book.name, name)
        files = resolve(
            source,
            home=self.settings.home,
            cache=self.settings.cache,
            override=override,
            variable=f"{book.name}_{name}".upper(),
        )
        return source, files

    def report_path(self, book: Portfolio, *names: str) -> Path:
        """Path of a report for people, its folder made."""
        path = self.settings.reports.joinpath(book.name, *names)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write_report(self, book: Portfolio, name: str, content: str | bytes) -> Path:
        """Publish a report below `reports/<portfolio>/`, whole or not at all."""
        path = self.report_path(book, *name.split("/"))
        atomic_write(path, content)
        return path

    def read_report(self, book: Portfolio, name: str) -> dict[str, Any]:
        """A JSON report written before.

        Raises:
            NotMaterializedError: it is not there yet.
        """
        path = self.report_path(book, *name.split("/"))
        if not path.is_file():
            raise NotMaterializedError(f"{path} does not exist: materialize the asset that writes it first")
        return json.loads(path.read_text())
