"""`loan-platform ledger`: verify the promotion ledger, create the key that signs its rows, or sign them."""

import argparse
import sys

from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.adapters.ledger.signing import LedgerKey
from loan_platform.adapters.platform.home import ensure_ledger
from loan_platform.settings.platform import PlatformSettings


def run_ledger(settings: PlatformSettings, arguments: argparse.Namespace) -> int:
    """Run the action.

    Raises:
        BrokenLedgerError: a row was changed, removed, added or moved, or is not signed.
        LedgerKeyError: the key file exists already, or cannot be used.
        LedgerUnavailableError: the database does not answer.
    """
    key_file = settings.ledger_key or settings.service / "ledger.key"
    if arguments.action == "create-key":
        LedgerKey.create(key_file)
        sys.stdout.write(f"{key_file}\n")
        sys.stderr.write(
            f"Run `loan-platform ledger sign`, then set LOAN_LEDGER_KEY={key_file} for every process. "
            "Keep a copy of the key apart from the database.\n"
        )
        return 0
    ensure_ledger(settings)
    if arguments.action == "sign":
        signed = Ledger(settings.ledger_url).sign(LedgerKey.read(key_file))
        sys.stdout.write(f"{signed:,} rows were signed.\n")
        return 0
    return _verify(Ledger.from_settings(settings), arguments)


def _verify(ledger: Ledger, arguments: argparse.Namespace) -> int:
    head = ledger.verify(arguments.against.read_text().strip() if arguments.against else None)
    for row in ledger.history():
        sys.stdout.write(
            f"{row.sequence}  {row.decided_at}  {row.portfolio} version {row.version} {row.action} by {row.actor}\n"
        )
    sys.stdout.write(f"{len(ledger.history()):,} rows, unbroken. Hash of the last row: {head}\n")
    if arguments.save:
        arguments.save.write_text(f"{head}\n")
    return 0
