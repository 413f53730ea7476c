"""What a database refuses is told with its remedy."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from loan_platform.adapters.ledger.connections import LedgerUnavailableError, begin_write, open_engine, remedy_of
from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.adapters.storage.atomic_files import DiskFullError
from loan_platform_tests.support.ledger_rows import WHO, A


def test_an_error_of_the_database_has_its_own_remedy(tmp_path: Path) -> None:
    (tmp_path / "none.db").write_bytes(b"no database" * 100)
    with pytest.raises(LedgerUnavailableError, match="Restore it from a backup"):
        Ledger(f"sqlite:///{tmp_path}/none.db").is_current()
    Ledger(f"sqlite:///{tmp_path}/ledger.db").create()
    read_only = Ledger(f"sqlite:///file:{tmp_path}/ledger.db?mode=ro&uri=true")
    with pytest.raises(LedgerUnavailableError, match="this user may write to"):
        read_only.promote("book", 1, A, expected_epoch=0, **WHO)
    waits_short = Ledger(f"sqlite:///{tmp_path}/ledger.db?timeout=0")
    with sqlite3.connect(tmp_path / "ledger.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailableError, match="Another process writes to it"):
            waits_short.promote("book", 1, A, expected_epoch=0, **WHO)


def test_a_read_only_postgres_is_told(postgres_url: str) -> None:
    def write() -> None:
        with begin_write(open_engine(postgres_url)) as connection:
            connection.execute(sa.text("SET TRANSACTION READ ONLY"))
            connection.execute(sa.text("CREATE TABLE read_only (x INT)"))

    with pytest.raises(LedgerUnavailableError, match="this user may write to"):
        write()


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        ("OperationalError database or disk is full", "Free some space"),
        ("DiskFull could not extend file: No space left on device", "Free some space"),
        ("OperationalError database is locked", "Another process writes to it"),
        ("LockNotAvailable canceling statement due to lock timeout", "Another process writes to it"),
        ("OperationalError attempt to write a readonly database", "Use a database"),
        ("ReadOnlySqlTransaction cannot execute INSERT in a read-only transaction", "Use a database"),
        ("InsufficientPrivilege permission denied for table promotions", "Use a database"),
        ("OperationalError no such table: promotions", "Run `loan-platform init`"),
        ("OperationalError connection refused", None),
    ],
)
def test_a_database_error_has_the_remedy_for_its_cause(error: str, remedy: str | None) -> None:
    found = remedy_of(error)
    assert found == remedy or (remedy and found and found.startswith(remedy))


def test_a_full_disk_is_told_with_the_file(tmp_path: Path) -> None:
    def small(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA max_page_count=2")  # stands for a full disk: SQLite gives the same error

    event.listen(sa.Engine, "connect", small)
    try:
        with pytest.raises(DiskFullError, match=rf"{tmp_path}/ledger.db was not written: no space left on its disk"):
            Ledger(f"sqlite:///{tmp_path}/ledger.db").create()
    finally:
        event.remove(sa.Engine, "connect", small)
