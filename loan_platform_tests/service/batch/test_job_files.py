"""The files of a finished job over HTTP."""

import asyncio
import json
from pathlib import Path

import httpx
import polars as pl
import pytest

from bento.batch.input import CSV
from bento.batch.jobs import Job, JobStore
from bento.batch.output import file_slices
from bento.model.champion_ref import Withdrawn
from loan_platform_tests.support.service.batch_jobs import BATCH
from loan_platform_tests.support.service.in_process import worker_app

JOB = Job("0" * 32, owner="", media=CSV, version=1, sha256="", created=0.0, status="SUCCEEDED")


@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet"])
def test_head_of_a_file_reads_no_row(form: str, tmp_path: Path) -> None:
    store = JobStore(tmp_path / "jobs", 1_000_000)
    store.path(JOB.id).mkdir(parents=True)
    store.save(JOB)
    answers = store.path(JOB.id) / "answers.parquet"
    pl.DataFrame({"row": [1, 2], "probability": [0.1, 0.2]}).write_parquet(answers)

    async def asked() -> tuple[httpx.Response, httpx.Response]:
        with worker_app(tmp_path) as app:
            transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))  # pyright: ignore[reportArgumentType]
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                path = f"{BATCH}/{JOB.id}?format={form}"
                got = await client.get(path)
                if form != "parquet":  # its size is in the headers
                    answers.write_bytes(b"no Parquet")
                return got, await client.head(path)

    got, head = asyncio.run(asked())
    assert (got.status_code, len(got.content) > 0) == (200, True)
    assert (head.status_code, head.content) == (200, b"")
    differing = {"x-request-id"}
    assert {k: v for k, v in head.headers.items() if k not in differing} == {
        k: v for k, v in got.headers.items() if k not in differing
    }


def test_a_withdrawn_model_takes_no_job(tmp_path: Path) -> None:
    told = Withdrawn(1, "version 1 was withdrawn: it reads debt.")

    async def posted() -> httpx.Response:
        with worker_app(tmp_path, withdrawn=lambda: told) as app:
            transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))  # pyright: ignore[reportArgumentType]
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.post(BATCH, json=[{"income": 1}])

    answer = asyncio.run(posted())
    assert (answer.status_code, answer.json()["code"]) == (503, "no_model")
    assert "the champion was withdrawn" in answer.json()["detail"]


@pytest.mark.attack("client", "a spreadsheet formula in a key", before="=HYPERLINK ran when the answers were opened")
def test_texts_of_csv_are_no_formulas(tmp_path: Path) -> None:
    keys = [
        "=1+1",
        "+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        " =1",
        "\uff1d1",
        "-5",
        "+4915112345678",
        "L-1",
        "a=b",
    ]
    path = tmp_path / "answers.parquet"
    pl.DataFrame({"key": keys, "score": [-1.5] * len(keys)}).write_parquet(path)
    table = pl.read_csv(b"".join(file_slices(path, True)), schema={"key": pl.String, "score": pl.Float64})
    assert table["key"].to_list() == [*(f"'{key}" for key in keys[:7]), *keys[7:]]
    assert set(table["score"]) == {-1.5}
    assert [json.loads(line)["key"] for line in b"".join(file_slices(path, False)).splitlines()] == keys
