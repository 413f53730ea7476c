"""HEAD, other origins and idle connections, at the running service."""

import asyncio
import contextlib
import http.client
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from bento.connections.server import set_keep_alive
from bento.routes import ROUTES
from loan_platform.settings.http import HttpSettings
from loan_platform_tests.support.bundles import typed_rows
from loan_platform_tests.support.service.in_process import worker_app
from loan_platform_tests.support.service.running import Home, bodies, serving
from loan_platform_tests.support.waiting import PATIENCE_SECONDS, until

APP, OTHER = "https://app.example.com", "https://other.example.com"
BODY = bodies(typed_rows().head(1))[0]
PLAIN = [route.path for route in ROUTES if route.method == "GET" and "{" not in route.path and not route.scope]


@pytest.fixture(scope="module")
def service(home: Home) -> Iterator[httpx.Client]:
    key = home.keys.create("connections", ("predict", "batch", "metrics"))
    origins = f"{APP}, https://second.example.com:8443"
    settings = {"LOAN_RATE": "unlimited", "LOAN_KEEP_ALIVE_SECONDS": "1", "LOAN_METRICS": "key"}
    with serving(home, LOAN_CORS_ORIGINS=origins, **settings) as client:
        client.headers["x-api-key"] = key
        yield client


@pytest.mark.slow
@pytest.mark.parametrize("path", PLAIN)
def test_head_is_get_without_a_body(service: httpx.Client, path: str) -> None:
    with_body, head = service.get(path), service.head(path)
    assert (head.status_code, head.content) == (with_body.status_code, b"")
    assert with_body.status_code == 200
    varying = {"date", "x-request-id"} | ({"content-length"} if path == "/metrics" else set())
    assert {k: v for k, v in head.headers.items() if k not in varying} == {
        k: v for k, v in with_body.headers.items() if k not in varying
    }


@pytest.mark.slow
def test_head_needs_a_get_and_its_key(service: httpx.Client) -> None:
    refused = service.head("/predict")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert service.head("/api/v1/model/info").status_code == 200
    assert service.head("/api/v1/model/info", headers={"x-api-key": "no"}).status_code == 401
    assert service.head("/nothing").status_code == 404
    counted = 'loan_http_requests_total{method="HEAD",route="/predict",status="405"}'
    assert counted in service.get("/metrics").text


@pytest.mark.slow
def test_metrics_can_be_kept_for_holders_of_a_key(service: httpx.Client, home: Home) -> None:
    assert service.get("/metrics", headers={"x-api-key": ""}).status_code == 401
    other = home.keys.create("no-metrics", ("predict",))
    until(lambda: service.get("/metrics", headers={"x-api-key": other}).json()["code"] == "not_in_scope")
    assert service.get("/metrics").status_code == 200


def preflight(client: httpx.Client, origin: str, path: str = "/api/v1/predict") -> httpx.Response:
    asked = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-api-key, content-type",
        "x-api-key": "",  # a browser sends none
    }
    return client.options(path, headers=asked)


@pytest.mark.slow
def test_a_page_of_an_allowed_origin_may_call(service: httpx.Client) -> None:
    for origin in (APP, "https://second.example.com:8443"):
        allowed = preflight(service, origin)
        assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, origin)
        assert "POST" in allowed.headers["access-control-allow-methods"]
    answer = service.post("/predict", json=BODY, headers={"origin": APP})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, APP)
    assert "X-Request-ID" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.slow
def test_errors_can_be_read_by_an_allowed_page(service: httpx.Client) -> None:
    for path, headers, status in (
        ("/predict", {"x-api-key": "no"}, 401),
        ("/nothing", {}, 404),
        ("/predict", {"content-type": "text/plain"}, 415),
    ):
        answer = service.post(path, content=b"{}", headers={"origin": APP, **headers})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, APP)


@pytest.mark.slow
def test_a_page_of_another_origin_may_not(service: httpx.Client) -> None:
    refused = preflight(service, OTHER)
    assert "access-control-allow-origin" not in refused.headers
    assert (refused.status_code, refused.json()["code"]) == (400, "preflight_refused")
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["x-request-id"] == refused.json()["request_id"]
    method = {"origin": APP, "access-control-request-method": "PATCH"}
    assert service.options("/predict", headers=method).json()["code"] == "preflight_refused"
    assert "X-Request-ID" in preflight(service, APP).headers
    answer = service.post("/predict", json=BODY, headers={"origin": OTHER})
    assert "access-control-allow-origin" not in answer.headers


def test_no_origin_is_allowed_by_default(tmp_path: Path) -> None:
    async def asked() -> tuple[httpx.Response, httpx.Response]:
        with worker_app(tmp_path) as app:
            transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))  # pyright: ignore[reportArgumentType]
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                headers = {"origin": APP, "access-control-request-method": "POST"}
                return await client.options("/predict", headers=headers), await client.get("/readyz", headers=headers)

    for answer in asyncio.run(asked()):
        assert not [name for name in answer.headers if name.startswith("access-control")]
    assert HttpSettings.from_environment({}).cors_origins == ()
    assert HttpSettings.from_environment({"LOAN_CORS_ORIGINS": f"{APP} ,{OTHER}"}).cors_origins == (APP, OTHER)


@pytest.mark.slow
def test_an_idle_connection_is_closed_after_its_time(service: httpx.Client) -> None:
    connection = http.client.HTTPConnection(service.base_url.host, service.base_url.port, timeout=PATIENCE_SECONDS)
    with contextlib.closing(connection):
        connection.connect()
        opened = connection.sock
        for _ in range(2):
            connection.request("GET", "/livez")
            assert connection.getresponse().read() is not None
            assert connection.sock is opened  # it is kept for the second request
        assert opened.recv(1) == b""  # waits until the service closes it


def test_the_idle_time_reaches_the_server() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("nobody asks")

    config = uvicorn.Config(app, timeout_keep_alive=5, log_config=None)
    before = signal.signal(signal.SIGTERM, uvicorn.Server(config).handle_exit)  # as the server does at its start
    try:
        set_keep_alive(HttpSettings.from_environment({}).keep_alive_seconds)
    finally:
        signal.signal(signal.SIGTERM, before)
    loop = asyncio.new_event_loop()
    try:
        assert HttpToolsProtocol(config, ServerState(), {}, loop).timeout_keep_alive == 75
    finally:
        loop.close()
