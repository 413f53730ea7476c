"""The ledger's table and its append-only trigger, for SQLite and PostgreSQL."""

import sqlalchemy as sa
from filelock import FileLock

from loan_platform.adapters.ledger.connections import LedgerUnavailableError, begin_read, begin_write, sqlite_file
from loan_platform.adapters.storage.atomic_files import explained_disk_full

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
# Apart from the rows, because those of before the key are signed later and stay as they are.
signatures = sa.Table(
    "promotion_signatures",
    metadata,
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("signature", sa.Text, nullable=False),
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
_TRIGGERS = {
    "sqlite": sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'promotions'"),
    "postgresql": sa.text(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = 'promotions'::regclass AND NOT tgisinternal AND tgenabled <> 'D'"
    ),
}
_EXPECTED_TRIGGERS = {
    "sqlite": {"promotions_no_update", "promotions_no_delete"},
    "postgresql": {"promotions_append_only"},
}
_SCHEMA_LOCK = 5_150_317_001  # any number that nothing else in the database uses as a lock


def is_current(engine: sa.Engine) -> bool:
    """Whether `create_schema` would have nothing to do. Nothing is created, no SQLite file either.

    Raises:
        LedgerUnavailableError: the database does not answer.
    """
    if engine.dialect.name == "sqlite" and not sqlite_file(engine).is_file():
        return False
    with begin_read(engine) as connection:
        return (
            sa.inspect(connection).has_table(promotions.name)
            and sa.inspect(connection).has_table(signatures.name)
            and not _missing_columns(connection)
            and _knows_withdrawals(connection)
            and _has_index(connection)
            and _has_triggers(connection)
            and _writes_ahead(connection)
        )


def create_schema(engine: sa.Engine) -> None:
    """Create the missing parts: table, index and append-only trigger. Several processes may do this at once.

    Raises:
        LedgerUnavailableError: the database does not answer, or its table is not the ledger's.
        DiskFullError: no space is left for the SQLite file.
    """
    if engine.dialect.name == "postgresql":
        with begin_write(engine) as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_SCHEMA_LOCK)))
            _create(connection)
        return
    file = sqlite_file(engine)
    file.parent.mkdir(parents=True, exist_ok=True)
    with explained_disk_full(file), FileLock(f"{file}.lock"):
        with begin_read(engine) as connection:  # outside a transaction, and by one process only
            connection.connection.cursor().execute("PRAGMA journal_mode=WAL")
        with begin_write(engine) as connection:
            _create(connection)


def _create(connection: sa.Connection) -> None:
    if not sa.inspect(connection).has_table(promotions.name):
        metadata.create_all(connection)
    elif missing := _missing_columns(connection):
        raise LedgerUnavailableError(
            f"The promotion ledger cannot be used: its table {promotions.name} lacks {', '.join(missing)}. Restore the "
            "ledger's backup, or correct LOAN_LEDGER_URL."
        )
    elif not _knows_withdrawals(connection):
        _allow_withdrawals(connection)
    signatures.create(connection, checkfirst=True)
    if not _has_index(connection):
        _ONE_CHAMPION.create(connection)
    for statement in _APPEND_ONLY[connection.dialect.name]:
        connection.exec_driver_sql(statement)


def _missing_columns(connection: sa.Connection) -> list[str]:
    found = {column["name"] for column in sa.inspect(connection).get_columns(promotions.name)}
    return [column.name for column in promotions.columns if column.name not in found]


def _has_index(connection: sa.Connection) -> bool:
    return any(index["name"] == _ONE_CHAMPION.name for index in sa.inspect(connection).get_indexes(promotions.name))


def _has_triggers(connection: sa.Connection) -> bool:
    kind = connection.dialect.name
    return set(connection.execute(_TRIGGERS[kind]).scalars()) >= _EXPECTED_TRIGGERS[kind]


def _writes_ahead(connection: sa.Connection) -> bool:
    """Whether readers of an SQLite file do not wait for a writer. A copy by VACUUM INTO has lost this mode."""
    if connection.dialect.name != "sqlite":
        return True
    return connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def _knows_withdrawals(connection: sa.Connection) -> bool:
    checks = sa.inspect(connection).get_check_constraints(promotions.name)
    return any("withdrawn" in check["sqltext"] for check in checks)


def _allow_withdrawals(connection: sa.Connection) -> None:
    """Widen the check of a ledger from before withdrawals. SQLite copies the table; the rows stay as they are."""
    name = promotions.name
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ALTER TABLE {name} DROP CONSTRAINT IF EXISTS known_action")
        connection.exec_driver_sql(f"ALTER TABLE {name} ADD CONSTRAINT known_action CHECK ({ACTIONS})")
        return
    connection.exec_driver_sql("DROP INDEX IF EXISTS one_champion_per_epoch")
    connection.exec_driver_sql(f"ALTER TABLE {name} RENAME TO {name}_before")
    promotions.create(connection)
    columns = ", ".join(column.name for column in promotions.columns)
    connection.exec_driver_sql(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM {name}_before ORDER BY sequence")
    connection.exec_driver_sql(f"DROP TABLE {name}_before")  # with its triggers, which are created again
