"""Connections to the ledger's database, its locks, and what its errors mean."""

import re
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from filelock import FileLock, Timeout
from sqlalchemy import event
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, InternalError, OperationalError

from loan_platform.core.errors import ExplainedError

_NOT_THERE = (OperationalError, InternalError, InterfaceError, DatabaseError)
_MIRROR_LOCK = 5_150_317  # any number that nothing else in the database uses as a class of locks
_LOCK_SECONDS = 60

# By the error's text, first match first.
_REMEDIES = (
    ("no such table|UndefinedTable", "Run `loan-platform init`, which creates it"),
    ("database or disk is full|no space left|could not extend", "Free some space on its disk, and run again"),
    (
        "is locked|lock timeout|LockNotAvailable|QueryCanceled",
        "Another process writes to it, such as a backup. Run this again when it is done",
    ),
    ("readonly|read-only|permission denied", "Use a database, file and folder that this user may write to"),
    ("unable to open", "Give this user the rights to its folder, or correct LOAN_LEDGER_URL"),
    (
        "malformed|not a database",
        "The file is damaged or no database. Restore it from a backup, or correct LOAN_LEDGER_URL",
    ),
    ("I/O error", "Check the disk of the database"),
    (
        "no such column|no column named|UndefinedColumn",
        "Its table is that of something else: restore the ledger's backup, or correct LOAN_LEDGER_URL",
    ),
)
_START = "Start its database, or correct LOAN_LEDGER_URL"


class LedgerUnavailableError(ExplainedError, RuntimeError):
    """The ledger's database does not answer or cannot be used; the message says why and what to do."""


def open_engine(url: str) -> sa.Engine:
    """Engine without a connection pool: promotions are rare, and no connection survives a fork.

    Raises:
        ValueError: the database is neither SQLite nor PostgreSQL.
    """
    parsed = sa.make_url(url)
    dialect = parsed.get_backend_name()
    if dialect not in ("sqlite", "postgresql"):
        raise ValueError(f"The ledger does not support {dialect}. Use sqlite or postgresql.")
    if dialect == "postgresql":
        options = "-c lock_timeout=30s -c statement_timeout=60s"
        arguments: dict[str, Any] = {"options": options, "connect_timeout": 10}
        # Dagster installs this driver; SQLAlchemy's default may be missing.
        installed = parsed.set(drivername="postgresql+psycopg2")
        return sa.create_engine(installed, poolclass=sa.NullPool, connect_args=arguments)
    arguments = {} if "timeout" in parsed.query else {"timeout": _LOCK_SECONDS}  # that of the address counts
    engine = sa.create_engine(parsed, poolclass=sa.NullPool, connect_args=arguments)
    event.listen(engine, "connect", _sqlite_connected)
    event.listen(engine, "begin", _sqlite_begin)
    return engine


def sqlite_file(engine: sa.Engine) -> Path:
    """File of an SQLite ledger."""
    return Path(engine.url.database or "")


@contextmanager
def begin_read(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Connect for queries.

    Raises:
        LedgerUnavailableError: the database does not answer, or has no ledger.
    """
    with _explained(), engine.connect() as connection:
        yield connection


@contextmanager
def begin_write(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Begin a transaction that excludes other writers until it ends. Errors are those of `begin_read`."""
    with _explained(), engine.execution_options(exclusive=True).begin() as connection:
        yield connection


def lock_for_append(connection: sa.Connection) -> None:
    """Exclude other writers until the transaction ends. On SQLite, BEGIN IMMEDIATE already does."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE promotions IN SHARE ROW EXCLUSIVE MODE")


@contextmanager
def exclusively(engine: sa.Engine, portfolio: str) -> Iterator[None]:
    """Exclude other blocks of this portfolio, in any process that uses the database. Writers do not wait.

    Raises:
        LedgerUnavailableError: another block has held the lock for a minute, or the database does not answer.
    """
    if engine.dialect.name == "postgresql":
        key = sa.func.pg_advisory_xact_lock(_MIRROR_LOCK, zlib.crc32(portfolio.encode()) - 2**31)
        with ExitStack() as held:
            with _explained():
                held.enter_context(engine.begin()).execute(sa.select(key))
            yield
        return
    lock = FileLock(f"{sqlite_file(engine)}.{portfolio}.lock", timeout=_LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout as error:
        raise LedgerUnavailableError(
            f"Another run has held {error.lock_file} for {_LOCK_SECONDS} s. End it, and run again."
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        reason = " ".join(str(error.orig).split())
        remedy = remedy_of(f"{type(error.orig).__name__} {reason}")
        if remedy is None and type(error) not in _NOT_THERE:
            raise  # a row that the database refuses, or a defect
        raise LedgerUnavailableError(f"The promotion ledger cannot be used ({reason}). {remedy or _START}.") from error


def remedy_of(reason: str) -> str | None:
    """What to do about a database's error, by its class and text; None for an unknown one."""
    return next((then for text, then in _REMEDIES if re.search(text, reason, re.IGNORECASE)), None)


def _sqlite_connected(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver must not start transactions itself
    connection.execute("PRAGMA synchronous=FULL")  # an acknowledged promotion survives a power failure


def _sqlite_begin(connection: sa.Connection) -> None:
    exclusive = connection.get_execution_options().get("exclusive", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if exclusive else "BEGIN")
