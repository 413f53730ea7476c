"""Spans reach a collector, without what callers sent; a collector that is gone touches no answer."""

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from loan_platform_tests.support.bundles import typed_rows
from loan_platform_tests.support.paths import REPOSITORY
from loan_platform_tests.support.service.running import Home, bodies, serving

BODY = bodies(typed_rows().head(1))[0]
CANARY = "Kanarienvogel"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector(BaseHTTPRequestHandler):
    """Keeps what it is sent."""

    received: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        self.received.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def collecting() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    Collector.received = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", Collector.received
    server.shutdown()
    server.server_close()


def spans(received: list[tuple[str, bytes]]) -> dict[str, Any]:
    """By request id."""
    found: dict[str, Any] = {}
    for path, content in received:
        assert path == "/v1/traces"
        for resource in ExportTraceServiceRequest.FromString(content).resource_spans:
            for scoped in resource.scope_spans:
                for span in scoped.spans:
                    attributes = {a.key: a.value.string_value or a.value.int_value for a in span.attributes}
                    found[str(attributes.get("loan.request_id", ""))] = span, attributes
    return found


@pytest.mark.slow
def test_a_request_is_a_span_of_its_callers_trace(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.promote(slope=0.1)
    with collecting() as (endpoint, received):
        with serving(home, LOAN_ENV="development", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as client:
            headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": f"a={CANARY}", "baggage": f"b={CANARY}"}
            good = client.post("/predict", json=BODY, headers=headers)
            bad = client.post(f"/predict?a={CANARY}", json={CANARY: CANARY}, headers={"traceparent": CANARY})
            lost = client.get(f"/{CANARY}")
            ids = [answer.headers["x-request-id"] for answer in (good, bad, lost)]
        found = spans(received)  # those that waited are sent when the service ends
    span, attributes = found[ids[0]]
    assert (span.trace_id.hex(), span.parent_span_id.hex(), span.name) == (TRACE, PARENT, "POST /predict")
    assert attributes == {
        "http.request.method": "POST",
        "http.route": "/predict",
        "http.response.status_code": 200,
        "loan.request_id": ids[0],
        "loan.model_version": 1,
    }
    assert 0 < span.end_time_unix_nano - span.start_time_unix_nano < 5e9
    span, attributes = found[ids[1]]
    assert span.trace_id.hex() != TRACE
    assert (attributes["http.response.status_code"], attributes["error.type"]) == (422, "invalid_application")
    assert found[ids[2]][1]["http.route"] == "other"
    assert not any(CANARY.encode() in content for _, content in received)


@pytest.mark.slow
def test_a_collector_that_does_not_answer_touches_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.promote(slope=0.1)
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen(1)
        endpoint = f"http://127.0.0.1:{hole.getsockname()[1]}"
        told = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_TIMEOUT": "600"}
        with serving(home, LOAN_ENV="development", **told) as client:
            assert client.post("/predict", json=BODY).status_code == 200
            export, _ = hole.accept()  # of the first span, and it is never answered
            with export:
                assert export.recv(1)
                for _ in range(20):
                    assert client.post("/predict", json=BODY).status_code == 200
                assert _is_open(export)  # so all of them were answered before it


def _is_open(connection: socket.socket) -> bool:
    """Whether the other side still waits for an answer."""
    connection.setblocking(False)
    try:
        while connection.recv(65_536):
            pass
    except BlockingIOError:
        return True
    return False


def test_without_a_collector_no_exporter_is_loaded(tmp_path: Path) -> None:
    import subprocess

    code = "import sys, bento.worker; print('opentelemetry.exporter.otlp.proto.http.trace_exporter' in sys.modules)"
    environment = {"LOAN_PORTFOLIO": "a", "LOAN_ENV": "development", "LOAN_PLATFORM_HOME": str(tmp_path), "PATH": ""}
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY, env=environment
    )
    assert ran.stdout.strip() == "False"
