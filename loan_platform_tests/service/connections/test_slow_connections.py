"""The running service under attack from the network, by clients without a key."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from loan_platform_tests.support.bundles import typed_rows
from loan_platform_tests.support.service.running import Home, bodies, serving
from loan_platform_tests.support.waiting import PATIENCE_SECONDS, until

BODY = bodies(typed_rows().head(1))[0]
MEGABYTE = b"a" * 1_000_000


def connected(client: httpx.Client) -> socket.socket:
    """A new connection to the service."""
    url = client.base_url
    return socket.create_connection((url.host, url.port or 80), timeout=PATIENCE_SECONDS)


@contextmanager
def attacked(client: httpx.Client, connections: int, megabytes: int) -> Iterator[None]:
    """The service while heads are held, a head never ends and garbage is pipelined."""
    ends = threading.Event()

    def endless_head() -> None:
        for _ in range(3):
            with connected(client) as attacker, contextlib.suppress(OSError):
                attacker.sendall(b"GET / HTTP/1.1\r\nx: ")
                for _ in range(megabytes):
                    attacker.sendall(MEGABYTE)

    def garbage() -> None:
        while not ends.is_set():
            with connected(client) as attacker, contextlib.suppress(OSError):
                attacker.sendall(b"GET /livez HTTP/1.1\r\n\r\n" * 5_000 + b"\x00\xff" * 5_000)
                while attacker.recv(100_000):
                    pass

    threads = [threading.Thread(target=endless_head), threading.Thread(target=garbage)]
    with contextlib.ExitStack() as held:
        for number in range(connections):
            half = b"" if number % 3 else b"GET /livez HTTP/1.1\r\nx: "
            with contextlib.suppress(ConnectionError):
                held.enter_context(connected(client)).sendall(half)
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ends.set()
            for thread in threads:
                thread.join()


def answers_all(client: httpx.Client, requests: int) -> None:
    """Asks on a kept connection and on new ones; each request must be answered."""
    with httpx.Client(base_url=client.base_url, timeout=PATIENCE_SECONDS, headers=client.headers) as kept:
        for _ in range(requests):
            assert kept.post("/predict", json=BODY).status_code == 200
            for probe in ("/livez", "/readyz"):
                with connected(client) as prober:
                    prober.sendall(f"GET {probe} HTTP/1.1\r\nconnection: close\r\n\r\n".encode())
                    assert prober.recv(100).startswith(b"HTTP/1.1 200 ")


@pytest.mark.slow
@pytest.mark.attack("network", "held heads, an endless head and garbage", before="probes are reset")
def test_an_attack_from_the_network_stops_nobody(home: Home) -> None:
    key = home.keys.create("network")
    with serving(home, LOAN_RATE="unlimited", LOAN_MAX_CONNECTIONS="100") as client:
        client.headers["x-api-key"] = key
        with attacked(client, connections=300, megabytes=2):
            answers_all(client, 20)
        metrics = client.get("/metrics").text
        until(lambda: any("connections closed in" in str(line.get("message")) for line in home.log_lines()))
    for reason in ("evicted", "head_too_large"):
        assert f'loan_http_connections_closed_total{{reason="{reason}"}}' in metrics


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.attack("network", "2,000 held heads and a head of 300 MB", before="probes are reset, 353 MB more")
def test_a_large_attack_from_the_network_stops_nobody(home: Home) -> None:
    key = home.keys.create("network-large")
    with serving(home, LOAN_RATE="unlimited") as client:
        client.headers["x-api-key"] = key
        with attacked(client, connections=2_000, megabytes=300):
            answers_all(client, 200)
