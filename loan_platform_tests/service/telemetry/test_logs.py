"""The log is JSON by line and holds nothing that callers sent; metrics have labels from closed sets."""

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bento.telemetry.logs import JsonLines
from loan_platform_tests.support.bundles import typed_rows
from loan_platform_tests.support.service.running import Home, bodies, serving
from loan_platform_tests.support.waiting import until

BODY = bodies(typed_rows().head(1))[0]
CANARY = "Kanarienvogel"


@pytest.fixture(scope="module")
def key(home: Home) -> str:
    return home.keys.create("shop", rate="unlimited")


@pytest.fixture(scope="module")
def service(home: Home, key: str) -> Iterator[httpx.Client]:
    with serving(home, LOAN_WORKERS="2") as client:
        client.headers["x-api-key"] = key
        yield client


def line_of(home: Home, request_id: str) -> dict[str, Any]:
    (found,) = until(lambda: [line for line in home.log_lines() if line.get("request_id") == request_id])
    return found


@pytest.mark.slow
def test_a_request_has_one_line_with_all_that_may_be_told(service: httpx.Client, home: Home, key: str) -> None:
    answer = service.post("/predict", json=BODY)
    line = line_of(home, answer.headers["x-request-id"])
    assert {name: line[name] for name in ("method", "route", "status", "key_id", "model_version", "level")} == {
        "method": "POST",
        "route": "/predict",
        "status": 200,
        "key_id": key.split("_")[1],
        "model_version": 1,
        "level": "INFO",
    }
    assert line["milliseconds"] > 0
    assert "problem" not in line
    refused = service.post("/predict", json={})
    line = line_of(home, refused.headers["x-request-id"])
    assert (line["status"], line["problem"]) == (422, "invalid_application")
    lost = service.get(f"/{CANARY}", headers={"x-api-key": ""})
    line = line_of(home, lost.headers["x-request-id"])
    assert (line["route"], line["status"], line["problem"]) == ("other", 404, "unknown_path")
    assert "key_id" not in line


@pytest.mark.slow
def test_bentoml_and_the_swaps_are_in_the_same_form(service: httpx.Client, home: Home) -> None:
    home.promote(slope=0.7)
    until(lambda: service.get("/api/v1/model/info").json()["version"] == 2)
    loggers = {line["logger"].split(".")[0] for line in home.log_lines()}
    assert {"bentoml", "loan_platform"} <= loggers
    assert any(line["message"].startswith("version 2 (") for line in home.log_lines() if "message" in line)


@pytest.mark.slow
def test_what_callers_send_is_in_no_line_and_no_label(service: httpx.Client, home: Home) -> None:
    headers = {"user-agent": CANARY, "baggage": f"a={CANARY}", "traceparent": CANARY, "tracestate": f"a={CANARY}"}
    sent: list[httpx.Response] = []
    for method, path in (
        ("POST", f"/predict?{CANARY}=1"),
        ("GET", f"/{CANARY}"),
        (CANARY, "/predict"),  # no method of HTTP: refused by the server before us
        ("PROPFIND", "/predict"),
        ("GET", f"/livez?a={CANARY}"),
    ):
        answer = service.request(method, path, json={**BODY, "region": CANARY, CANARY: 1}, headers=headers)
        sent.append(answer)
    sent.append(service.post("/invocations", json={"instances": [{**BODY, "region": CANARY, "term": CANARY}]}))
    sent.append(service.get("/predict", headers={"x-api-key": f"lp_{CANARY}_x"}))
    ids = [answer.headers["x-request-id"] for answer in sent if "x-request-id" in answer.headers]
    assert len(ids) == len(sent) - 2  # the server rejects one, and BentoML answers the probe
    for request_id in ids:
        line_of(home, request_id)
    assert CANARY not in (home.root / "service.log").read_text()
    metrics = service.get("/metrics").text
    assert CANARY not in metrics
    samples = [line.rpartition(" ") for line in metrics.splitlines() if line.startswith("loan_")]
    values = {name: float(value) for name, _, value in samples}
    assert values['loan_http_requests_total{method="other",route="/predict",status="405"}'] == 1
    assert values['loan_http_requests_total{method="GET",route="other",status="404"}'] >= 1
    assert values['loan_http_request_duration_seconds_count{route="/predict"}'] >= 2
    assert values["loan_http_requests_in_progress"] == 1  # this one
    assert values["loan_process_resident_memory_bytes"] > 2 * 50e6  # of two workers
    assert values["loan_process_cpu_seconds"] > 0
    assert values["loan_process_open_fds"] > 10
    assert values["loan_process_threads"] > 4
    assert 0 < values['loan_model_age_seconds{portfolio="tiny_loans"}'] < 100


def test_library_templates_and_exception_places_are_logged() -> None:
    try:
        raise KeyError(CANARY)
    except KeyError:
        error = sys.exc_info()
    record = logging.LogRecord("asyncio", logging.ERROR, __file__, 1, f"never retrieved %s\n{CANARY}", (CANARY,), error)
    text = JsonLines().format(record)
    line = json.loads(text)
    assert CANARY not in text
    assert (line["message"], line["error"]) == ("never retrieved %s", "KeyError")
    assert line["at"][0].startswith(str(Path(__file__)))
    ours = logging.LogRecord("loan_platform.service", logging.ERROR, __file__, 1, "refused %s", ("it",), None)
    assert json.loads(JsonLines().format(ours))["message"] == "refused it"
