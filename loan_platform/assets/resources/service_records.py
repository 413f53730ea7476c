"""The audit log of the scoring services."""

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from loan_platform.assets.resources.home import HomeResource
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.settings.audit import AuditKeySettings

if TYPE_CHECKING:  # imported when first used: every Dagster process loads this module
    from loan_platform.adapters.audit.reader import AuditRecords


class ServiceRecordsResource(HomeResource):
    """The audit log of every book's scoring service: each response as a record in a hash chain."""

    folder: str = Field(description="Folder of the services. The records of a book are in `<book>/audit`.")

    def open(self, book: Portfolio) -> "AuditRecords":
        """The records of the book's service. Encrypted inputs cannot be read where the file LOAN_AUDIT_KEY is missing.

        Raises:
            SettingsError: LOAN_AUDIT_KEY has an unusable value.
        """
        from loan_platform.adapters.audit.keys import AuditKey
        from loan_platform.adapters.audit.reader import AuditRecords

        key = AuditKeySettings.from_environment().key
        return AuditRecords(Path(self.folder, book.name, "audit"), AuditKey.read(key) if key.exists() else None)
