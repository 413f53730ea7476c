"""Shares and turns of API keys: one key cannot take what others need."""

import asyncio
import gc
import tracemalloc

import pytest

from bento.http.bodies import MAX_VALUES, csv_rows, json_value
from bento.http.key_shares import FairTurns, KeyShares
from bento.http.overload import InFlightCountMiddleware, InFlightLimit
from bento.http.problems import HttpError, ProblemMiddleware
from bento.http.request_info import RequestInfo, set_request_info
from bento.routes import ROUTES


def test_a_key_holds_its_share_and_all_keys_the_whole() -> None:
    shares = KeyShares(places=3, per_key=2)
    with shares.place("a"), shares.place("a"):
        assert not shares.has_place("a")
        assert shares.has_place("b")
        with shares.place("b"):
            assert not shares.has_place("c")
    assert shares.has_place("a")


@pytest.mark.attack("client", "one key's many waiting bodies", before="others wait for all of them")
def test_keys_get_their_turns_in_rotation() -> None:
    order: list[str] = []

    async def request(turns: FairTurns, key: str, name: str) -> None:
        async with turns.turn(key):
            order.append(name)
            await asyncio.sleep(0)

    async def all_at_once() -> None:
        turns = FairTurns(1)
        names = ["a1", "a2", "a3", "a4", "b1", "c1", "b2"]
        await asyncio.gather(*(request(turns, name[0], name) for name in names))
        await request(turns, "a", "free again")

    asyncio.run(all_at_once())
    assert order == ["a1", "a2", "b1", "c1", "a3", "b2", "a4", "free again"]


def test_a_cancelled_request_gives_its_turn_to_the_next() -> None:
    async def run() -> list[str]:
        turns, order = FairTurns(1), list[str]()

        async def request(name: str) -> None:
            async with turns.turn(name):
                order.append(name)

        async with turns.turn("first"):
            waiting = [asyncio.create_task(request(name)) for name in ("gone", "late", "last")]
            await asyncio.sleep(0)
            waiting[0].cancel()
        waiting[1].cancel()  # it has the turn and has not noticed yet
        await asyncio.gather(*waiting, return_exceptions=True)
        await request("after")
        return order

    assert asyncio.run(run()) == ["last", "after"]


@pytest.mark.attack("client", "one key's requests in flight", before="they take every place")
def test_one_key_leaves_places_for_the_others() -> None:
    async def run() -> list[int]:
        limit, done, statuses = InFlightLimit(4), asyncio.Event(), list[int]()

        async def app(*_: object) -> None:
            await done.wait()
            statuses.append(200)

        async def send(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                statuses.append(int(str(message["status"])))

        async def request(key: str) -> None:
            scope = {"type": "http", "method": "POST", "path": "/predict"}
            set_request_info(scope, RequestInfo("0" * 16, ROUTES.find(scope), key_id=key))
            await InFlightCountMiddleware(app, limit)(scope, app, send)  # pyright: ignore[reportArgumentType]

        tasks = [asyncio.create_task(request(key)) for key in ("a", "a", "a", "a", "b")]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        done.set()
        await asyncio.gather(*tasks)
        return statuses

    assert asyncio.run(run()) == [503, 200, 200, 200, 200]


@pytest.mark.attack("client", "a body of empty lists", before="2.1 GB of memory for four bodies of 8 MB")
@pytest.mark.parametrize("part", [b"[],", b"{},", b"1,", b'"",'])
def test_a_body_of_too_many_values_is_refused_unparsed(part: bytes) -> None:
    body = b'{"instances": [' + part * MAX_VALUES + b"1]}"
    with pytest.raises(HttpError, match="commas and brackets") as refused:
        json_value(body)
    assert (refused.value.status, refused.value.code) == (413, "too_large")


def test_lines_beyond_the_limit_are_not_read() -> None:
    with pytest.raises(HttpError) as refused:
        csv_rows(b"a\n" + b"\n" * 100 + b"1\n" * 100 + b'"broken', {}, frozenset(), 10)
    assert refused.value.code == "too_many_rows"


@pytest.mark.attack("client", "a CSV body of empty lines", before="other requests wait 1.7 s")
@pytest.mark.parametrize("sign", [b",", b"\n", b"\r"])
def test_a_csv_of_too_many_values_is_refused_unparsed(sign: bytes) -> None:
    with pytest.raises(HttpError, match="commas and lines") as refused:
        csv_rows(b"a\n" + sign * MAX_VALUES, {}, frozenset(), 10)
    assert (refused.value.status, refused.value.code) == (413, "too_large")


async def refused_in_a_thread(size: int) -> None:
    """A request whose body of this size is refused in a thread, as large ones are."""

    async def app(*_: object) -> None:
        await asyncio.to_thread(json_value, b"[" + b"x" * size)

    async def send(_: object) -> None:
        pass

    scope = {"type": "http", "method": "POST", "path": "/invocations", "headers": []}
    set_request_info(scope, RequestInfo("0" * 16, ROUTES.find(scope)))
    await ProblemMiddleware(app)(scope, app, send)  # pyright: ignore[reportArgumentType]


@pytest.mark.attack("client", "large bodies that are refused", before="each stays in memory: 1.6 GB after 170 of 8 MB")
def test_a_refused_body_does_not_stay_in_memory() -> None:
    async def all_of_them() -> int:
        await refused_in_a_thread(10)
        gc.collect()
        gc.disable()  # the collector of a worker runs seldom
        tracemalloc.start()
        try:
            for _ in range(10):
                await refused_in_a_thread(1_000_000)
            return tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
            gc.enable()

    assert asyncio.run(all_of_them()) < 3_000_000
