"""Requests that cannot be answered: each is told why with a code, soon, and nothing of it is kept."""

import socket

import httpx
import pytest

from loan_platform_tests.support.bundles import typed_rows
from loan_platform_tests.support.service.bad_requests import BAD, post
from loan_platform_tests.support.service.running import Home, bodies
from loan_platform_tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.slow

BODIES = bodies(typed_rows())
CANARY = "Kanarienvogel"


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_is_told_why_with_a_code(service: httpx.Client, name: str) -> None:
    request, status, code = BAD[name]
    answer = service.request(**request)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["detail"]
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert service.post("/predict", json=BODIES[0]).status_code == 200


def test_every_field_at_fault_is_named_and_no_value_repeated(service: httpx.Client, home: Home) -> None:
    body = {"income": CANARY, "term": 36.5, "owner": "yes", "opened": "last year", "region": 7, "incme": CANARY}
    answer = service.post("/api/v1/predict", json=body)
    errors = {error["field"]: (error["code"], error["detail"]) for error in answer.json()["errors"]}
    assert errors == {
        "income": ("wrong_type", "must be a number"),
        "term": ("wrong_type", "must be a whole number"),
        "owner": ("wrong_type", "must be true or false"),
        "opened": ("wrong_type", "must be a date as in 2015-06-30"),
        "region": ("wrong_type", "must be a text"),
        "incme": ("unknown_field", "is not a field of an application. Did you mean 'income'?"),
    }
    missing = service.post("/api/v1/predict", json={}).json()["errors"]
    assert missing == [{"field": "income", "code": "required", "detail": "is required"}]
    assert CANARY not in answer.text
    assert CANARY not in (home.root / "service.log").read_text()


def test_a_request_as_bytes_is_answered_or_refused_soon(service: httpx.Client) -> None:
    def answered(head: bytes, body: bytes) -> bytes:
        with socket.create_connection(
            (service.base_url.host, service.base_url.port or 80), timeout=PATIENCE_SECONDS
        ) as connection:
            first = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            connection.sendall(first + head + body)
            answer = b""
            while (part := connection.recv(65_536)) and not (answer := answer + part).endswith(b"}"):
                pass
            return answer

    slow = answered(b"Content-Length: 100\r\n\r\n", b"{")
    assert slow.startswith(b"HTTP/1.1 408")
    assert b'"code": "too_slow"' in slow
    zeros = answered(b"Content-Length: " + b"0" * 5_000 + b"2\r\n\r\n", b"{}")
    assert zeros.startswith(b"HTTP/1.1 4")
    rows = b'{"inputs": {' + b",".join(b'"c%d": [1]' % i for i in range(60_000)) + b', "c59999": [1]}}'
    assert service.request(**post(rows, path="/invocations")).json()["code"] == "duplicate_field"
    assert service.post("/predict", json={f"x{i}": 1 for i in range(4_000)}).status_code == 422


def test_what_callers_send_is_in_no_log_and_no_metric(service: httpx.Client, home: Home) -> None:
    service.get(f"/predict/{CANARY}", headers={"baggage": f"a@={CANARY}", "traceparent": CANARY, "x-api-key": CANARY})
    service.post(f"/predict?{CANARY}={CANARY}", json=BODIES[0], headers={"user-agent": CANARY})
    assert CANARY not in service.get("/metrics").text
    assert CANARY not in (home.root / "service.log").read_text()
