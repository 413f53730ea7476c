"""Whatever is sent: an answer or a problem with a documented code, never a defect, and the worker lives.

Requests are valid ones with random damage: 2,000 of them here, 100,000 with LOAN_FAULTS=full.
"""

import json
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from bento.openapi.errors import CODES
from loan_platform_tests.support.bundles import typed_rows
from loan_platform_tests.support.service.running import Home, bodies, worker
from loan_platform_tests.support.waiting import PATIENCE_SECONDS

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

REQUESTS = 100_000 if os.environ.get("LOAN_FAULTS") == "full" else 2_000
CALLERS = 4
BODIES = bodies(typed_rows())
PATHS = ("/api/v1/predict", "/predict", "/invocations", "/api/v1/predict?explain=true")
MEDIA = ("application/json", "Application/JSON; charset=utf-8", "text/csv", "text/plain", "", "application/x-ndjson")
VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        "",
        " ",
        "NA",
        "x" * 5_000,
        "\u0000",
        "\ud800",
        "\uff11\uff12",
        "-",
        "1e5",
        "2015-02-30",
        "0001-01-01",
    ),
    *(0, -0.0, -1, 0.5, 10**15, 10**400, 1e308, 5e-324, 2**53 + 1, [], [1], {}, {"a": 1}),
)
TOKENS = (
    b"NaN",
    b"Infinity",
    b"1e999",
    b"-",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\x00",
    b"[" * 3_000,
    b'{"a":' * 500,
    b"\\u",
)
STATUSES = {200, 400, 404, 405, 413, 415, 422}


def application(draw: random.Random) -> dict[str, Any]:
    row = dict(draw.choice(BODIES))
    for name in draw.sample(sorted(row), draw.randint(0, 2)):
        row[name] = draw.choice(VALUES)
    if draw.random() < 0.2:
        row[draw.choice(["incme", "", "__proto__", "income ", "ключ", "a" * 300])] = draw.choice(VALUES)
    if draw.random() < 0.1:
        row.pop(draw.choice(sorted(row)))
    return row


def rows(draw: random.Random) -> Any:
    some = [application(draw) for _ in range(draw.randint(0, 4))]
    forms: list[Callable[[], Any]] = [
        lambda: {"dataframe_records": some},
        lambda: {"instances": some},
        lambda: {"inputs": {name: [row.get(name) for row in some] for name in BODIES[0]}},
        lambda: {"dataframe_split": {"columns": list(BODIES[0]), "data": [list(row.values()) for row in some]}},
        lambda: {"inputs": draw.choice(VALUES), "params": draw.choice(VALUES)},
    ]
    return draw.choice(forms)()


def damaged(draw: random.Random, body: bytes) -> bytes:
    """Cut, doubled, with bytes turned or tokens put in; half of them as they were."""
    if draw.random() < 0.5:
        return body
    at, end = sorted(draw.randint(0, len(body)) for _ in range(2))
    kinds: list[Callable[[], bytes]] = [
        lambda: body[:at],
        lambda: body[:at] + body[end:],
        lambda: body[:end] + body[at:],
        lambda: body[:at] + draw.choice(TOKENS) + body[end:],
        lambda: body[:at] + draw.randbytes(8) + body[at:],
        lambda: body[:at] + bytes([draw.randrange(256)]) + body[at + 1 :],
    ]
    return draw.choice(kinds)()


def requests(seed: int, count: int) -> Iterator[dict[str, Any]]:
    draw = random.Random(seed)
    for _ in range(count):
        path = draw.choice(PATHS) if draw.random() < 0.97 else draw.choice(["/", "/predict/", "/%00", "/../etc", "/é"])
        value = rows(draw) if path == "/invocations" else application(draw)
        media = MEDIA[0] if draw.random() < 0.9 else draw.choice(MEDIA)
        yield {
            "method": "POST" if draw.random() < 0.98 else draw.choice(["GET", "PUT", "DELETE", "PATCH"]),
            "url": path,
            "content": damaged(
                draw, json.dumps(value, ensure_ascii=draw.random() < 0.5).encode("utf-8", "surrogatepass")
            ),
            "headers": {"content-type": media},
        }


def test_any_request_gets_an_answer_or_a_documented_code(service: httpx.Client, home: Home) -> None:
    before = worker(service)
    documented = {(status, code) for status, codes in CODES.items() for code in codes}

    def told(seed: int) -> Counter[tuple[int, str]]:
        found: Counter[tuple[int, str]] = Counter()
        with httpx.Client(base_url=service.base_url, timeout=PATIENCE_SECONDS) as client:
            for request in requests(seed, REQUESTS // CALLERS):
                answer = client.request(**request)
                assert answer.status_code in STATUSES, request
                if answer.status_code == 200:
                    found[200, ""] += 1
                    continue
                assert answer.headers["content-type"] == "application/problem+json", request
                found[answer.status_code, answer.json()["code"]] += 1
        return found

    with ThreadPoolExecutor(CALLERS) as pool:
        found = sum(pool.map(told, range(CALLERS)), Counter())
    assert found.total() == REQUESTS
    assert set(found) - {(200, "")} <= documented
    assert found[200, ""] > REQUESTS / 10
    assert len(found) > 10
    assert worker(service) == before
    assert "defect" not in (home.root / "service.log").read_text()
