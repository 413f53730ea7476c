"""Promotions, rejections and withdrawals, and what the ledger says of them."""

import json
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from loan_platform.adapters.ledger.entries import Standing, Withdrawal
from loan_platform.adapters.ledger.ledger import Ledger, StalePromotionError
from loan_platform_tests.support.ledger_rows import WHO, A, B, C, D, E
from loan_platform_tests.support.processes.crashes import start
from loan_platform_tests.support.waiting import PATIENCE_SECONDS, until


def test_an_address_need_not_name_the_driver(url: str, ledger: Ledger) -> None:
    assert Ledger(url.replace("+psycopg2", "")).champion("book") is None


def test_a_promotion_makes_the_champion_and_a_rejection_does_not(ledger: Ledger) -> None:
    assert ledger.champion("book") is None
    first = ledger.promote("book", 1, A, expected_epoch=0, **WHO)
    assert (first.epoch, first.version, first.model_sha256) == (1, 1, A)
    ledger.reject("book", 2, B, actor="policy", run_id="run-2", verdict={"promote": False})
    assert ledger.champion("book") == first
    second = ledger.promote("book", 3, C, expected_epoch=1, **WHO)
    assert ledger.champion("book") == second
    ledger.promote("other", 1, D, expected_epoch=0, **WHO)
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
    first = ledger.promote("book", 1, A, expected_epoch=0, **WHO)
    assert ledger.withdraw(first, actor="contract", run_id="run-2", reason="the champion reads term.")
    assert not ledger.withdraw(first, actor="contract", run_id="run-2", reason="once is enough.")
    assert ledger.standing("book") == Standing(2, None)
    assert ledger.withdrawal("book") == Withdrawal(1, "version 1 was withdrawn: the champion reads term.")
    ledger.reject("book", 2, B, actor="policy", run_id="run-3", verdict={"summary": "Rejected: ECE."})
    assert ledger.why_none("book") == "version 1: Withdrawn: the champion reads term. version 2: Rejected: ECE."
    with pytest.raises(StalePromotionError, match=r"champion is none, epoch 2. Materialize decision_policy again"):
        ledger.promote("book", 3, E, expected_epoch=first.epoch, step="decision_policy", **WHO)
    with pytest.raises(StalePromotionError, match="Materialize promoted_model again"):
        ledger.reject("book", 3, C, expected_epoch=first.epoch, **WHO)
    again = ledger.promote("book", 3, C, expected_epoch=2, **WHO)
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
    ledger.promote("book", 1, A, expected_epoch=3, **WHO)
    assert ledger.withdrawn_versions("book") == set()


def test_only_a_rejection_since_the_withdrawal_says_why_none(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.create()
    rejected: dict[str, Any] = WHO | {"verdict": {"summary": "Rejected: AUC."}}
    ledger.reject("book", 1, A, **rejected)
    assert ledger.why_none("book") == "version 1: Rejected: AUC."
    champion = ledger.promote("book", 2, B, expected_epoch=0, **WHO)
    ledger.reject("book", 3, C, **rejected)
    ledger.withdraw(champion, actor="contract", run_id="run-2", reason="the champion reads debt.")
    assert ledger.why_none("book") == "version 2: Withdrawn: the champion reads debt."


def test_a_stale_promotion_is_refused(ledger: Ledger) -> None:
    ledger.promote("book", 1, A, expected_epoch=0, **WHO)
    for stale in (0, 2):
        with pytest.raises(StalePromotionError, match=f"decided on at epoch {stale}.*is version 1, epoch 1"):
            ledger.promote("book", 2, B, expected_epoch=stale, **WHO)
    assert [row.version for row in ledger.history()] == [1]


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
                        f"{version:064x}",
                        expected_epoch=champion.epoch if champion else 0,
                        **WHO,
                    )
                except StalePromotionError:
                    continue
                break
            answered.write(f"{json.dumps([made.epoch, made.version])}\n")
            answered.flush()
