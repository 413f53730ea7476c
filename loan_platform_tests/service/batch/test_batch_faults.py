"""Batch jobs go on after a kill, with the answers of an undisturbed run; a cancelled one ends soon."""

import io
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import polars as pl
import psutil
import pytest

from bento.batch.jobs import MAX_STARTS, JobStore
from bento.batch.piece_files import PIECE_ROWS
from loan_platform.adapters.audit.reader import AuditRecords
from loan_platform.core.scoring.predictor import Predictor
from loan_platform.settings.audit import AuditSettings
from loan_platform_tests.support.bundles import typed_rows
from loan_platform_tests.support.service.batch_jobs import BATCH, ended, parquet
from loan_platform_tests.support.service.running import BOOK, Home, serving, worker
from loan_platform_tests.support.waiting import PATIENCE_SECONDS, until

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

SOME = pl.concat([typed_rows(seed) for seed in range(0, 4_000, 40)])
ROWS = pl.concat([SOME] * 35)  # three pieces, of which the last is not full
MORE_ROWS = pl.concat([SOME] * 65)  # six pieces: more than a job may be killed at
MEDIA = {"content-type": "application/vnd.apache.parquet"}


def runner() -> psutil.Process | None:
    for process in psutil.Process().children(recursive=True):
        try:
            if "bento.batch.runner" in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                return process
        except psutil.NoSuchProcess:
            continue
    return None


def begun(client: httpx.Client, job: str) -> Callable[[], bool]:
    return lambda: 0 < client.get(f"{BATCH}/{job}").json()["progress"] < 1


def answers(client: httpx.Client, job: str) -> pl.DataFrame:
    return pl.read_parquet(io.BytesIO(client.get(f"{BATCH}/{job}", params={"format": "parquet"}).content))


def recorded(home: Home) -> int:
    """Rows of the jobs' records, all of which must stand."""
    records = AuditRecords(AuditSettings.for_portfolio(BOOK, home.environment).directory, None)
    chains = list(records.chains())
    assert [fault for chain in chains for fault in chain.faults] == []
    return sum(rows.height for chain in chains for _, rows in records.jobs(chain))


def test_a_killed_job_goes_on_with_the_same_model(tmp_path: Path) -> None:
    home = Home(tmp_path)
    model, _ = home.promote(slope=0.1)
    with serving(home, LOAN_ENV="development") as client:
        posted = client.post(BATCH, content=parquet(ROWS), headers=MEDIA)
        job = posted.json()["job_id"]
        until(begun(client, job))
        until(runner).kill()
        home.promote(slope=0.3)
        until(lambda: client.get("/api/v1/model/info").json()["version"] == 2)
        assert client.get("/readyz").status_code == 200
    with serving(home, LOAN_ENV="development") as client:
        told = ended(client, posted)
        assert (told["status"], told["scored"], told["refused_rows"]) == ("SUCCEEDED", ROWS.height, 0)
        assert (told["model_version"], told["total_predictions"]) == (1, ROWS.height)
        found = answers(client, job)
    wanted = Predictor(model).predict_frame(ROWS)
    assert recorded(home) == ROWS.height
    assert found["row"].to_list() == list(range(1, ROWS.height + 1))
    assert found.drop("row", "key").equals(wanted)
    assert JobStore(home.settings.cache / "jobs", 0).get(job).starts >= 2  # pyright: ignore[reportOptionalMemberAccess]


def test_a_job_goes_on_after_the_whole_service_was_killed(tmp_path: Path) -> None:
    home = Home(tmp_path)
    model, _ = home.promote(slope=0.1)
    posted: httpx.Response | None = None
    with suppress(AssertionError), serving(home, LOAN_ENV="development") as client:  # whose end is not in order
        posted = client.post(BATCH, content=parquet(ROWS), headers=MEDIA)
        until(begun(client, posted.json()["job_id"]))
        for process in psutil.Process().children(recursive=True):
            process.kill()
    assert posted is not None
    store, job = JobStore(home.settings.cache / "jobs", 0), posted.json()["job_id"]
    before = store.get(job)
    assert before is not None
    assert 0 < before.done < before.parts
    with serving(home, LOAN_ENV="development") as client:
        assert ended(client, posted)["status"] == "SUCCEEDED"
        assert answers(client, job).drop("row", "key").equals(Predictor(model).predict_frame(ROWS))
        assert store.rows() == (ROWS.height, 0)
    assert recorded(home) == ROWS.height


def test_a_cancelled_job_ends_and_the_next_one_begins(service: httpx.Client, home: Home) -> None:
    job = service.post(BATCH, content=parquet(MORE_ROWS), headers=MEDIA).json()["job_id"]
    until(begun(service, job))
    assert service.delete(f"{BATCH}/{job}").status_code == 204
    assert service.get(f"{BATCH}/{job}").json()["status"] == "CANCELLED"
    assert service.get(f"{BATCH}/{job}", params={"format": "csv"}).json()["code"] == "not_ready"
    small = service.post(BATCH, json=[{"income": 1}])
    assert ended(service, small)["status"] == "SUCCEEDED"
    told = service.get(f"{BATCH}/{job}").json()
    pieces = -(-MORE_ROWS.height // PIECE_ROWS)
    assert told["scored"] in [piece * PIECE_ROWS for piece in range(1, pieces)]  # what it had come to


def test_a_job_that_ends_its_process_again_and_again_is_given_up(service: httpx.Client, home: Home) -> None:
    posted = service.post(BATCH, content=parquet(ROWS), headers=MEDIA)
    store, job = JobStore(home.settings.cache / "jobs", 0), posted.json()["job_id"]
    for starts in range(1, MAX_STARTS + 1):
        until(lambda starts=starts: store.get(job).starts == starts)  # pyright: ignore[reportOptionalMemberAccess]
        os.kill(until(runner).pid, signal.SIGKILL)
    told = ended(service, posted)
    assert (told["status"], told["message"]) == ("FAILED", f"The job ended its process {MAX_STARTS} times.")
    assert service.post("/predict", json={"income": 1}).status_code == 200


def test_kills_between_finished_pieces_do_not_fail_a_job(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.promote(slope=0.1)
    store = JobStore(home.settings.cache / "jobs", 0)
    with serving(home, LOAN_ENV="development") as client:
        posted = client.post(BATCH, content=parquet(MORE_ROWS), headers=MEDIA)
        job = posted.json()["job_id"]
        for pieces in range(1, MAX_STARTS + 2):  # killed more often than is forgiven at one piece
            until(lambda pieces=pieces: store.get(job).done >= pieces)  # pyright: ignore[reportOptionalMemberAccess]
            until(runner).kill()
    with serving(home, LOAN_ENV="development") as client:
        told = ended(client, posted)
        assert (told["status"], told["scored"]) == ("SUCCEEDED", MORE_ROWS.height)


def test_a_stalled_upload_and_download_do_not_hold_up_the_end(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.promote(slope=0.1)
    head = f"POST {BATCH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: 99\r\n\r\nincome\n"
    with serving(home, LOAN_ENV="development") as client:
        address = client.base_url.host, client.base_url.port or 80
        job = client.post(BATCH, content=parquet(ROWS), headers=MEDIA)
        ended(client, job)
        upload, download = (socket.create_connection(address, timeout=PATIENCE_SECONDS) for _ in range(2))
        path = f"{BATCH}/{job.json()['job_id']}?format=ndjson"
        download.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert download.recv(12) == b"HTTP/1.1 200"
        upload.sendall(head.encode())
        until(lambda: list(home.settings.cache.glob("jobs/*.partial/input")))
    answer = upload.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 503")
    assert b'"code": "ending"' in answer
    assert not list(home.settings.cache.glob("jobs/*.partial"))
    log = (tmp_path / "service.log").read_text()
    assert "graceful shutdown exceeded" in log  # said by Uvicorn: the worker ended itself, and was not killed
    upload.close()
    download.close()


def test_a_full_disk_refuses_a_job_or_fails_it_with_the_reason(service: httpx.Client, home: Home) -> None:
    lines, media = b'{"income": 1}\n' * 40_000, {"content-type": "application/x-ndjson"}
    process = psutil.Process(worker(service))
    _, most = process.rlimit(psutil.RLIMIT_FSIZE)
    process.rlimit(psutil.RLIMIT_FSIZE, (len(lines) - 1, most))  # of a file, which the service takes for the disk's
    answer = service.post(BATCH, content=lines, headers=media)
    assert (answer.status_code, answer.json()["code"]) == (507, "no_room")
    assert not list(home.settings.cache.glob("jobs/*.partial"))
    process.rlimit(psutil.RLIMIT_FSIZE, (len(lines) + 1, most))  # the runner writes more than came
    told = ended(service, service.post(BATCH, content=lines, headers=media))
    assert (told["status"], told["message"]) == ("FAILED", "The disk of the service is full.")
    process.rlimit(psutil.RLIMIT_FSIZE, (most, most))
    assert ended(service, service.post(BATCH, json=[{"income": 1}]))["status"] == "SUCCEEDED"
