"""Rows that something else than the platform wrote are never used."""

import base64
import sqlite3
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from loan_platform.adapters.ledger.entries import BrokenLedgerError
from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.adapters.ledger.row_hash import row_hash
from loan_platform.adapters.ledger.signing import LedgerKey, LedgerKeyError
from loan_platform_tests.support.ledger_rows import WHO, A, B, C


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


@pytest.mark.attack("stores", "a row of the ledger changed by SQL", before="served: 1,111 of 1,111 approved")
@pytest.mark.parametrize("column", ["version", "model_sha256", "action", "portfolio"])
def test_a_changed_row_is_never_read(tmp_path: Path, column: str) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.create()
    _fill(ledger)
    running, champion = Ledger(f"sqlite:///{tmp_path}/ledger.db"), ledger.champion("book")
    assert running.champion("book") == champion
    value = {"version": 7, "model_sha256": B, "action": "rejected", "portfolio": "other"}[column]
    _rewrite(tmp_path / "ledger.db", f"UPDATE promotions SET {column} = ? WHERE sequence = 5", value)
    with pytest.raises(BrokenLedgerError, match="ledger row 5: its content does not match its hash"):
        Ledger(f"sqlite:///{tmp_path}/ledger.db").champion("book")
    with pytest.raises(BrokenLedgerError, match="ledger row 5:"):
        Ledger(f"sqlite:///{tmp_path}/ledger.db").promote("book", 9, A, expected_epoch=3, **WHO)
    assert running.champion("book") == champion  # it answers from what it verified


@pytest.mark.attack("stores", "rows of the ledger removed or replaced while the service runs", before="served")
def test_rows_that_were_read_may_not_disappear(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.create()
    _fill(ledger)
    running = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    assert running.epoch("book") == 3
    _rewrite(tmp_path / "ledger.db", "DELETE FROM promotions WHERE sequence >= ?", 5)
    for _ in range(2):
        with pytest.raises(BrokenLedgerError, match="ledger row 6: it was read before, and is missing"):
            running.champion("book")
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.promote("book", 3, A, expected_epoch=2, **WHO)
    ledger.reject("book", 4, A, **WHO)
    with pytest.raises(BrokenLedgerError, match="ledger row 6: it was read before"):
        running.champion("book")


@pytest.mark.attack("stores", "a ledger row that names a folder", before="the service removed the folder")
@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("model_sha256", "/some/folder", "'/some/folder' is no SHA-256 of a model"),
        ("model_sha256", "../" + "a" * 61, "is no SHA-256"),
        ("model_sha256", "A" * 64, "is no SHA-256"),
        ("model_sha256", "a" * 64 + "\n", "is no SHA-256"),
        ("version", "../1", "'../1' is no version"),
        ("epoch", -1, "-1 is no epoch"),
        ("previous_version", "x", "'x' is no previous version"),
    ],
)
def test_values_of_rows_are_never_paths(tmp_path: Path, column: str, value: Any, told: str) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.create()
    ledger.promote("book", 1, A, expected_epoch=0, **WHO)
    row = asdict(ledger.history()[0]) | {column: value}
    row["hash"] = row_hash({name: what for name, what in row.items() if name != "hash"})  # an honest hash
    _rewrite(tmp_path / "ledger.db", f"UPDATE promotions SET {column} = ?, hash = ?", value, row["hash"])
    with pytest.raises(BrokenLedgerError, match=told):
        Ledger(f"sqlite:///{tmp_path}/ledger.db").champion("book")


def test_a_decision_that_names_no_model_is_not_recorded(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.create()
    with pytest.raises(ValueError, match=r"cannot be recorded: '\.\./x' is no SHA-256"):
        ledger.promote("book", 1, "../x", expected_epoch=0, **WHO)
    assert ledger.history() == []


@pytest.mark.attack("stores", "a whole ledger forged with right hashes", before="served")
def test_with_a_key_an_unsigned_row_is_refused(url: str, tmp_path: Path) -> None:
    LedgerKey.create(tmp_path / "ledger.key")
    LedgerKey.create(tmp_path / "other.key")
    key, other = LedgerKey.read(tmp_path / "ledger.key"), LedgerKey.read(tmp_path / "other.key")
    unsigned, signing = Ledger(url), Ledger(url, key=key)
    unsigned.create()
    unsigned.promote("book", 1, A, expected_epoch=0, **WHO)
    with pytest.raises(BrokenLedgerError, match=r"ledger row 1: it has no signature.*loan-platform ledger sign"):
        signing.champion("book")
    assert unsigned.sign(key) == 1
    assert unsigned.sign(key) == 0
    with pytest.raises(BrokenLedgerError, match="row 1: it has the signature of another key"):
        unsigned.sign(other)
    champion = signing.promote("book", 2, B, expected_epoch=1, **WHO)
    assert Ledger(url, key=key).champion("book") == champion
    assert Ledger(url, key=key).verify() == signing.history()[-1].hash
    with pytest.raises(BrokenLedgerError, match="row 1: its signature is not that of this LOAN_LEDGER_KEY"):
        Ledger(url, key=other).champion("book")
    unsigned.promote("book", 3, C, expected_epoch=2, **WHO)  # whoever can write to the database, with right hashes
    with pytest.raises(BrokenLedgerError, match="ledger row 3: it has no signature"):
        signing.champion("book")


def test_a_ledger_key_is_kept_and_read_with_a_reason(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "ledger.key"
    with pytest.raises(LedgerKeyError, match=r"does not exist\. Create it with `loan-platform ledger create-key`"):
        LedgerKey.read(file)
    LedgerKey.create(file)
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(LedgerKeyError, match="exists and is kept"):
        LedgerKey.create(file)
    file.write_bytes(base64.b64encode(b"short"))
    with pytest.raises(LedgerKeyError, match="not a key"):
        LedgerKey.read(file)


def _fill(ledger: Ledger) -> None:
    for epoch in range(3):
        ledger.promote("book", epoch + 1, f"{epoch:064x}", expected_epoch=epoch, **WHO)
        ledger.reject("book", epoch + 10, f"{epoch:064x}", **WHO)


def _other(value: Any) -> Any:
    return value + 1000 if isinstance(value, int) else f"{value or ''}x"


def _rewrite(file: Path, statement: str, *values: Any) -> None:
    """What a local user with the database's password could do."""
    with sqlite3.connect(file) as database:
        for verb in ("update", "delete"):
            database.execute(f"DROP TRIGGER promotions_no_{verb}")
        database.execute(statement, values)
    database.close()
