"""The ledger's table, its append-only trigger and its connections, for SQLite and PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from filelock import FileLock
from sqlalchemy import event
from sqlalchemy.exc import DatabaseError, InterfaceError, InternalError, OperationalError

from loan_platform.core.errors import ExplainedError

metadata = sa.MetaData()
ACTIONS = "action in ('promoted', 'rejected', 'withdrawn')"

# Time and verdict are text, so that both databases store exactly the bytes that were hashed.
promotions = sa.Table(
    "promotions",
    metadata,
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("portfolio", sa.Text, nullable=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("model_sha256", sa.Text, nullable=False),
    sa.Column("previous_version", sa.BigInteger),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("decided_at", sa.Text, nullable=False),
    sa.Column("previous_hash", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False, unique=True),
    sa.CheckConstraint(ACTIONS, name="known_action"),
)
# The database itself rejects a second champion of one epoch.
_ONE_CHAMPION = sa.Index(
    "one_champion_per_epoch",
    promotions.c.portfolio,
    promotions.c.epoch,
    unique=True,
    sqlite_where=promotions.c.action == "promoted",
    postgresql_where=promotions.c.action == "promoted",
)

_APPEND_ONLY = {
    "sqlite": [
        f"CREATE TRIGGER IF NOT EXISTS promotions_no_{verb} BEFORE {verb} ON promotions "
        "BEGIN SELECT raise(ABORT, 'the ledger is append-only'); END"
        for verb in ("update", "delete")
    ],
    "postgresql": [
        "CREATE OR REPLACE FUNCTION promotions_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$",
        "DROP TRIGGER IF EXISTS promotions_append_only ON promotions",
        "CREATE TRIGGER promotions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON promotions "
        "EXECUTE FUNCTION promotions_append_only()",
    ],
}
_UNAVAILABLE = (OperationalError, DatabaseError, InternalError, InterfaceError)
_REMEDIES = {
    ("no such table", "UndefinedTable"): "Run `loan-platform init`, which creates it",
    ("is locked", "LockNotAvailable", "QueryCanceled"): "Another process writes to it. Run this again when it is done",
    ("readonly", "read-only"): "Use a database, file and folder that this user may write to",
    ("not a database", "malformed"): "The file is damaged or no database. Restore it from a backup",
    ("is full", "I/O error", "DiskFull"): "Check the disk of the database",
}
_SCHEMA_LOCK = 5_150_317_001  # any number that nothing else in the database uses as a lock


class LedgerUnavailableError(ExplainedError, RuntimeError):
    """The ledger's database does not answer; the message says why and what to do."""


def open_engine(url: str) -> sa.Engine:
    """Engine without a connection pool: promotions are rare, and no connection survives a fork.

    Raises:
        ValueError: the database is neither SQLite nor PostgreSQL.
    """
    parsed = sa.make_url(url)
    dialect = parsed.get_backend_name()
    if dialect not in _APPEND_ONLY:
        raise ValueError(f"The ledger does not support {dialect}. Use sqlite or postgresql.")
    if dialect == "postgresql":
        options = "-c lock_timeout=30s -c statement_timeout=60s"
        arguments: dict[str, Any] = {"options": options, "connect_timeout": 10}
        # Dagster installs this driver; SQLAlchemy's default may be missing.
        installed = parsed.set(drivername="postgresql+psycopg2")
        return sa.create_engine(installed, poolclass=sa.NullPool, connect_args=arguments)
    engine = sa.create_engine(parsed, poolclass=sa.NullPool, connect_args={"timeout": 60})
    event.listen(engine, "connect", _sqlite_connected)
    event.listen(engine, "begin", _sqlite_begin)
    return engine


def is_current(engine: sa.Engine) -> bool:
    """Whether the schema is complete and that of this release. Nothing is created, no SQLite file either.

    Raises:
        LedgerUnavailableError: the database does not answer.
    """
    if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").is_file():
        return False
    with begin_read(engine) as connection:
        known = sa.inspect(connection).has_table(promotions.name) and _knows_withdrawals(connection)
        return known and _is_guarded(connection)


def create_schema(engine: sa.Engine) -> None:
    """Create the missing parts: table, index and append-only trigger. Several processes may do this at once.

    Raises:
        LedgerUnavailableError: the database does not answer.
    """
    if engine.dialect.name == "postgresql":
        with begin_write(engine) as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_SCHEMA_LOCK)))
            _create(connection)
        return
    file = Path(engine.url.database or "")
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{file}.lock"):
        with begin_read(engine) as connection:  # outside a transaction, and by one process only
            connection.connection.cursor().execute("PRAGMA journal_mode=WAL")
        with begin_write(engine) as connection:
            _create(connection)


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


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (DatabaseError, InterfaceError) as error:
        reason = " ".join(str(error.orig).split())
        told = f"{type(error.orig).__name__} {reason}"
        remedy = next((remedy for texts, remedy in _REMEDIES.items() if any(text in told for text in texts)), None)
        if remedy is None:
            if type(error) not in _UNAVAILABLE:
                raise  # a row that the database refuses, or a defect
            remedy = "Start its database, or correct LOAN_LEDGER_URL"
        raise LedgerUnavailableError(f"The promotion ledger cannot be used ({reason}). {remedy}.") from error


def lock_for_append(connection: sa.Connection) -> None:
    """Exclude other writers until the transaction ends. On SQLite, BEGIN IMMEDIATE already does."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE promotions IN SHARE ROW EXCLUSIVE MODE")


def _create(connection: sa.Connection) -> None:
    if not sa.inspect(connection).has_table(promotions.name):
        metadata.create_all(connection)
    elif not _knows_withdrawals(connection):
        _allow_withdrawals(connection)
    _ONE_CHAMPION.create(connection, checkfirst=True)
    for statement in _APPEND_ONLY[connection.dialect.name]:
        connection.exec_driver_sql(statement)


def _is_guarded(connection: sa.Connection) -> bool:
    """Whether index and append-only triggers are there. A table that was restored alone has neither."""
    if connection.dialect.name == "postgresql":
        query = f"SELECT tgname FROM pg_trigger WHERE tgrelid = '{promotions.name}'::regclass AND tgenabled <> 'D'"
        triggers = {"promotions_append_only"}
    else:
        query = f"SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = '{promotions.name}'"
        triggers = {"promotions_no_update", "promotions_no_delete"}
    indexes = {index["name"] for index in sa.inspect(connection).get_indexes(promotions.name)}
    return _ONE_CHAMPION.name in indexes and triggers <= {*connection.exec_driver_sql(query).scalars()}


def _knows_withdrawals(connection: sa.Connection) -> bool:
    checks = sa.inspect(connection).get_check_constraints(promotions.name)
    return any("withdrawn" in check["sqltext"] for check in checks)


def _allow_withdrawals(connection: sa.Connection) -> None:
    """Widen the check of a ledger from before withdrawals. SQLite copies the table; the rows stay as they are."""
    name = promotions.name
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ALTER TABLE {name} DROP CONSTRAINT known_action")
        connection.exec_driver_sql(f"ALTER TABLE {name} ADD CONSTRAINT known_action CHECK ({ACTIONS})")
        return
    connection.exec_driver_sql(f"DROP INDEX IF EXISTS {_ONE_CHAMPION.name}")
    connection.exec_driver_sql(f"ALTER TABLE {name} RENAME TO {name}_before")
    metadata.create_all(connection)
    columns = ", ".join(column.name for column in promotions.columns)
    connection.exec_driver_sql(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM {name}_before ORDER BY sequence")
    connection.exec_driver_sql(f"DROP TABLE {name}_before")  # with its triggers, which are created again


def _sqlite_connected(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver must not start transactions itself
    connection.execute("PRAGMA synchronous=FULL")  # an acknowledged promotion survives a power failure


def _sqlite_begin(connection: sa.Connection) -> None:
    exclusive = connection.get_execution_options().get("exclusive", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if exclusive else "BEGIN")
