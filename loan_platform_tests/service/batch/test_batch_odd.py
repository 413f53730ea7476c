"""Batch jobs of odd files: told for what they are, within bounds of memory, and no burden to single requests."""

import gzip
import io
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import polars as pl
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bento.batch.runner import MEMORY_BYTES_PER_CORE
from loan_platform.adapters.csv_files.blocks import MAX_RECORD_BYTES
from loan_platform.settings.platform import cores
from loan_platform_tests.support.bundles import typed_rows
from loan_platform_tests.support.service.batch_jobs import BATCH, ended, parquet
from loan_platform_tests.support.service.running import Home, bodies, serving, worker
from loan_platform_tests.support.waiting import PATIENCE_SECONDS, until

pytestmark = pytest.mark.slow

ROWS = typed_rows()
CSV, NDJSON, PARQUET = "text/csv", "application/x-ndjson", "application/vnd.apache.parquet"
TABLE = ROWS.write_csv().encode()
LONG = b'{"income": 1, "region": "' + b"x" * (3 * MAX_RECORD_BYTES) + b'"}\n'


@pytest.fixture(scope="module")
def service(home: Home) -> Iterator[httpx.Client]:
    with serving(home, LOAN_ENV="development", LOAN_MAX_IN_FLIGHT="4") as client:
        yield client


def damaged() -> bytes:
    """Parquet whose first page is overwritten; what describes it is whole."""
    noise = np.random.default_rng(0).uniform(1e3, 1e5, 20_000)
    content = parquet(pl.DataFrame({"income": noise}))
    return content[:4] + bytes(64) + content[68:]


# Jobs that are posted together are worked on by one process.
REASONS = {
    "utf16": (TABLE.decode().encode("utf-16"), CSV, "The file is UTF-16 or UTF-32 text. Send CSV in UTF-8."),
    "latin_name": (
        "income,größe\n1,2\n".encode("latin-1"),
        CSV,
        "The first line of the file is not UTF-8 text. Send CSV in UTF-8.",
    ),
    "latin_rows": (
        b"income,region\n" + "1,Süd\n".encode("latin-1") * 1_100,
        CSV,
        "The file has 1,100 of 1,100 lines that are not UTF-8 text. Send CSV in UTF-8.",
    ),
    "zip": (b"PK\x03\x04" + TABLE, CSV, "The file is packed with zip."),
    "binary": (bytes(range(256)) * 40, CSV, "The file is a binary file."),
    "no_rows": (b"income\n", CSV, "The file has a header and no rows."),
    "long_name": (b"income," + b"x" * 200_000 + b"\n1,2\n", CSV, "The first line of the file does not name columns."),
    "damaged": (damaged(), PARQUET, "The file is damaged at or after row 1."),
}


@pytest.fixture(scope="module")
def told(service: httpx.Client) -> dict[str, dict[str, Any]]:
    """The end of each job of `REASONS` and `SOUND`."""
    files = {name: case[:2] for name, case in (REASONS | SOUND).items()}
    posted = {
        name: service.post(BATCH, content=content, headers={"content-type": media})
        for name, (content, media) in files.items()
    }
    return {name: ended(service, answer) for name, answer in posted.items()}


@pytest.mark.parametrize("name", REASONS)
def test_a_file_of_another_kind_is_told_as_that(told: dict[str, dict[str, Any]], name: str) -> None:
    assert (told[name]["status"], told[name]["message"]) == ("FAILED", REASONS[name][2])


SOUND = {
    "gzip": (gzip.compress(TABLE, mtime=0), CSV, ROWS.height, 0),
    "carriage_returns": (TABLE.replace(b"\n", b"\r"), CSV, ROWS.height, 0),
    "byte_order_mark": (b'\xef\xbb\xbf{"income": 1}\n{"income": 2}', NDJSON, 2, 0),
    "long_line": (LONG + b'{"income": 2}\n', NDJSON, 1, 1),
    "nothing": (b"", NDJSON, 0, 0),
}


@pytest.mark.parametrize("name", SOUND)
def test_what_can_be_read_is_read(told: dict[str, dict[str, Any]], name: str) -> None:
    job, (_, _, scored, refused) = told[name], SOUND[name]
    assert (job["status"], job["scored"], job["refused_rows"]) == ("SUCCEEDED", scored, refused), job


def test_each_line_that_is_too_long_is_a_refused_row(service: httpx.Client) -> None:
    told = ended(service, service.post(BATCH, content=LONG + LONG, headers={"content-type": NDJSON}))
    refused = service.get(f"{BATCH}/{told['job_id']}", params={"part": "refused"}).json()["refused"]
    assert [(row["row"], row["code"]) for row in refused] == [(1, "malformed_line"), (2, "malformed_line")]


def repeated_text(rows: int, text: str) -> bytes:
    """Parquet of a few kB that holds the text so often, made without the memory that reading it takes."""
    region = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([text]))
    written = io.BytesIO()
    pq.write_table(pa.table({"income": [1.0] * rows, "region": region}), written, store_schema=False)
    return written.getvalue()


@pytest.mark.attack("client", "Parquet of few kB that repeats a long text", before="the job takes 1.5 GB and fails")
def test_repeated_long_texts_take_no_memory(service: httpx.Client) -> None:
    limit = (1 << 30) + cores() * MEMORY_BYTES_PER_CORE
    rows = 3 * limit // 2 // 60_000
    process = psutil.Process(worker(service))
    before = process.rlimit(psutil.RLIMIT_DATA)
    for limited in (process, *process.children()):  # a process that is to start keeps to the limit of its parent
        limited.rlimit(psutil.RLIMIT_DATA, (limit, before[1]))
    told = ended(
        service, service.post(BATCH, content=repeated_text(rows, "x" * 60_000), headers={"content-type": PARQUET})
    )
    process.rlimit(psutil.RLIMIT_DATA, before)
    assert (told["status"], told["scored"], told["refused_rows"]) == ("SUCCEEDED", 0, rows)
    refused = service.get(f"{BATCH}/{told['job_id']}", params={"part": "refused", "limit": 1}).json()["refused"]
    assert [(row["field"], row["code"]) for row in refused] == [("region", "out_of_range")]


def test_a_file_is_also_given_to_who_accepts_its_type(service: httpx.Client) -> None:
    told = ended(service, service.post(BATCH, json=bodies(ROWS)))
    answer = service.get(f"{BATCH}/{told['job_id']}", headers={"accept": PARQUET})
    assert answer.headers["content-type"] == PARQUET
    assert pl.read_parquet(io.BytesIO(answer.content)).to_dicts() == told["answers"]


def counted(service: httpx.Client) -> dict[str, float]:
    lines = [line for line in service.get("/metrics").text.splitlines() if line.startswith("loan_batch_rows_total{")]
    return {line.partition('outcome="')[2].partition('"')[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_rows_of_all_jobs_are_counted(service: httpx.Client) -> None:
    before = counted(service)
    told = ended(service, service.post(BATCH, json=[{"income": 1}, {"income": 2}, {"income": "x"}]))
    service.delete(f"{BATCH}/{told['job_id']}")
    after = counted(service)
    assert {name: after[name] - before[name] for name in after} == {"scored": 2, "refused": 1}


def test_slow_uploads_keep_no_single_request_waiting(service: httpx.Client, home: Home) -> None:
    head = f"POST {BATCH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {CSV}\r\nContent-Length: 9000\r\n\r\nincome\n"
    host, port = service.base_url.host, service.base_url.port or 80
    slow = [socket.create_connection((host, port), timeout=PATIENCE_SECONDS) for _ in range(12)]
    try:
        for connection in slow:
            connection.sendall(head.encode())
        until(lambda: len(list(home.settings.cache.glob("jobs/*.partial/input"))) >= 8)
        answer = service.post(BATCH, json=[{"income": 1}])
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert answer.headers["retry-after"] == "5"
        assert service.post("/predict", json=bodies(ROWS)[0]).status_code == 200
    finally:
        for connection in slow:
            connection.close()
    until(lambda: service.post(BATCH, json=[{"income": 1}]).status_code == 202)
