"""How often a key may ask: exactly so often, over all workers, and no key feels another."""

import multiprocessing
import time
from pathlib import Path

import pytest
from limits import parse
from limits.storage import MemoryStorage, Storage
from limits.strategies import MovingWindowRateLimiter

from bento.http.problems import HttpError
from bento.http.rate_limit import Limiter, storage_for
from bento.http.shared_windows import SharedWindows
from loan_platform.settings.environment import SettingsError
from loan_platform.settings.service import LimitSettings
from loan_platform_tests.support.bundles import typed_rows
from loan_platform_tests.support.service.asking import ask, passed
from loan_platform_tests.support.service.running import Home, bodies, serving
from loan_platform_tests.support.waiting import PATIENCE_SECONDS

BODY = bodies(typed_rows().head(1))[0]


@pytest.fixture(params=["memory", "shared"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return MemoryStorage() if request.param == "memory" else SharedWindows(tmp_path / "limits.db")


def test_a_window_lets_its_rate_pass_and_opens_as_announced(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1_000_000.0]
    monkeypatch.setattr(time, "time", lambda: clock[-1])
    limiter = Limiter("5/second", storage)
    assert [passed(limiter, "noisy") for _ in range(7)] == [True] * 5 + [False] * 2
    assert passed(limiter, "quiet")
    with pytest.raises(HttpError) as refused:
        limiter.check("noisy", None)
    assert (refused.value.status, refused.value.code) == (429, "rate_limited")
    assert refused.value.headers["retry-after"] == "1"
    clock.append(clock[-1] + 1.02)
    assert [passed(limiter, "noisy") for _ in range(6)] == [True] * 5 + [False]


def test_a_key_may_carry_a_rate_of_its_own(storage: Storage) -> None:
    limiter = Limiter("1/hour", storage)
    assert [passed(limiter, "a", "3/hour") for _ in range(4)] == [True, True, True, False]
    assert all(passed(limiter, "b", "unlimited") for _ in range(10))
    assert [passed(limiter, "c") for _ in range(2)] == [True, False]


def test_several_at_once_fit_or_do_not(tmp_path: Path) -> None:
    for storage in (MemoryStorage(), SharedWindows(tmp_path / "limits.db")):
        window, item = MovingWindowRateLimiter(storage), parse("10/hour")
        assert [window.hit(item, "a", cost=cost) for cost in (4, 11, 5, 2, 1, 1)] == [
            True,
            False,
            True,
            False,
            True,
            False,
        ]
        assert window.get_window_stats(item, "a").remaining == 0
        storage.reset()
        assert window.get_window_stats(item, "a").remaining == 10


def test_the_limit_is_that_of_all_workers_together(tmp_path: Path) -> None:
    SharedWindows(tmp_path / "limits.db")
    context = multiprocessing.get_context("spawn")
    found: multiprocessing.Queue[int] = context.Queue()
    ends = [context.Process(target=ask, args=(tmp_path / "limits.db", 450, found)) for _ in range(3)]
    for process in ends:
        process.start()
    counts = [found.get(timeout=PATIENCE_SECONDS) for _ in ends]
    for process in ends:
        process.join(PATIENCE_SECONDS)
    assert sum(counts) == 500


def test_a_file_that_is_locked_does_not_stop_the_service(tmp_path: Path) -> None:
    import sqlite3

    limiter = Limiter("1/hour", storage_for(2, tmp_path / "limits.db"))
    other = sqlite3.connect(tmp_path / "limits.db")
    other.execute("BEGIN IMMEDIATE")
    assert passed(limiter, "a")  # while the other has it
    other.rollback()
    assert [passed(limiter, "a") for _ in range(2)] == [True, False]


@pytest.mark.parametrize("rate", ["many", "0/minute", "5/week", "5 per minute", "-1/second"])
def test_a_rate_that_is_none_is_told(rate: str) -> None:
    with pytest.raises(SettingsError, match=r"^LOAN_RATE is "):
        LimitSettings.from_environment({"LOAN_RATE": rate})


@pytest.mark.slow
def test_keys_are_limited_over_two_workers(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.promote(slope=0.1)
    noisy, own = home.keys.create("noisy"), home.keys.create("own", rate="7/hour")
    with serving(home, LOAN_RATE="20/hour", LOAN_WORKERS="2") as client:

        def statuses(key: str, times: int) -> list[int]:
            found: list[int] = []
            for _ in range(times):
                client.headers["connection"] = "close"  # so that both workers are asked
                answer = client.post("/predict", json=BODY, headers={"x-api-key": key})
                found.append(answer.status_code)
                if answer.status_code == 429:
                    assert answer.json()["code"] == "rate_limited"
                    assert 3_500 < int(answer.headers["retry-after"]) <= 3_600
            return found

        assert statuses(noisy, 30) == [200] * 20 + [429] * 10
        assert statuses(own, 10) == [200] * 7 + [429] * 3
        assert client.get("/readyz").status_code == 200
        assert "loan_predictions_total{decision=" in client.get("/metrics").text
