"""The middlewares and endpoints where a client is slow, far away or sends too much, or the service fails."""

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Message

from bento.app import ServiceApp
from bento.http import body_limit
from loan_platform_tests.support.bundles import typed_rows
from loan_platform_tests.support.service.in_process import worker_app
from loan_platform_tests.support.service.running import bodies

BODY = bodies(typed_rows().head(1))[0]


@pytest.fixture
def app(tmp_path: Path) -> Iterator[ServiceApp]:
    with worker_app(tmp_path) as app:
        yield app


def post(app: ASGIApp, address: str = "127.0.0.1", host: str = "localhost:3000") -> httpx.Response:
    async def sent() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(address, 1))  # pyright: ignore[reportArgumentType]
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            return await client.post("/predict", json=BODY)

    return asyncio.run(sent())


def test_development_answers_only_this_machine(app: ServiceApp) -> None:
    assert post(app).status_code == 200
    refused = post(app, "10.0.0.1")
    assert (refused.status_code, refused.json()["code"]) == (403, "not_local")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:3000", "LOCALHOST:3000", "[::1]:3000"])
def test_development_knows_the_names_of_this_machine(app: ServiceApp, host: str) -> None:
    assert post(app, host=host).status_code == 200


@pytest.mark.attack("pages", "a page whose name points to this machine (DNS rebinding)", before="it reads answers")
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:3000", "10.0.0.1"])
def test_development_answers_no_other_name(app: ServiceApp, host: str) -> None:
    refused = post(app, host=host)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_local")
    assert "Host" in refused.json()["detail"]


def test_an_unexpected_error_is_logged_without_its_message(
    app: ServiceApp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("Kanarienvogel")

    monkeypatch.setattr("loan_platform.core.scoring.predictor.Predictor.predict_rows", broken)
    with caplog.at_level(logging.ERROR):
        answer = post(app)
    assert (answer.status_code, answer.json()["code"]) == (500, "defect")
    assert f"request {answer.json()['request_id']}: KeyError at" in caplog.text
    assert "Kanarienvogel" not in caplog.text + answer.text


def problem_of(app: ASGIApp, messages: list[Message], then_waits: bool = False) -> dict[str, Any]:
    """The problem that a body in these messages causes."""
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


def test_a_body_without_end_is_rejected(app: ServiceApp) -> None:
    assert problem_of(app, [part(b" " * 40_000)] * 3)["code"] == "too_large"


def test_a_body_that_does_not_arrive_times_out(app: ServiceApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_limit, "BODY_SECONDS", 0.05)
    problem = problem_of(app, [part(b"{")], then_waits=True)
    assert (problem["status"], problem["code"]) == (408, "too_slow")


def test_a_client_that_disconnects_is_no_failure(app: ServiceApp) -> None:
    assert problem_of(app, [part(b"{"), {"type": "http.disconnect"}])["code"] == "cut_off"
