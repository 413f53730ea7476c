"""What the guard and the routes do where a client is slow, far away or talks on, or the service has a defect."""

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.types import ASGIApp, Message

from bento.app import ROUTES, LoanApp
from bento.http import guard as module
from bento.http.drain import Drain
from bento.http.guard import Guard
from bento.model.champion import Champions, Named
from bento.model.records import Records
from bento.telemetry.drift import OnlineDrift
from loan_platform.settings.audit import AuditSettings
from loan_platform_tests.support.bundles import make_bundle, typed_rows
from loan_platform_tests.support.service.running import bodies

BODY = bodies(typed_rows().head(1))[0]


async def nobody(*_: Any) -> None:
    raise AssertionError("nothing is passed on to BentoML here")


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guard]:
    _, sha256 = make_bundle(tmp_path / "lake" / "bundle")
    champions = Champions(lambda: Named(1, sha256, tmp_path / "lake" / "bundle"), tmp_path / "cache", 60)
    champions.start()
    before = set(REGISTRY._collector_to_names)  # pyright: ignore[reportPrivateUsage]
    records = Records("tiny_loans", AuditSettings.for_portfolio("tiny_loans", {"LOAN_PLATFORM_HOME": str(tmp_path)}))
    drift = OnlineDrift("tiny_loans", champions, tmp_path / "drift.db", 0, 1)
    records.start()
    app = LoanApp("tiny_loans", champions, Drain(), drift, records)
    yield Guard(nobody, app, ROUTES, frozenset(), None, Drain())
    champions.stop()
    records.stop()
    for collector in set(REGISTRY._collector_to_names) - before:  # pyright: ignore[reportPrivateUsage]
        REGISTRY.unregister(collector)


def post(app: ASGIApp, address: str = "127.0.0.1") -> httpx.Response:
    async def sent() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(address, 1))  # pyright: ignore[reportArgumentType]
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.post("/predict", json=BODY)

    return asyncio.run(sent())


def test_in_development_only_this_machine_is_answered(guarded: Guard) -> None:
    assert post(guarded).status_code == 200
    refused = post(guarded, "10.0.0.1")
    assert (refused.status_code, refused.json()["code"]) == (403, "not_local")


def test_a_defect_is_told_without_its_message(
    guarded: Guard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("Kanarienvogel")

    monkeypatch.setattr("loan_platform.core.scoring.predictor.Predictor.predict_rows", broken)
    with caplog.at_level(logging.ERROR):
        answer = post(guarded)
    assert (answer.status_code, answer.json()["code"]) == (500, "defect")
    assert f"request {answer.json()['request_id']}: KeyError at" in caplog.text
    assert "Kanarienvogel" not in caplog.text + answer.text


def asked(app: ASGIApp, messages: list[Message], then_waits: bool = False) -> dict[str, Any]:
    """The problem that the body, in these messages, brings."""
    sent: list[Message] = []
    waiting = list(messages)

    async def receive() -> Message:
        if not waiting and then_waits:
            await asyncio.sleep(60)
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": headers, "client": ("127.0.0.1", 1)}

    async def answered() -> None:
        await app(scope, receive, send)

    asyncio.run(answered())
    return json.loads(sent[1]["body"])


def part(content: bytes) -> Message:
    return {"type": "http.request", "body": content, "more_body": True}


def test_a_body_without_end_is_cut_off(guarded: Guard) -> None:
    assert asked(guarded, [part(b" " * 40_000)] * 3)["code"] == "too_large"


def test_a_body_that_does_not_arrive_is_not_waited_for(guarded: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BODY_SECONDS", 0.05)
    problem = asked(guarded, [part(b"{")], then_waits=True)
    assert (problem["status"], problem["code"]) == (408, "too_slow")


def test_a_caller_that_leaves_is_no_defect(guarded: Guard) -> None:
    assert asked(guarded, [part(b"{"), {"type": "http.disconnect"}])["code"] == "cut_off"
