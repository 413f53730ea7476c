"""Duration and peak memory of a batch job, from the upload of its file to the last answer.

    python benchmarks/batch_jobs.py --home <platform home with a champion> --rows 1000000 --form csv

The rows are test loans of the champion, repeated.
"""

import argparse
import io
import os
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import psutil
from servers import ROOT, champion_model, out_of_time_loans, service_command, wait_until_ready

from loan_platform.settings.service import ServiceSettings

BATCH = "/api/v1/predict/batch"
MEDIA = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", required=True)
    parser.add_argument("--book", default="lending_club")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--form", choices=MEDIA, default="csv")
    parser.add_argument("--port", type=int, default=8_123)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="batch-jobs-") as scratch:
        environment = os.environ | {
            "LOAN_PLATFORM_HOME": str(Path(arguments.home).resolve()),
            "LOAN_PORTFOLIO": arguments.book,
            "LOAN_ENV": "development",
            "BENTOML_HOME": scratch,
        }
        body = make_file(ServiceSettings.from_environment(environment), arguments.rows, arguments.form)
        process = subprocess.Popen(
            service_command(arguments.port),
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until_ready(arguments.port, process, "/readyz")
            measure(arguments, body)
        finally:
            process.terminate()
            process.wait(30)


def make_file(settings: ServiceSettings, rows: int, form: str) -> bytes:
    """A file of applications in one of the forms of `MEDIA`."""
    loans = out_of_time_loans(champion_model(settings))
    frame = pl.concat([loans] * (rows // loans.height + 1)).head(rows)
    written = io.BytesIO()
    frame.write_csv(written) if form == "csv" else frame.write_parquet(written)
    return written.getvalue()


def measure(arguments: argparse.Namespace, body: bytes) -> None:
    """Upload the file, wait for the job and print the figures."""
    with httpx.Client(base_url=f"http://127.0.0.1:{arguments.port}", timeout=120) as client:
        peak = PeakMemory()
        started = time.perf_counter()
        answer = client.post(BATCH, content=body, headers={"content-type": MEDIA[arguments.form]})
        answer.raise_for_status()
        uploaded = time.perf_counter() - started
        job = finished(client, answer.json()["job_id"])
        seconds = time.perf_counter() - started
        client.delete(f"{BATCH}/{job['job_id']}")
    print(f"job {job['status']}: {job['scored']:,} rows scored, {job['refused_rows']:,} rejected")
    print(f"file: {len(body) / 1e6:.0f} MB; upload: {uploaded:.1f} s")
    print(f"upload to last answer: {seconds:.1f} s, {arguments.rows / seconds:,.0f} rows/s")
    print(f"peak memory of the job's process: {peak.megabytes:.0f} MB")


def finished(client: httpx.Client, job_id: str) -> dict[str, Any]:
    """The job once it has ended."""
    while True:
        job = client.get(f"{BATCH}/{job_id}", params={"limit": 1}).json()
        if job["status"] not in {"PENDING", "RUNNING"}:
            return job
        time.sleep(0.2)


class PeakMemory(threading.Thread):
    """Measures the peak memory of the process that runs batch jobs, in MB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.megabytes = 0.0
        self.start()

    def run(self) -> None:
        while True:
            for process in psutil.Process().children(recursive=True):
                try:
                    if "bento.batch.runner" in process.cmdline():
                        self.megabytes = max(self.megabytes, process.memory_info().rss / 1e6)
                except psutil.NoSuchProcess:
                    continue
            time.sleep(0.1)


if __name__ == "__main__":
    main()
