"""Time of a file of many applications, from its upload to the last answer.

    python benchmarks/batch_jobs.py --home <platform home with a champion> --rows 1000000 --form csv

The rows are test rows of the champion's training, over and over.
"""

import argparse
import io
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import polars as pl
import psutil

from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.core.applications.reader import ApplicationReader
from loan_platform.core.scoring.bundle import load_bundle
from loan_platform.settings.service import ServiceSettings

ROOT = Path(__file__).parents[1]
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
    home = str(Path(arguments.home).resolve())
    with tempfile.TemporaryDirectory(prefix="batch-jobs-") as scratch:
        environment = os.environ | {
            "LOAN_PLATFORM_HOME": home,
            "LOAN_PORTFOLIO": arguments.book,
            "LOAN_ENV": "development",
            "BENTOML_HOME": scratch,
        }
        body = _file(ServiceSettings.from_environment(environment), arguments.rows, arguments.form)
        command = [sys.executable, "-m", "bentoml", "serve", "bento.service:LoanService", "--port", str(arguments.port)]
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _measure(arguments, body)
        finally:
            process.terminate()
            process.wait(30)


def _measure(arguments: argparse.Namespace, body: bytes) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{arguments.port}", timeout=120) as client:
        while True:
            try:
                if client.get("/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.2)
        peak = _Peak()
        started = time.perf_counter()
        answer = client.post(BATCH, content=body, headers={"content-type": MEDIA[arguments.form]})
        answer.raise_for_status()
        uploaded = time.perf_counter() - started
        while True:
            told = client.get(f"{BATCH}/{answer.json()['job_id']}", params={"limit": 1}).json()
            if told["status"] not in {"PENDING", "RUNNING"}:
                break
            time.sleep(0.2)
        seconds = time.perf_counter() - started
        client.delete(f"{BATCH}/{told['job_id']}")
    print(f"{told['status']}: {told['scored']:,} scored, {told['refused_rows']:,} refused, {len(body) / 1e6:.0f} MB")
    print(f"{seconds:.1f} s, of which the upload took {uploaded:.1f} s; {arguments.rows / seconds:,.0f} rows/s")
    print(f"at most {peak.megabytes:.0f} MB in the process that works on it")


class _Peak(threading.Thread):
    """Memory of the process that works on jobs."""

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


def _file(settings: ServiceSettings, rows: int, form: str) -> bytes:
    champion = Ledger(settings.ledger_url).champion(settings.portfolio)
    if champion is None:
        sys.exit(f"{settings.portfolio} has no champion in this home: train and promote first.")
    trained = settings.models / champion.model_sha256
    columns = ApplicationReader(load_bundle(trained / "bundle").model).columns
    known = pl.read_parquet(trained / "test_rows.parquet")
    known = known.select(name for name in columns if name in known.columns)
    frame = pl.concat([known] * (rows // known.height + 1)).head(rows)
    written = io.BytesIO()
    frame.write_csv(written) if form == "csv" else frame.write_parquet(written)
    return written.getvalue()


if __name__ == "__main__":
    main()
