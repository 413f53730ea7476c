"""JSON is looked through for its depth before it is parsed, soon whatever it is."""

import json
import time

import pytest

from bento.http.nesting import is_deeper


@pytest.mark.parametrize(
    ("body", "deeper"),
    [
        (b"{}", False),
        (b"[" * 8 + b"]" * 8, False),
        (b"[" * 9 + b"]" * 9, True),
        (b'{"a":' * 9, True),
        (b"[]" * 1_000, False),
        (json.dumps({"a": "[" * 100, 'b"[[[[[[[[[[': '\\"{{{{{{{{{{'}).encode(), False),
        (b'["' + b"[" * 100, False),
        (b'"\\"' + b"[" * 9, False),
        (b'"\\\\"' + b"[" * 9, True),
        ('["ü'.encode() + b"[" * 20 + b'"]' + b"{" * 9, True),
    ],
)
def test_brackets_count_outside_of_strings_alone(body: bytes, deeper: bool) -> None:
    assert is_deeper(body) is deeper


@pytest.mark.parametrize("piece", [b"[", b"[]", b'"', b'\\"', b'"\\"[', b"\\", b'""', b'"['])
def test_eight_megabytes_take_little_processor_time(piece: bytes) -> None:
    started = time.thread_time()
    is_deeper(b"[[[[{{{{[[" + piece * (8_000_000 // len(piece)))
    assert time.thread_time() - started < 5
