import json
import os
import random
import signal
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from loan_platform.adapters.ledger.connections import LedgerUnavailableError, begin_write, open_engine, remedy_of
from loan_platform.adapters.ledger.entries import Standing, Withdrawal
from loan_platform.adapters.ledger.ledger import BrokenLedgerError, Ledger, StalePromotionError
from loan_platform.adapters.ledger.schema import promotions
from loan_platform.adapters.storage.atomic_files import DiskFullError
from loan_platform_tests.support.processes.crashes import start
from loan_platform_tests.support.processes.postgres import postgres
from loan_platform_tests.support.waiting import PATIENCE_SECONDS, until

WHO: dict[str, Any] = {"actor": "policy", "run_id": "run-1", "verdict": {"promote": True, "auc": 0.7}}


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    server = request.getfixturevalue("postgres_url")
    name = f"ledger_{os.getpid()}_{random.getrandbits(40)}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture
def ledger(url: str) -> Ledger:
    moments = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=i) for i in range(1000))
    ledger = Ledger(url, clock=lambda: next(moments))
    ledger.create()
    ledger.create()
    return ledger


def test_an_address_need_not_name_the_driver(url: str, ledger: Ledger) -> None:
    assert Ledger(url.replace("+psycopg2", "")).champion("book") is None


def test_a_promotion_makes_the_champion_and_a_rejection_does_not(ledger: Ledger) -> None:
    assert ledger.champion("book") is None
    first = ledger.promote("book", 1, "aaa", expected_epoch=0, **WHO)
    assert (first.epoch, first.version, first.model_sha256) == (1, 1, "aaa")
    ledger.reject("book", 2, "bbb", actor="policy", run_id="run-2", verdict={"promote": False})
    assert ledger.champion("book") == first
    second = ledger.promote("book", 3, "ccc", expected_epoch=1, **WHO)
    assert ledger.champion("book") == second
    ledger.promote("other", 1, "ddd", expected_epoch=0, **WHO)
    rows = ledger.history("book")
    assert [(r.sequence, r.epoch, r.version, r.previous_version, r.action) for r in rows] == [
        (1, 1, 1, None, "promoted"),
        (2, 1, 2, 1, "rejected"),
        (3, 2, 3, 1, "promoted"),
    ]
    assert json.loads(rows[0].verdict) == WHO["verdict"]
    assert rows[1].decided_at == "2026-01-01T01:00:00.000000+00:00"
    assert ledger.verify() == ledger.history()[-1].hash


def test_a_withdrawn_champion_is_champion_no_more(ledger: Ledger) -> None:
    assert ledger.why_none("book") is None
    first = ledger.promote("book", 1, "aaa", expected_epoch=0, **WHO)
    assert ledger.withdraw(first, actor="contract", run_id="run-2", reason="the champion reads term.")
    assert not ledger.withdraw(first, actor="contract", run_id="run-2", reason="once is enough.")
    assert ledger.standing("book") == Standing(2, None)
    assert ledger.withdrawal("book") == Withdrawal(1, "version 1 was withdrawn: the champion reads term.")
    ledger.reject("book", 2, "bbb", actor="policy", run_id="run-3", verdict={"summary": "Rejected: ECE."})
    assert ledger.why_none("book") == "version 1: Withdrawn: the champion reads term. version 2: Rejected: ECE."
    with pytest.raises(StalePromotionError, match=r"champion is none, epoch 2. Materialize decision_policy again"):
        ledger.promote("book", 3, "aaa-policy", expected_epoch=first.epoch, step="decision_policy", **WHO)
    with pytest.raises(StalePromotionError, match="Materialize promoted_model again"):
        ledger.reject("book", 3, "ccc", expected_epoch=first.epoch, **WHO)
    again = ledger.promote("book", 3, "ccc", expected_epoch=2, **WHO)
    assert ledger.withdrawn_versions("book") == {1}
    assert ledger.withdrawn_versions("other") == set()
    assert (ledger.champion("book"), ledger.withdrawal("book"), ledger.why_none("book")) == (again, None, None)
    rows = [(r.epoch, r.version, r.previous_version, r.action) for r in ledger.history("book")]
    assert rows == [
        (1, 1, None, "promoted"),
        (2, 1, 1, "withdrawn"),
        (2, 2, None, "rejected"),
        (3, 3, None, "promoted"),
    ]
    assert not ledger.withdraw(first, actor="contract", run_id="run-4", reason="it is not the champion.")
    assert ledger.verify() == ledger.history()[-1].hash
    ledger.promote("book", 1, "aaa", expected_epoch=3, **WHO)
    assert ledger.withdrawn_versions("book") == set()


def test_only_a_rejection_since_the_withdrawal_says_why_none(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.create()
    rejected: dict[str, Any] = WHO | {"verdict": {"summary": "Rejected: AUC."}}
    ledger.reject("book", 1, "aaa", **rejected)
    assert ledger.why_none("book") == "version 1: Rejected: AUC."
    champion = ledger.promote("book", 2, "bbb", expected_epoch=0, **WHO)
    ledger.reject("book", 3, "ccc", **rejected)
    ledger.withdraw(champion, actor="contract", run_id="run-2", reason="the champion reads debt.")
    assert ledger.why_none("book") == "version 2: Withdrawn: the champion reads debt."


def test_a_database_without_a_ledger_says_how_to_make_one(url: str) -> None:
    assert not Ledger(url).is_current()
    with pytest.raises(LedgerUnavailableError, match="loan-platform init"):
        Ledger(url).champion("book")
    assert not Ledger(url).is_current()


def test_whatever_part_of_the_schema_is_lost_is_made_again(ledger: Ledger, url: str) -> None:
    ledger.promote("book", 1, "aaa", expected_epoch=0, **WHO)
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


def test_an_error_of_the_database_has_its_own_remedy(tmp_path: Path) -> None:
    (tmp_path / "none.db").write_bytes(b"no database" * 100)
    with pytest.raises(LedgerUnavailableError, match="Restore it from a backup"):
        Ledger(f"sqlite:///{tmp_path}/none.db").is_current()
    Ledger(f"sqlite:///{tmp_path}/ledger.db").create()
    read_only = Ledger(f"sqlite:///file:{tmp_path}/ledger.db?mode=ro&uri=true")
    with pytest.raises(LedgerUnavailableError, match="this user may write to"):
        read_only.promote("book", 1, "aaa", expected_epoch=0, **WHO)
    waits_short = Ledger(f"sqlite:///{tmp_path}/ledger.db?timeout=0")
    with sqlite3.connect(tmp_path / "ledger.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailableError, match="Another process writes to it"):
            waits_short.promote("book", 1, "aaa", expected_epoch=0, **WHO)


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
    champion = ledger.promote("book", 1, "aaa", expected_epoch=0, **WHO)
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


def test_a_stale_promotion_is_refused(ledger: Ledger) -> None:
    ledger.promote("book", 1, "aaa", expected_epoch=0, **WHO)
    for stale in (0, 2):
        with pytest.raises(StalePromotionError, match=f"decided on at epoch {stale}.*is version 1, epoch 1"):
            ledger.promote("book", 2, "bbb", expected_epoch=stale, **WHO)
    assert [row.version for row in ledger.history()] == [1]


def test_the_database_rejects_changes_and_a_second_champion(ledger: Ledger, url: str) -> None:
    ledger.promote("book", 1, "aaa", expected_epoch=0, **WHO)
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


def test_every_changed_value_is_found(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.create()
    _fill(ledger)
    with sqlite3.connect(tmp_path / "ledger.db", isolation_level=None) as database:
        database.execute("DROP TRIGGER promotions_no_update")
        columns = [row[1] for row in database.execute("PRAGMA table_info(promotions)")]
        assert len(columns) == 13
        for sequence in range(1, 7):
            for column in columns:
                where = f"FROM promotions WHERE sequence = {sequence}"
                (before,) = database.execute(f"SELECT {column} {where}").fetchone()
                now = {"action": "rejected" if before == "promoted" else "promoted"}.get(column, _other(before))
                if column == "action" and now == "promoted":  # else the index refuses it already
                    database.execute("DROP INDEX IF EXISTS one_champion_per_epoch")
                database.execute(f"UPDATE promotions SET {column} = ? WHERE sequence = {sequence}", (now,))
                with pytest.raises(BrokenLedgerError, match=f"ledger row {sequence}:"):
                    ledger.verify()
                changed = now if column == "sequence" else sequence
                database.execute(f"UPDATE promotions SET {column} = ? WHERE sequence = {changed}", (before,))
        ledger.verify()


@pytest.mark.parametrize("removed", range(1, 7))
def test_a_removed_row_is_found(tmp_path: Path, removed: int) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.create()
    _fill(ledger)
    head = ledger.verify()
    assert ledger.verify(head) == head
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        database.execute("DROP TRIGGER promotions_no_delete")
        database.execute(f"DELETE FROM promotions WHERE sequence = {removed}")
    with pytest.raises(BrokenLedgerError, match=f"ledger row {removed}:"):
        ledger.verify(head)


def test_sixteen_promoters_with_kills_never_make_two_champions(url: str, tmp_path: Path) -> None:
    ledger, draw = Ledger(url), random.Random(7)
    turns = 15 if url.startswith("sqlite") else 8
    ledger.create()
    victims = draw.sample(range(16), 6)
    workers = [
        start(promote_many, url, tmp_path / f"{number}.log", number, 10_000 if number in victims else turns)
        for number in range(16)
    ]
    for number in victims:
        log, enough = tmp_path / f"{number}.log", draw.randrange(1, turns)
        until(lambda log=log, enough=enough: log.exists() and log.read_text().count("\n") >= enough)
        workers[number].kill()
    for worker in workers:
        worker.join(PATIENCE_SECONDS)
    assert {worker.exitcode for worker in workers} == {0, -signal.SIGKILL}
    rows = [row for row in ledger.history("book") if row.action == "promoted"]
    assert [row.epoch for row in rows] == list(range(1, len(rows) + 1))
    assert [row.previous_version for row in rows] == [None, *(row.version for row in rows[:-1])]
    assert ledger.verify() == ledger.history()[-1].hash
    recorded = {(row.epoch, row.version) for row in rows}
    answered = [tuple(json.loads(x)) for f in tmp_path.glob("*.log") for x in f.read_text().splitlines()]
    assert len(answered) >= 10 * turns
    assert set(answered) <= recorded
    assert len(recorded) - len(answered) <= 6  # a killed worker may not have noted its last one
    champion = ledger.champion("book")
    assert champion is not None
    assert (champion.epoch, champion.version) == max(recorded)


def test_many_processes_create_the_schema_at_once(url: str) -> None:
    workers = [start(create, url) for _ in range(12)]
    for worker in workers:
        worker.join(PATIENCE_SECONDS)
    assert [worker.exitcode for worker in workers] == [0] * 12
    assert Ledger(url).history() == []


def promote_many(url: str, log: Path, worker: int, times: int) -> None:
    ledger = Ledger(url)
    with log.open("w") as answered:
        for turn in range(times):
            version = worker * 100_000 + turn
            while True:
                champion = ledger.champion("book")
                try:
                    made = ledger.promote(
                        "book",
                        version,
                        f"sha{version}",
                        expected_epoch=champion.epoch if champion else 0,
                        **WHO,
                    )
                except StalePromotionError:
                    continue
                break
            answered.write(f"{json.dumps([made.epoch, made.version])}\n")
            answered.flush()


def create(url: str) -> None:
    Ledger(url).create()


def _fill(ledger: Ledger) -> None:
    for epoch in range(3):
        ledger.promote("book", epoch + 1, f"sha{epoch}", expected_epoch=epoch, **WHO)
        ledger.reject("book", epoch + 10, f"sha{epoch}", **WHO)


def _other(value: Any) -> Any:
    return value + 1000 if isinstance(value, int) else f"{value or ''}x"
