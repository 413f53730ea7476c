"""The audit log of a home, and applications with personal values to look for in it."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass

import pytest

from loan_platform.adapters.audit.keys import AuditKey
from loan_platform.adapters.audit.reader import AuditRecords
from loan_platform.cli.main import main
from loan_platform.settings.audit import AuditSettings
from loan_platform_tests.support.bundles import typed_rows
from loan_platform_tests.support.service.running import BOOK, Home, bodies

CANARY = "Kanarienvogel-4711"
ROWS = [{**row, "loan_id": f"{CANARY}-{number}"} for number, row in enumerate(bodies(typed_rows()))]
PERSONAL = (CANARY, "Süd", "S\\u00fcd", "1990-", "17000.0")


def audit_of(home: Home, **more: str) -> AuditSettings:
    """The settings of the home's audit log."""
    return AuditSettings.for_portfolio(BOOK, {**home.environment, **more})


def records_of(home: Home) -> AuditRecords:
    """The home's audit log, opened with its key where there is one."""
    settings = audit_of(home)
    return AuditRecords(settings.directory, AuditKey.read(settings.key) if settings.key.exists() else None)


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    returncode: int
    stdout: str
    stderr: str


def command(home: Home, *words: str) -> Ran:
    """`loan-platform audit` on the home, in this process."""
    output, errors = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(output), redirect_stderr(errors):
        patch.setattr(sys, "argv", ["loan-platform", "audit", *words, "--book", BOOK])
        for name, value in home.environment.items():
            patch.setenv(name, value)
        try:
            code = main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    return Ran(code, output.getvalue(), errors.getvalue())
