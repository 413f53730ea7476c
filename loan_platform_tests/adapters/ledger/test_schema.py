"""The tables of the ledger are made, completed and kept append-only."""

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from loan_platform.adapters.ledger.connections import LedgerUnavailableError
from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.adapters.ledger.schema import promotions
from loan_platform_tests.support.ledger_rows import WHO, A
from loan_platform_tests.support.processes.crashes import start
from loan_platform_tests.support.waiting import PATIENCE_SECONDS


def test_a_database_without_a_ledger_says_how_to_make_one(url: str) -> None:
    assert not Ledger(url).is_current()
    with pytest.raises(LedgerUnavailableError, match="loan-platform init"):
        Ledger(url).champion("book")
    assert not Ledger(url).is_current()


def test_whatever_part_of_the_schema_is_lost_is_made_again(ledger: Ledger, url: str) -> None:
    ledger.promote("book", 1, A, expected_epoch=0, **WHO)
    rows, engine = ledger.history(), sa.create_engine(url, isolation_level="AUTOCOMMIT")
    lost = ["DROP INDEX one_champion_per_epoch"]
    lost += {
        "sqlite": [
            "DROP TRIGGER promotions_no_update",
            "DROP TRIGGER promotions_no_delete",
            "PRAGMA journal_mode=DELETE",
        ],
        "postgresql": [
            "DROP TRIGGER promotions_append_only ON promotions",
            "ALTER TABLE promotions DISABLE TRIGGER promotions_append_only",
            "ALTER TABLE promotions DROP CONSTRAINT known_action",
        ],
    }[engine.dialect.name]
    for statement in lost:
        assert ledger.is_current()
        with engine.connect() as connection:
            connection.execute(sa.text(statement))
        assert not ledger.is_current(), statement
        ledger.create()
    assert ledger.is_current()
    assert ledger.history() == rows
    engine.dispose()


def test_a_table_of_something_else_is_not_taken_for_a_ledger(url: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE promotions (sequence int, action text)"))
    engine.dispose()
    ledger = Ledger(url)
    assert not ledger.is_current()
    with pytest.raises(LedgerUnavailableError, match=r"lacks portfolio, epoch.*hash\. Restore the ledger's backup"):
        ledger.create()
    with pytest.raises(LedgerUnavailableError, match=r"Its table is that of something else"):
        ledger.champion("book")


def test_a_ledger_from_before_withdrawals_keeps_its_rows(url: str) -> None:
    engine = sa.create_engine(url)
    before = sa.MetaData()
    columns = [sa.Column(c.name, c.type, primary_key=c.primary_key, nullable=c.nullable) for c in promotions.columns]
    known = sa.CheckConstraint("action in ('promoted', 'rejected')", name="known_action")
    table = sa.Table("promotions", before, *columns, known)
    where = table.c.action == "promoted"
    places = (table.c.portfolio, table.c.epoch)
    sa.Index("one_champion_per_epoch", *places, unique=True, sqlite_where=where, postgresql_where=where)
    before.create_all(engine)
    engine.dispose()
    ledger = Ledger(url)
    champion = ledger.promote("book", 1, A, expected_epoch=0, **WHO)
    with pytest.raises(DBAPIError, match="known_action"):
        ledger.withdraw(champion, actor="contract", run_id="run-2", reason="too early.")
    rows = ledger.history()
    assert not ledger.is_current()
    ledger.create()
    ledger.create()
    assert ledger.is_current()
    assert ledger.history() == rows
    assert ledger.withdraw(champion, actor="contract", run_id="run-2", reason="the champion reads term.")
    assert ledger.verify() == ledger.history()[-1].hash
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM promotions"))
    engine.dispose()


def test_the_database_rejects_changes_and_a_second_champion(ledger: Ledger, url: str) -> None:
    ledger.promote("book", 1, A, expected_epoch=0, **WHO)
    engine = sa.create_engine(url)
    copy = (
        "INSERT INTO promotions SELECT 2, portfolio, epoch, 9, model_sha256, previous_version, action, "
        "actor, run_id, verdict, decided_at, previous_hash, 'x' FROM promotions"
    )
    for statement in ("UPDATE promotions SET actor = 'eve'", "DELETE FROM promotions", copy):
        with pytest.raises(DBAPIError, match=r"append-only|(?i:unique)"), engine.begin() as connection:
            connection.execute(sa.text(statement))
    engine.dispose()
    assert [row.actor for row in ledger.history()] == ["policy"]


def test_many_processes_create_the_schema_at_once(url: str) -> None:
    workers = [start(create, url) for _ in range(12)]
    for worker in workers:
        worker.join(PATIENCE_SECONDS)
    assert [worker.exitcode for worker in workers] == [0] * 12
    assert Ledger(url).history() == []


def create(url: str) -> None:
    Ledger(url).create()
