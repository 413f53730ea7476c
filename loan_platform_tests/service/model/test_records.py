"""Records of the real service: one for each answer, before it is sent, and nothing personal in them."""

import asyncio
import contextlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from loan_platform.adapters.audit import chain_files
from loan_platform.adapters.audit.keys import AuditKey
from loan_platform_tests.support.paths import REPOSITORY
from loan_platform_tests.support.service.audited import CANARY, PERSONAL, ROWS, audit_of, command, records_of
from loan_platform_tests.support.service.in_thread import answering
from loan_platform_tests.support.service.running import BOOK, Home, serving, worker
from loan_platform_tests.support.waiting import PATIENCE_SECONDS, until


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.promote(0.1)
    return home


def text_of(home: Home) -> str:
    directory = audit_of(home).directory
    return "".join(path.read_text() for path in directory.rglob("*") if path.is_file())


@pytest.mark.parametrize("inputs", ["omitted", "encrypted"])
def test_every_answer_is_a_record_without_personal_values(home: Home, inputs: str) -> None:
    AuditKey.create(audit_of(home).key)
    key = home.keys.create("somebody")
    service = serving if inputs == "encrypted" else answering  # one of them is enough for the processes
    with service(home, LOAN_ENV="production", LOAN_AUDIT_INPUTS=inputs, LOAN_RATE="unlimited") as client:
        client.headers["x-api-key"] = key
        one = client.post("/api/v1/predict?explain=true", json=ROWS[0]).json()["data"]
        assert client.post("/predict", json=ROWS[1]).status_code == 200
        rows = client.post("/invocations", json={"dataframe_records": ROWS}).json()["predictions"]
        assert client.post("/api/v1/predict", json={"income": CANARY}).status_code == 422
    (chain,) = records_of(home).chains()
    assert (chain.faults, len(chain.records)) == ((), 2 + len(ROWS))
    first = chain.records[0]
    same = ("probability", "decision", "expected_loss", "model_version", "model_sha256", "policy_version", "request_id")
    assert {name: first[name] for name in same} == {name: one[name] for name in same}
    assert first["key_id"] == key.split("_")[1]
    assert first["reasons"] == [[reason["code"], reason["points"]] for reason in one["reasons"]]
    assert [record["probability"] for record in chain.records[2:]] == [row["probability"] for row in rows]
    text = text_of(home)
    assert [value for value in (*PERSONAL, key) if value in text] == []
    if inputs == "encrypted":
        _replayed(home, chain.records)
    else:
        assert records_of(home).stored_application(first) is None


def _replayed(home: Home, records: tuple[dict[str, Any], ...]) -> None:
    stored = records_of(home).stored_application(records[0])
    assert stored is not None
    assert stored.entity == ROWS[0]["loan_id"]
    for record in (records[0], records[-1]):
        done = command(home, "replay", record["request_id"])
        assert (done.returncode, "the same bits" in done.stdout) == (0, True), done.stderr
    assert command(home, "replay", "0123").returncode == 2
    assert command(home, "verify").returncode == 0
    ends = home.root / "ends.json"
    assert command(home, "verify", "--save", str(ends)).returncode == 0
    path = chain_files.segments(chain_files.chains(audit_of(home).directory)[0])[0]
    path.write_bytes(path.read_bytes().replace(b'"approve"', b'"decline"', 1).replace(b'"refer"', b'"decline"', 1))
    done = command(home, "verify", "--against", str(ends))
    assert (done.returncode, f"{path.name}:" in done.stdout) == (1, True)


async def _flood(url: httpx.URL, kill: Callable[[], None]) -> list[str]:
    """What was answered to eight callers until all processes were killed."""
    answered: list[str] = []

    async def ask(client: httpx.AsyncClient) -> None:
        while True:
            try:
                response = await client.post("/api/v1/predict", json=ROWS[0])
            except httpx.TransportError:
                return
            if response.status_code == 200:
                answered.append(response.json()["data"]["request_id"])
            if len(answered) == 60:
                kill()

    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) as client:
        await asyncio.gather(*(ask(client) for _ in range(8)))
    return answered


def _kill() -> None:
    """Every process of the service."""
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def test_after_kills_under_load_no_answer_lacks_its_record(home: Home) -> None:
    """Two workers, killed as one, again and again: their chains are whole, and what was answered is there."""
    answered: list[str] = []
    kills = 100 if os.environ.get("LOAN_FAULTS") == "full" else 2
    for _ in range(kills):
        with (
            contextlib.suppress(AssertionError),  # it does not end well
            serving(home, LOAN_ENV="development", LOAN_WORKERS="2") as client,
        ):
            answered += asyncio.run(_flood(client.base_url, _kill))
    recorded = [record["request_id"] for chain in records_of(home).chains() for record in chain.records]
    faults = [fault for chain in records_of(home).chains() for fault in chain.faults]
    assert (faults, len(answered) >= 60 * kills) == ([], True)
    assert set(answered) <= set(recorded)
    assert len(recorded) == len(set(recorded))
    assert len(recorded) - len(answered) <= 8 * kills  # those in flight


@contextlib.contextmanager
def _full_disk(home: Home, client: httpx.Client) -> Any:
    """The worker's files may grow by a few records and no more, until the end."""
    pid = worker(client)
    limit = (home.root / "service.log").stat().st_size + 30_000
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    yield
    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def _asked_until(client: httpx.Client, done: Callable[[httpx.Response], bool]) -> httpx.Response:
    return until(lambda: answer if done(answer := client.post("/predict", json=ROWS[0])) else None)


def test_a_full_disk_stops_answers_until_records_have_room(home: Home) -> None:
    with serving(home, LOAN_ENV="development", LOAN_LOG_REQUESTS="0") as client:
        with _full_disk(home, client):
            refused = _asked_until(client, lambda answer: answer.status_code != 200)
            assert (refused.status_code, refused.json()["code"]) == (503, "audit_unavailable")
            assert refused.headers["retry-after"] == "5"
            ready = client.get("/readyz")
            assert (ready.status_code, ready.json()["code"]) == (503, "audit_unavailable")
        _asked_until(client, lambda answer: answer.status_code == 200)
        assert client.get("/readyz").status_code == 200
    assert [fault for chain in records_of(home).chains() for fault in chain.faults] == []


def test_fail_open_answers_without_records_and_counts_them(home: Home) -> None:
    lost = f'loan_audit_lost_total{{portfolio="{BOOK}"}}'
    with serving(home, LOAN_ENV="development", LOAN_LOG_REQUESTS="0", LOAN_AUDIT_FAIL="open") as client:
        sent = 0
        with _full_disk(home, client):
            for _ in range(300):
                assert client.post("/predict", json=ROWS[0]).status_code == 200
                sent += 1
            assert client.get("/readyz").status_code == 200
        (line,) = [line for line in client.get("/metrics").text.splitlines() if line.startswith(lost)]
        missing = int(float(line.split()[-1]))
    (chain,) = records_of(home).chains()
    assert (chain.faults, missing > 0, len(chain.records) + missing) == ((), True, sent)


def test_encrypted_inputs_need_a_key(home: Home) -> None:
    home.keys.create("somebody")
    ran = subprocess.run(
        [sys.executable, "-c", "import bento.service"],
        cwd=REPOSITORY,
        env={**os.environ, **home.environment, "LOAN_AUDIT_INPUTS": "encrypted"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode != 0
    assert "make audit-key" in ran.stderr


def test_a_record_says_who_asked_and_what_was_answered(home: Home) -> None:
    with answering(home, LOAN_AUDIT_INPUTS="plain") as client:
        client.post("/predict", json=ROWS[0])
    (chain,) = records_of(home).chains()
    (record,) = chain.records
    assert command(home, "create-key").returncode == 0
    assert command(home, "verify").returncode == 0  # the chain that was begun without a key has its code
    assert record["plain"]["inputs"] == {name: value for name, value in ROWS[0].items() if name != "loan_id"}
    assert json.dumps(record["plain"]["entity"]) == json.dumps(ROWS[0]["loan_id"])
