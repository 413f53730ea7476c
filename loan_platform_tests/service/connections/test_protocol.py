"""What a connection may do before there is a request: sizes, deadlines and pipelines, over real sockets."""

import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from bento.connections import protocol
from bento.connections.open_connections import OpenConnections
from bento.connections.server import guard_connections
from loan_platform_tests.support.waiting import PATIENCE_SECONDS, until

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
LIMIT = protocol.HEAD_BYTES


@dataclass
class Server:
    """A server in a thread, which counts the connections that it ended."""

    port: int
    open: OpenConnections
    ended: Counter[str]
    scopes: list[Scope] = field(default_factory=list[Scope])

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)

    def answer(self, sent: bytes = GET) -> bytes:
        """What the service sends until it closes the connection."""
        with self.connect() as client:
            client.sendall(sent)
            return rest(client)


def rest(client: socket.socket) -> bytes:
    """What arrives until the connection is closed."""
    parts: list[bytes] = []
    with contextlib.suppress(ConnectionResetError):  # what was sent after the end was not read
        while part := client.recv(1_000_000):
            parts.append(part)
    return b"".join(parts)


def one_answer(client: socket.socket) -> bytes:
    """What arrives until the end of a short answer of `application`."""
    arrived = b""
    while not arrived.endswith(b"answered"):
        part = client.recv(1_000)
        assert part, arrived
        arrived += part
    return arrived


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers at once; `/read` reads the body before; `/large` sends 64 MB; `/wait` waits for the body only."""
    if scope["path"] in {"/read", "/wait"}:
        while (await receive()).get("more_body"):
            pass
    size = 64_000_000 if scope["path"] == "/large" else 0
    headers = [(b"content-length", str(size + 8).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"." * size, "more_body": True})
    await send({"type": "http.response.body", "body": b"answered"})


@contextmanager
def listening(maximum: int = 200, of_address: int = 200, keep_alive: int = 600) -> Iterator[Server]:
    """A server with these limits."""
    ended: Counter[str] = Counter()
    scopes: list[Scope] = []

    async def recorded(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await application(scope, receive, send)

    connections = OpenConnections(maximum, of_address, lambda reason: ended.update([reason]))
    config = uvicorn.Config(recorded, port=0, lifespan="off", log_config=None, timeout_keep_alive=keep_alive)
    guard_connections(connections, config)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until(lambda: server.started)
        yield Server(server.servers[0].sockets[0].getsockname()[1], connections, ended, scopes)
    finally:
        server.force_exit = server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with listening() as started:
        yield started


def head(size: int) -> bytes:
    """A request with `size` bytes in its request line and headers, as the limit counts them."""
    lines = b"GET / HTTP/1.1\r\nconnection: close\r\nx: "
    counted = len(b"/") + len(b"connectionclose") + 4 + len(b"x") + 4
    return lines + b"a" * (size - counted) + b"\r\n\r\n"


def test_a_head_may_have_its_limit_and_no_byte_more(server: Server) -> None:
    assert server.answer(head(LIMIT)).endswith(b"answered")
    refused = server.answer(head(LIMIT + 1))
    assert refused.startswith(b"HTTP/1.1 431 ")
    assert b'"code": "head_too_large"' in refused
    assert b"16,384 bytes" in refused


ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "a header": (b"GET / HTTP/1.1\r\nx: ", b"a"),
    "many headers": (b"GET / HTTP/1.1\r\n", b"x: y\r\n"),
    "a request line": (b"GET /", b"a"),
    "a method": (b"", b"\r\n"),
    "a chunk's extension": (b"POST /read HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1;", b"a"),
    "trailers": (b"POST /read HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", b"x: y\r\n"),
}


@pytest.mark.attack("network", "a head that never ends", before="20 s an answer, 353 MB more")
@pytest.mark.parametrize("what", ENDLESS)
def test_what_never_ends_is_refused(server: Server, what: str) -> None:
    begin, more = ENDLESS[what]
    before = server.ended["head_too_large"]
    with server.connect() as client:
        client.sendall(begin)
        with contextlib.suppress(ConnectionError):
            for _ in range(40):
                client.sendall(more * (50_000 // len(more)))
        rest(client)
    until(lambda: server.ended["head_too_large"] == before + 1)
    assert server.answer(head(500)).endswith(b"answered")


@pytest.mark.attack("network", "heads that are never finished", before="1,100 of them hold every descriptor")
@pytest.mark.parametrize("begin", [b"GET / HT", b"GET / HTTP/1.1\r\nx: y\r\n", b"\r\n", GET + b"GET /"])
def test_a_late_head_is_refused(monkeypatch: pytest.MonkeyPatch, begin: bytes) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 1.0)
    with listening() as server:
        answer = server.answer(begin)
        assert b"HTTP/1.1 408 " in answer
        assert b'"code": "head_too_slow"' in answer
        assert server.ended == {"head_too_slow": 1}
        until(lambda: server.open.number == 0)


def test_a_late_head_waits_for_the_response_before(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as server, server.connect() as client:
        client.sendall(b"POST /wait HTTP/1.1\r\ncontent-length: 2\r\n\r\n")
        until(lambda: len(server.scopes) == 1)
        monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.05)
        client.sendall(b"12GET /")
        assert b"answered" in rest(client)


def test_a_silent_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)
    with listening() as server:
        assert server.answer(b"") == b""
        assert server.ended == {"silent": 1}


def test_a_body_after_its_answer_must_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "REST_SECONDS", 0.1)
    with listening() as server, server.connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\n123")
        assert rest(client).endswith(b"answered")
        assert server.ended == {"body_too_slow": 1}


def test_a_body_after_its_answer_may_end_in_time(server: Server) -> None:
    with server.connect() as client:
        for _ in range(3):
            client.sendall(b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\n123")
            assert one_answer(client).startswith(b"HTTP/1.1 200 ")
            client.sendall(b"456789")


def test_a_connection_idles_after_a_late_body_too() -> None:
    with listening(keep_alive=1) as server, server.connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\n123")
        one_answer(client)
        client.sendall(b"456789")
        assert rest(client) == b""  # closed after its idle time
        assert not server.ended


def test_an_unread_response_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "UNREAD_SECONDS", 0.1)
    with listening() as server, server.connect() as client:
        client.sendall(b"GET /large HTTP/1.1\r\n\r\n")
        until(lambda: server.ended["response_not_read"] == 1)
        until(lambda: server.open.number == 0)
        assert len(rest(client)) < 64_000_000


def test_a_large_response_arrives_whole(server: Server) -> None:
    answer = server.answer(b"GET /large HTTP/1.1\r\nconnection: close\r\n\r\n")
    assert answer.endswith(b".answered")
    assert len(answer) > 64_000_000


@pytest.mark.attack("network", "garbage after a request", before="400 in plain text, not counted")
@pytest.mark.parametrize(
    "garbage", [b"\x00\xff" * 500, b"GET\r\n\r\n", b"GET http://[ HTTP/1.1\r\n\r\n", b"\x16\x03\x01"]
)
def test_garbage_is_refused_as_a_problem(server: Server, garbage: bytes) -> None:
    before = server.ended["malformed_request"]
    assert b'"code": "malformed_request"' in server.answer(garbage)
    with server.connect() as client:
        client.sendall(GET)
        one_answer(client)
        client.sendall(garbage)
        assert rest(client).startswith(b"HTTP/1.1 400 ")
    assert server.ended["malformed_request"] == before + 2


CHUNKED = b"POST /read HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n"
MALFORMED = {
    "no number": CHUNKED + b"zz\r\n",
    "a negative size": CHUNKED + b"-1\r\n",
    "a size of 17 digits": CHUNKED + b"F" * 17 + b"\r\n",
    "an unknown coding": b"POST /read HTTP/1.1\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nhost: a\r\nHost: b\r\n\r\n",
}


@pytest.mark.attack("network", "malformed chunks, two hosts", before="closed without an answer; the first host counts")
@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_request_is_told(server: Server, what: str) -> None:
    found = server.answer(MALFORMED[what])
    assert found.count(b"HTTP/1.1 ") == 1
    assert found.startswith(b"HTTP/1.1 400 ")
    assert b'"code": "malformed_request"' in found


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    number = protocol.PIPELINED
    sent = b"".join(b"GET /%d HTTP/1.1\r\n\r\n" % n for n in range(number))
    before = len(server.scopes)
    answers = server.answer(sent + b"GET /last HTTP/1.1\r\nconnection: close\r\n\r\n")
    assert answers.count(b"answered") == number + 1
    assert [scope["path"] for scope in server.scopes[before:]] == [*(f"/{n}" for n in range(number)), "/last"]


@pytest.mark.attack("network", "a pipeline of a million requests", before="an object for each of them")
def test_a_long_pipeline_ends(server: Server) -> None:
    before = server.ended["too_many_pipelined"]
    with server.connect() as client, contextlib.suppress(ConnectionError):
        client.sendall(b"POST /wait HTTP/1.1\r\ncontent-length: 1\r\n\r\n1" + GET * 100_000)
        rest(client)
    until(lambda: server.ended["too_many_pipelined"] == before + 1)


def test_fields_after_the_body_are_no_headers(server: Server) -> None:
    chunks = b"POST /read HTTP/1.1\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n1\r\na\r\n0\r\n"
    assert server.answer(chunks + b"x-api-key: stolen\r\n\r\n").endswith(b"answered")
    assert [name for name, _ in server.scopes[-1]["headers"]] == [b"transfer-encoding", b"connection"]


def test_another_protocol_is_not_spoken(server: Server) -> None:
    asked = b"GET / HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"
    with server.connect() as client:
        client.sendall(asked)
        assert one_answer(client).startswith(b"HTTP/1.1 200 ")


def test_held_connections_keep_no_caller_out() -> None:
    with listening(maximum=20, of_address=20) as server, contextlib.ExitStack() as held:
        for _ in range(100):
            held.enter_context(server.connect()).sendall(b"GET / HTTP/1.1\r\nx:")
        kept = held.enter_context(server.connect())
        kept.sendall(GET)
        one_answer(kept)
        for _ in range(100):
            held.enter_context(server.connect())
        assert server.answer(head(500)).endswith(b"answered")
        kept.sendall(GET)  # an idle connection of a caller outlives those that never asked
        one_answer(kept)
        assert server.ended.keys() == {"evicted"}
        assert server.open.number <= 20


def test_a_new_connection_is_refused_while_all_are_busy() -> None:
    with listening(maximum=16, of_address=16) as server, contextlib.ExitStack() as held:
        busy = [held.enter_context(server.connect()) for _ in range(16)]
        for client in busy:
            client.sendall(b"POST /wait HTTP/1.1\r\ncontent-length: 1\r\n\r\n")
        until(lambda: len(server.scopes) == 16)
        refused = server.answer(b"")
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1" in refused
        assert b'"code": "too_many_connections"' in refused
        for client in busy:
            client.sendall(b"1")
            one_answer(client)
        assert server.answer(head(500)).endswith(b"answered")
