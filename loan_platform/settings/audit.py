"""How the service's audit log is written and read."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal, Self

from loan_platform.settings.environment import Variable, setting
from loan_platform.settings.platform import ExpandedPath, HomeSettings
from loan_platform.settings.service import WholeNumber


class AuditKeySettings(HomeSettings):
    """The key of the audit log: all that a reader needs."""

    key: ExpandedPath = setting(
        Variable("LOAN_AUDIT_KEY", "the path of a file", default="`<home>/service/audit.key`"),
        "File of the key that encrypts inputs and signs the audit log. `loan-platform audit create-key` makes it.",
        default_factory=lambda values: values["home"] / "service" / "audit.key",
    )


class AuditSettings(AuditKeySettings):
    """How the service's audit log is written and read."""

    READ_BY: ClassVar[tuple[str, ...]] = ("HTTP service", "commands", "asset graph")

    portfolio: str
    inputs: Literal["omitted", "encrypted", "plain"] = setting(
        Variable("LOAN_AUDIT_INPUTS", "omitted, encrypted or plain"),
        "How an application's inputs are recorded. With `encrypted` the service does not start without the key.",
        default="omitted",
    )
    fail: Literal["closed", "open"] = setting(
        Variable("LOAN_AUDIT_FAIL", "closed or open"),
        "If the log cannot be written: `closed` rejects requests with 503, `open` answers and counts the failures.",
        default="closed",
    )
    stated_days: WholeNumber = setting(
        Variable("LOAN_AUDIT_KEEP_DAYS", "a whole number from 0 to 36525"),
        "Days after which audit records are deleted. 0 keeps them.",
        default=0,
        ge=0,
        le=36_525,
    )

    @classmethod
    def for_portfolio(cls, portfolio: str, environ: Mapping[str, str] = os.environ) -> Self:
        """The settings of a portfolio's audit log.

        Raises:
            SettingsError: a variable has an unusable value.
        """
        return cls.from_environment(environ, portfolio=portfolio)

    @property
    def directory(self) -> Path:
        """Folder of the portfolio's audit log."""
        return self.service / self.portfolio / "audit"

    @property
    def keep_days(self) -> int | None:
        """Days after which records are deleted; None: never."""
        return self.stated_days or None
