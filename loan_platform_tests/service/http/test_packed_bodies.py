"""Packed bodies at their limits: both sizes are counted, and a stream without content ends too."""

import asyncio
import gzip
import json
import random
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from bento.http.body_limit import BodyMiddleware
from bento.http.content_encoding import Unpacked, packed_limit
from bento.http.drain import Drain
from bento.http.problems import HttpError
from bento.http.request_info import RequestInfo, set_request_info
from bento.http.routes import Route
from bento.routes import ROUTES

UPLOAD_BYTES = 1_000_000
EMPTY_BLOCKS = b"\x00\x00\x00\xff\xff" * 10_000
EMPTY_MEMBERS = gzip.compress(b"") * 2_000


def route(path: str) -> Route:
    return next(route for route in ROUTES if (route.method, route.path) == ("POST", path))


def limit_of(path: str) -> int:
    return route(path).max_body_bytes or UPLOAD_BYTES


SINGLE, FILE = "/predict", "/api/v1/predict/batch"
BOTH = pytest.mark.parametrize("path", [SINGLE, FILE])


def parts(*bodies: bytes, end: bool = True) -> Iterator[Message]:
    for number, body in enumerate(bodies, start=1):
        yield {"type": "http.request", "body": body, "more_body": not end or number < len(bodies)}
    yield {"type": "http.disconnect"}


def received(path: str, messages: Iterator[Message], **headers: Any) -> bytes:
    """The body that the endpoint of a route gets."""
    found: list[bytes] = []
    given = {"content_type": "application/json", "content_encoding": "gzip", **headers}
    scope: Scope = {
        "type": "http",
        "headers": [(name.replace("_", "-").encode(), str(value).encode()) for name, value in given.items()],
    }
    set_request_info(scope, RequestInfo("0" * 16, route=route(path)))

    async def receive() -> Message:
        return next(messages)

    async def endpoint(_: Scope, receive: Receive, __: Send) -> None:
        more = True
        while more:
            message = await receive()
            assert message["type"] == "http.request"
            found.append(message["body"])
            more = message["more_body"]

    async def send(_: Message) -> None:
        raise AssertionError("the endpoint sends nothing")

    asyncio.run(BodyMiddleware(endpoint, Drain(), UPLOAD_BYTES)(scope, receive, send))
    return b"".join(found)


def problem(path: str, messages: Iterator[Message], **headers: Any) -> tuple[int, str, str]:
    with pytest.raises(HttpError) as error:
        received(path, messages, **headers)
    return error.value.status, error.value.code, error.value.detail


@BOTH
@pytest.mark.parametrize("filling", [EMPTY_BLOCKS, EMPTY_MEMBERS, bytes(50_000)], ids=["blocks", "members", "zeros"])
def test_a_packed_stream_without_content_is_too_large(path: str, filling: bytes) -> None:
    start = gzip.compress(b"")[:10] if filling is EMPTY_BLOCKS else gzip.compress(b"{}")
    sent = 0

    def stream() -> Iterator[Message]:
        nonlocal sent
        for body in (start, *[filling] * 200):
            sent += len(body)
            yield {"type": "http.request", "body": body, "more_body": True}
        raise AssertionError("the whole stream was read")

    limit = limit_of(path)
    assert problem(path, stream()) == (413, "too_large", f"The limit of the body is {limit:,} bytes.")
    assert sent <= packed_limit(limit) + len(filling)


def test_other_requests_come_in_while_one_message_is_unpacked() -> None:
    members = EMPTY_MEMBERS + gzip.compress(b"{}")
    turns = 0

    async def receive() -> Message:
        return {"type": "http.request", "body": members, "more_body": False}

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async def first() -> Message:
        counting = asyncio.create_task(count())
        message = await Unpacked(receive)()
        counting.cancel()
        return message

    assert asyncio.run(first())["body"] == b"{}"
    assert turns > 1_000


@BOTH
def test_a_body_that_does_not_compress_may_have_the_whole_limit(path: str) -> None:
    content = random.Random(0).randbytes(limit_of(path))
    for packed in (gzip.compress(content), gzip.compress(content, 0), bgzip(content)):
        assert len(packed) > len(content)
        assert received(path, parts(packed), content_length=len(packed)) == content
    more = gzip.compress(content + b"1")
    assert problem(path, parts(more), content_length=len(more))[:2] == (413, "too_large")


def bgzip(content: bytes) -> bytes:
    """Members of at most 64 kB."""
    return b"".join(gzip.compress(content[at : at + 65_280]) for at in range(0, len(content), 65_280))


@BOTH
def test_a_packed_length_above_the_limit_is_refused_unread(path: str) -> None:
    longest = packed_limit(limit_of(path))
    assert problem(path, iter(()), content_length=longest + 1)[:2] == (413, "too_large")
    assert problem(path, iter(()), content_length=longest + 1, content_encoding="br")[:2] == (415, "content_encoding")
    plain = {"content_length": limit_of(path) + 1, "content_encoding": "identity"}
    assert problem(path, iter(()), **plain)[:2] == (413, "too_large")


@BOTH
def test_zeros_between_and_after_members_are_padding(path: str) -> None:
    one, two = gzip.compress(b'{"a":'), gzip.compress(b"1}")
    padded = one + bytes(600) + two + bytes(10_240)
    assert gzip.decompress(padded) == b'{"a":1}'
    assert received(path, parts(padded)) == b'{"a":1}'
    assert received(path, parts(one, bytes(3), bytes(9_000), two, b"\0", b"")) == b'{"a":1}'
    for broken in (bytes(10) + one, one + bytes(10) + b"more", one + bytes(10) + two[:-1]):
        assert problem(path, parts(broken))[:2] == (400, "malformed_gzip")


def test_every_cut_into_messages_gives_the_same_bytes() -> None:
    content = json.dumps(list(range(2_000))).encode()
    packed = gzip.compress(content[:99]) + bytes(5) + gzip.compress(b"") + gzip.compress(content[99:])
    for size in (1, 7, 1_000, len(packed)):
        pieces = [packed[at : at + size] for at in range(0, len(packed), size)]
        assert received(FILE, parts(*pieces)) == content


def test_a_part_that_ends_with_its_input_is_followed_by_the_rest() -> None:
    content = bytes(900_000)  # packed in one step
    assert len(zlib.compress(content)) < 2_000
    assert received(FILE, parts(gzip.compress(content))) == content
    members = gzip.compress(content[:400_000]) + gzip.compress(content[400_000:]) + gzip.compress(b"end")
    assert received(FILE, parts(members)) == content + b"end"


def test_after_its_end_a_packed_body_waits_for_the_connection() -> None:
    messages = parts(gzip.compress(b"{}"))

    async def receive() -> Message:
        return next(messages)

    async def seen() -> list[Message]:
        unpacked = Unpacked(receive)
        return [await unpacked() for _ in range(3)]

    assert [message["type"] for message in asyncio.run(seen())] == ["http.request", "http.request", "http.disconnect"]
