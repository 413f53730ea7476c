"""An overloaded service answers what it can, rejects the rest, and its probes still answer."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from limits.storage import MemoryStorage
from prometheus_client import CollectorRegistry
from starlette.types import Message, Receive, Scope, Send

from benchmarks.flood import flood
from bento.app import Checks, middlewares
from bento.http.authentication import AuthenticationMiddleware
from bento.http.drain import Drain
from bento.http.overload import (
    MAX_DELAY_SECONDS,
    REJECTIONS_PER_SECOND,
    InFlightCountMiddleware,
    InFlightLimit,
    OverloadMiddleware,
    Pace,
)
from bento.http.rate_limit import Limiter, RateLimitMiddleware
from bento.http.request_info import RequestInfo, set_request_info
from bento.http.routes import InFlight
from bento.routes import ROUTES
from bento.telemetry.http_metrics import HttpMetrics
from bento.telemetry.middleware import Telemetry
from loan_platform.adapters.service.api_keys import KeyFile
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
def test_a_flood_is_answered_or_rejected_and_probes_pass(service: httpx.Client) -> None:
    storm = flood(service.base_url.port or 80, BODY, rate=20_000, seconds=3)
    assert set(storm.statuses) == {200, 503}
    assert (storm.without_retry, storm.broken) == (0, 0)
    assert storm.probes  # and each of them was 200
    assert service.post("/predict", json=BODY).status_code == 200


def test_rejections_are_paced_with_a_bounded_delay() -> None:
    pace = Pace(rate=10, max_delay=0.25)
    assert [pace.delay(5.0) for _ in range(5)] == pytest.approx([0, 0.1, 0.2, 0.25, 0.25])
    assert pace.delay(5.3) == pytest.approx(0.05)
    assert pace.delay(9.0) == 0  # quiet times are not saved up
    assert pace.delay(9.0) == pytest.approx(0.1)


def test_rejections_are_no_faster_than_their_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    delays: list[float] = []

    async def sleep(seconds: float) -> None:
        delays.append(seconds)

    async def nothing(_: Message) -> None:
        pass

    async def reject(count: int) -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: 5.0)
        limit = InFlightLimit(0)
        for _ in range(count):
            await limit.reject(RequestInfo("0123456789abcdef"), nothing)

    with monkeypatch.context() as patch:
        patch.setattr("bento.http.overload.asyncio.sleep", sleep)
        asyncio.run(reject(REJECTIONS_PER_SECOND + 10))
    expected = [min(turn / REJECTIONS_PER_SECOND, MAX_DELAY_SECONDS) for turn in range(1, REJECTIONS_PER_SECOND + 10)]
    assert delays == pytest.approx(expected)


async def _at_once(count: int, maximum: int) -> list[dict[str, Any]]:
    """The rejections of `count` requests that arrive at once, while no request is answered."""
    done, bodies_read, rejections = asyncio.Event(), [0], list[dict[str, Any]]()
    limit = InFlightLimit(maximum)

    async def wait(_: Scope, receive: Receive, __: Send) -> None:
        await receive()
        await done.wait()

    async def receive() -> Message:
        bodies_read[0] += 1
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def request(path: str, method: str) -> None:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        headers = [(b"content-type", b"application/json")]
        scope = {"type": "http", "method": method, "path": path, "headers": headers, "client": ("127.0.0.1", 1)}
        set_request_info(scope, RequestInfo("0123456789abcdef", ROUTES.find(scope)))
        await app(scope, receive, send)
        if sent:
            by_name = {name.decode(): value for name, value in sent[0]["headers"]}
            rejections.append({**json.loads(sent[1]["body"]), **by_name})

    app = OverloadMiddleware(InFlightCountMiddleware(wait, limit), limit)
    tasks = [asyncio.create_task(request("/predict", "POST")) for _ in range(count)]
    await asyncio.sleep(0.05)
    tasks += [asyncio.create_task(request(path, "GET")) for path in ("/livez", "/readyz", "/metrics")]
    while len(rejections) < count - maximum:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0)
    assert (limit.count, limit.rejected) == (maximum, count - maximum)
    assert bodies_read[0] == maximum + 3  # the bodies of rejected requests are not read
    assert sum(not task.done() for task in tasks) == maximum + 3  # probes pass although the limit is reached
    done.set()
    await asyncio.gather(*tasks)
    assert limit.count == 0
    return rejections


def test_requests_above_the_limit_are_rejected() -> None:
    rejections = asyncio.run(_at_once(10, 4))
    assert len(rejections) == 6
    assert all(
        (problem["status"], problem["code"], problem["retry-after"]) == (503, "overloaded", b"1")
        for problem in rejections
    )


def test_a_request_counts_after_the_caller_is_checked(tmp_path: Path) -> None:
    """Otherwise clients without a key that do not read their 401 would hold every place."""
    limiter = Limiter("1/minute", MemoryStorage())
    checks = Checks(KeyFile(tmp_path / "keys.json"), limiter, InFlightLimit(1), 1, Drain())
    telemetry = Telemetry(HttpMetrics(CollectorRegistry()), None, 0.0, None)
    order: list[Any] = [middleware.cls for middleware in middlewares(ROUTES, telemetry, checks)]
    checked = max(order.index(AuthenticationMiddleware), order.index(RateLimitMiddleware))
    assert order.index(OverloadMiddleware) < order.index(AuthenticationMiddleware)
    assert order.index(InFlightCountMiddleware) > checked


def test_a_failed_request_no_longer_counts() -> None:
    limit = InFlightLimit(1)

    async def fail(*_: Any) -> Any:
        raise KeyError

    async def request() -> None:
        scope: Scope = {"type": "http", "method": "POST", "path": "/predict"}
        set_request_info(scope, RequestInfo("0123456789abcdef", ROUTES.find(scope)))
        await InFlightCountMiddleware(fail, limit)(scope, fail, fail)

    for _ in range(3):
        with pytest.raises(KeyError):
            asyncio.run(request())
    assert limit.count == 0


@pytest.mark.parametrize(
    ("method", "path", "in_flight"),
    [
        ("POST", "/invocations", InFlight.COUNTED),
        ("GET", "/api/v1/model/info", InFlight.COUNTED),
        ("POST", "/api/v1/predict/batch", InFlight.REJECTED),
        ("DELETE", "/api/v1/predict/batch/1", InFlight.EXEMPT),
        ("GET", "/readyz", InFlight.EXEMPT),
    ],
)
def test_the_table_says_what_the_limit_does_to_a_route(method: str, path: str, in_flight: InFlight) -> None:
    found = ROUTES.find({"path": path})
    assert found is not None
    assert found.by_method[method].in_flight is in_flight
    assert found.rejected_when_full == (in_flight is not InFlight.EXEMPT)
