"""The promotion ledger: which version is champion, since when and why."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from loan_platform.assets.resources.home import HomeResource
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.errors import NotMaterializedError
from loan_platform.settings.platform import LedgerSettings, TrackingSettings

if TYPE_CHECKING:  # imports SQLAlchemy
    from loan_platform.adapters.ledger.entries import Champion
    from loan_platform.adapters.ledger.ledger import Ledger


class LedgerResource(HomeResource):
    """The promotion ledger: an append-only table with every decision about a version, in SQLite or PostgreSQL."""

    home: str = Field(description="The platform home.")
    url: str | None = Field(
        default=None, description="Address of the database. Empty: a SQLite file in the platform home."
    )

    def open(self) -> "Ledger":
        """The ledger of all books.

        Raises:
            SettingsError: LOAN_LEDGER_URL has an unusable value.
            LedgerKeyError: the file that LOAN_LEDGER_KEY names cannot be used.
        """
        from loan_platform.adapters.ledger.ledger import Ledger
        from loan_platform.adapters.platform.home import ensure_ledger

        stated = {"LOAN_PLATFORM_HOME": self.home, "LOAN_LEDGER_URL": self.url or ""}
        settings = LedgerSettings.from_environment(os.environ | stated)
        ensure_ledger(settings)
        return Ledger.from_settings(settings)

    def champion(self, book: Portfolio) -> "Champion":
        """The book's champion.

        Raises:
            NotMaterializedError: no version was promoted yet, or it was withdrawn; with the last decisions.
        """
        ledger = self.open()
        champion = ledger.champion(book.name)
        if champion is None:
            why = ledger.why_none(book.name) or _refused(book, Path(self.home)) or "materialize promoted_model first"
            raise NotMaterializedError(f"{book.name} has no champion: {why}")
        return champion

    def last_champion(self, book: Portfolio) -> int:
        """The version that was promoted last, also after its withdrawal.

        Raises:
            NotMaterializedError: no version was promoted yet; with the last decisions.
        """
        promoted = [row.version for row in self.open().history(book.name) if row.action == "promoted"]
        return promoted[-1] if promoted else self.champion(book).version

    def versions(self, book: Portfolio) -> dict[int, str]:
        """SHA-256 of the model behind every version that the ledger knows."""
        return {entry.version: entry.model_sha256 for entry in self.open().history(book.name)}

    def model_sha256(self, book: Portfolio, version: int) -> str:
        """SHA-256 of the model behind a version, whether it is still champion or not.

        Raises:
            NotMaterializedError: the ledger does not know the version.
        """
        versions = self.versions(book)
        if version not in versions:
            raise NotMaterializedError(f"{book.name} version {version} is not in the ledger: score the batch again")
        return versions[version]


def _refused(book: Portfolio, home: Path) -> str | None:
    """Why the newest model did not even become a version."""
    from loan_platform.adapters.storage.report_files import ReportFiles
    from loan_platform.core.evaluation.evaluation_report import Evaluation

    reports = ReportFiles(TrackingSettings.from_environment(os.environ | {"LOAN_PLATFORM_HOME": str(home)}).reports)
    if not (reports.root / book.name / "evaluation.json").is_file():
        return None
    refusals = reports.read(book.name, "evaluation.json", Evaluation).refusals
    return f"the newest model was refused: {' '.join(refusals)}" if refusals else None
