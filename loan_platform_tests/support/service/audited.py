"""The audit log of a home, and applications with personal values to look for in it."""

import os
import subprocess
import sys

from loan_platform.adapters.audit.keys import AuditKey
from loan_platform.adapters.audit.reader import AuditRecords
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


def command(home: Home, *words: str) -> "subprocess.CompletedProcess[str]":
    """`loan-platform audit` on the home."""
    line = [sys.executable, "-c", "import sys; from loan_platform.cli.main import main; sys.exit(main())", "audit"]
    environment = {**os.environ, **home.environment}
    return subprocess.run([*line, *words, "--book", BOOK], env=environment, capture_output=True, text=True, check=False)
