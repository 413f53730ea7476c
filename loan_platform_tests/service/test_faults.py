"""The service under load while things go wrong: swaps, a killed worker, an end, a registry that is silent.

Sampled here; LOAN_FAULTS=full runs the sizes that docs/service.md promises.
"""

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from loan_platform.core.scoring.predictor import Predictor
from loan_platform_tests.support.bundles import scoring_model, typed_rows
from loan_platform_tests.support.processes.small_disk import run_on_small_disk
from loan_platform_tests.support.service.running import Home, bodies, serving, worker
from loan_platform_tests.support.waiting import PATIENCE_SECONDS, until

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

FULL = os.environ.get("LOAN_FAULTS") == "full"
ROWS = typed_rows()
BODIES = bodies(ROWS)
CONNECTIONS = 8


class Load(threading.Thread):
    """Callers that ask all the time, each for one row after the other; `answers` are status, row and data."""

    def __init__(self, url: httpx.URL) -> None:
        super().__init__(daemon=True)
        self.url, self.ended = url, threading.Event()
        self.answers: list[tuple[int, int, dict[str, Any]]] = []
        self.lost: list[str] = []

    def run(self) -> None:
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            list(pool.map(self._ask, range(CONNECTIONS)))

    def _ask(self, first: int) -> None:
        row = first
        with httpx.Client(base_url=self.url, timeout=PATIENCE_SECONDS) as client:
            while not self.ended.is_set():
                row = (row + CONNECTIONS) % len(BODIES)
                try:
                    answer = client.post("/api/v1/predict", json=BODIES[row])
                except httpx.TransportError as error:
                    self.lost.append(type(error).__name__)
                    time.sleep(0.05)
                    continue
                self.answers.append((answer.status_code, row, answer.json().get("data", {})))


@contextmanager
def loaded(client: httpx.Client) -> Iterator[Load]:
    load = Load(client.base_url)
    load.start()
    try:
        yield load
    finally:
        load.ended.set()
        load.join(PATIENCE_SECONDS)


def more_answers(load: Load, count: int) -> None:
    wanted = len(load.answers) + count
    until(lambda: len(load.answers) >= wanted)


def test_many_rows_at_once_are_the_batch_s_to_the_bit(tmp_path: Path) -> None:
    home = Home(tmp_path)
    model, _ = home.promote(slope=0.1)
    rows = [typed_rows(seed) for seed in range(0, 10_000 if FULL else 800, ROWS.height)]
    wanted = [row for frame in rows for row in Predictor(model).predict_frame(frame).to_dicts()]
    asked = [body for frame in rows for body in bodies(frame)]

    async def all_answers(url: httpx.URL) -> list[dict[str, Any]]:
        limit = asyncio.Semaphore(32)
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) as client:

            async def ask(body: dict[str, Any]) -> dict[str, Any]:
                async with limit:
                    answer = await client.post("/api/v1/predict", json=body)
                return answer.json()["data"]

            return await asyncio.gather(*map(ask, asked))

    with serving(home, LOAN_ENV="development") as client:
        answers = asyncio.run(all_answers(client.base_url))
    assert len(answers) == len(wanted)
    for answer, row in zip(answers, wanted, strict=True):
        assert answer["probability"] == row["probability"]
        assert answer["decision"] == row["decision"]
        assert [r["code"] for r in answer["reasons"]] == [r["code"] for r in row["reasons"]]


def test_swaps_under_load_lose_no_request_and_mix_no_versions(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.promote(slope=0.1)
    scores, refused = {1: scoring_model(0.1).score(ROWS)["probability"]}, 0
    with serving(home, LOAN_ENV="development", LOAN_POLL_SECONDS="0.1") as client, loaded(client) as load:
        for i in range(100 if FULL else 10):
            bad, slope = i % 10 in (2, 5, 8), 0.1 + (i + 1) / 1_000
            model, version = home.promote(slope, damage=bad)
            scores[version] = model.score(ROWS)["probability"]
            refused += bad

            def seen(version: int = version, bad: bool = bad, refused: int = refused) -> bool:
                info = client.get("/api/v1/model/info").json()
                return info["refusals"] == refused if bad else info["version"] == version

            until(seen)
            if not bad:
                until(
                    lambda version=version: any(data["model_version"] == version for _, _, data in list(load.answers))
                )
    assert not load.lost
    assert {status for status, _, _ in load.answers} == {200}
    versions = {data["model_version"] for _, _, data in load.answers}
    assert len(versions) == len(scores) - refused
    assert all(data["probability"] == scores[data["model_version"]][row] for _, row, data in load.answers)


def test_a_killed_worker_loses_no_more_than_was_in_flight(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.promote(slope=0.1)
    with serving(home, LOAN_ENV="development") as client, loaded(client) as load:
        for _ in range(10 if FULL else 1):
            more_answers(load, 50)
            lost = len(load.lost)
            os.kill(worker(client), signal.SIGKILL)
            more_answers(load, 2 * CONNECTIONS)
            assert len(load.lost) - lost <= CONNECTIONS
    assert {status for status, _, _ in load.answers} == {200}


def test_a_worker_ends_after_its_supervisor_and_leaves_nothing(tmp_path: Path) -> None:
    home, left = Home(tmp_path), list[tuple[psutil.Process, Path, httpx.URL]]()
    home.promote(slope=0.1)
    with suppress(AssertionError), serving(home, LOAN_ENV="development") as client:  # whose end is not in order
        process = psutil.Process(worker(client))
        left.append((process, Path(process.environ()["PROMETHEUS_MULTIPROC_DIR"]), client.base_url))
        psutil.Process(process.ppid()).kill()
        until(lambda: not process.is_running())
    ((alone, metrics, address),) = left
    assert not alone.is_running()
    assert "the supervisor is gone" in (home.root / "service.log").read_text()
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind((address.host, address.port or 80))
    assert metrics.exists()
    with serving(home, LOAN_ENV="development") as client:
        assert client.post("/predict", json=BODIES[0]).status_code == 200
        assert not metrics.exists()


def test_at_its_end_the_service_answers_what_it_has_taken(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.promote(slope=0.1)

    def balancer(load: Load) -> None:
        """Sends no more once the service says that it is not ready."""
        with httpx.Client(base_url=load.url) as client, suppress(httpx.TransportError):
            while client.get("/readyz").status_code == 200:
                time.sleep(0.02)
        load.ended.set()

    for _ in range(10 if FULL else 1):
        with serving(home, LOAN_ENV="development") as client:
            load = Load(client.base_url)
            load.start()
            threading.Thread(target=balancer, args=[load], daemon=True).start()
            more_answers(load, 100)
        load.join(PATIENCE_SECONDS)
        assert not load.lost
        assert {status for status, _, _ in load.answers} == {200}


def test_a_registry_that_never_answers_delays_no_answer(tmp_path: Path) -> None:
    home = Home(tmp_path)
    model, _ = home.promote(slope=0.1)
    wanted = model.score(ROWS.head(1))["probability"].item()
    with serving(home, LOAN_ENV="development"):
        pass  # leaves a verified copy
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/none"
        with serving(home, LOAN_ENV="development", LOAN_LEDGER_URL=url) as client, loaded(client) as load:
            assert client.get("/readyz").status_code == 200
            until(lambda: len(load.answers) > 200)
    assert not load.lost
    assert {status for status, _, _ in load.answers} == {200}
    assert {data["probability"] for _, row, data in load.answers if row == 0} == {wanted}


FULL_DISK = """
import sys
from contextlib import suppress
from pathlib import Path
from loan_platform_tests.support.service.running import Home, bodies, serving
from loan_platform_tests.support.bundles import typed_rows
home, small = Home(Path(sys.argv[1])), Path(sys.argv[2])
with serving(home, LOAN_ENV="development", BENTOML_HOME=str(small)) as client:
    with suppress(OSError), (small / "other").open("wb", buffering=0) as other:
        while True:
            other.write(bytes(4096))
    for body in bodies(typed_rows())[:20]:
        asked = [client.post(path, json=body) for path in ("/predict", "/api/v1/predict")]
        asked += [client.post("/invocations", json={"instances": [body]}), client.post("/predict", json={})]
        asked += [client.get(path) for path in ("/metrics", "/readyz", "/docs", "/api/v1/model/info", "/none")]
        assert [answer.status_code for answer in asked] == [200, 200, 200, 422, 200, 200, 200, 200, 404]
"""


def test_a_full_disk_under_bentoml_ends_no_worker(tmp_path: Path) -> None:
    root, small = tmp_path / "home", tmp_path / "small"
    Home(root).promote(slope=0.1)
    small.mkdir()
    done = run_on_small_disk(small, FULL_DISK, root, small)
    assert done.returncode == 0, done.stderr
