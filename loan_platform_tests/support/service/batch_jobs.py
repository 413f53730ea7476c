"""Batch jobs of the running service, followed to their end."""

import io
from typing import Any
from urllib.parse import urljoin

import httpx
import polars as pl

from loan_platform_tests.support.waiting import until

BATCH = "/api/v1/predict/batch"


def ended(client: httpx.Client, answer: httpx.Response) -> dict[str, Any]:
    """The state of a job that was just accepted, once it has ended."""
    assert answer.status_code == 202, answer.text
    job = answer.json()["job_id"]
    assert urljoin(str(answer.url), answer.headers["location"]) == urljoin(str(answer.url), f"{BATCH}/{job}")

    def at_its_end() -> dict[str, Any] | None:
        told = client.get(f"{BATCH}/{job}", params={"limit": 1000}).json()
        return None if told["status"] in ("PENDING", "RUNNING") else told

    return until(at_its_end)


def parquet(frame: pl.DataFrame) -> bytes:
    """The frame as the bytes of a Parquet file."""
    written = io.BytesIO()
    frame.write_parquet(written)
    return written.getvalue()
