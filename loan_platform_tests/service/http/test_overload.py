"""A service that is asked more than it can do answers what it can, turns the rest away, and its probes answer."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from benchmarks.flood import flood
from bento.app import ROUTES
from bento.http.drain import Drain
from bento.http.guard import Guard
from bento.http.overload import HELD_SECONDS, PACE, Line, Pace
from loan_platform_tests.support.bundles import typed_rows
from loan_platform_tests.support.service.running import Home, bodies, serving

BODY = bodies(typed_rows().head(1))[0]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    home = Home(tmp_path_factory.mktemp("home"))
    home.promote(slope=0.1)
    with serving(home, LOAN_ENV="development", LOAN_MAX_IN_FLIGHT="16") as client:
        yield client


@pytest.mark.slow
def test_a_flood_is_answered_as_far_as_it_can_be(service: httpx.Client) -> None:
    storm = flood(service.base_url.port or 80, BODY, rate=20_000, seconds=3)
    assert set(storm.statuses) == {200, 503}
    assert (storm.without_retry, storm.broken) == (0, 0)
    assert storm.probes  # and each of them was 200
    assert service.post("/predict", json=BODY).status_code == 200


def test_rejections_are_paced_up_to_the_longest_wait() -> None:
    pace = Pace(rate=10, longest=0.25)
    assert [pace.wait(5.0) for _ in range(5)] == pytest.approx([0, 0.1, 0.2, 0.25, 0.25])
    assert pace.wait(5.3) == pytest.approx(0.05)
    assert pace.wait(9.0) == 0  # quiet times are not saved up
    assert pace.wait(9.0) == pytest.approx(0.1)


def test_a_full_line_turns_away_no_more_than_its_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    async def nothing(_: Message) -> None:
        pass

    async def all_at_once(count: int) -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: 5.0)
        line = Line(0)
        for _ in range(count):
            await line.turn_away({}, nothing)

    with monkeypatch.context() as patch:
        patch.setattr("bento.http.overload.asyncio.sleep", sleep)
        asyncio.run(all_at_once(PACE + 10))
    wanted = [min(turn / PACE, HELD_SECONDS) for turn in range(1, PACE + 10)]
    assert waited == pytest.approx(wanted)


async def _together(count: int, most: int) -> list[dict[str, Any]]:
    """What each of `count` requests gets at once, while none of the answers comes."""
    asked, done = asyncio.Event(), asyncio.Event()
    line, read, found = Line(most), [0], list[dict[str, Any]]()

    async def ours(_: Scope, __: Receive, ___: Send) -> None:
        asked.set()
        await done.wait()

    async def receive() -> Message:
        read[0] += 1
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def one(path: str, method: str) -> None:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        headers = [(b"content-type", b"application/json")]
        scope = {"type": "http", "method": method, "path": path, "headers": headers, "client": ("127.0.0.1", 1)}
        await guard(scope, receive, send)
        if sent:
            found.append(
                {**json.loads(sent[1]["body"]), **{name.decode(): value for name, value in sent[0]["headers"]}}
            )

    guard = Guard(ours, ours, ROUTES, frozenset({"/livez"}), None, Drain(), None, line)
    tasks = [asyncio.create_task(one("/predict", "POST")) for _ in range(count)]
    await asyncio.sleep(0.05)
    tasks += [asyncio.create_task(one(path, "GET")) for path in ("/livez", "/readyz", "/metrics")]
    while len(found) < count - most:
        await asyncio.sleep(0.001)
    assert (line.length, line.turned_away, read[0]) == (most, count - most, most)  # and no other body was read
    assert sum(not task.done() for task in tasks) == most + 3  # what is open passed the full line
    done.set()
    await asyncio.gather(*tasks)
    assert line.length == 0
    return found


def test_who_comes_when_the_line_is_full_is_turned_away() -> None:
    found = asyncio.run(_together(10, 4))
    assert len(found) == 6
    assert all(
        (problem["status"], problem["code"], problem["retry-after"]) == (503, "overloaded", b"1") for problem in found
    )


def test_a_place_is_free_again_after_an_error() -> None:
    line = Line(1)
    for _ in range(3):
        with pytest.raises(KeyError), line:
            raise KeyError
    assert line.length == 0
