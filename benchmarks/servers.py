"""Start the servers that the benchmarks measure, and make the requests for them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import psutil

from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.adapters.service.ports import free_port
from loan_platform.core.applications.reader import ApplicationReader
from loan_platform.core.scoring.bundle import load_bundle
from loan_platform.settings.service import ServiceSettings

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[1]
ROWS = 2_000
READY_SECONDS = 90
SERVER_CORE, CLIENT_CORE = 0, 1


def service_command(port: int) -> list[str]:
    """The command that serves the platform's service."""
    return [str(BIN / "bentoml"), "serve", "bento.service:LoanService", "--host", "127.0.0.1", "--port", str(port)]


def uvicorn_command(app: str, port: int) -> list[str]:
    """The command that serves one app of `reference_services`."""
    module = f"benchmarks.reference_services:{app}"
    return [sys.executable, "-m", "uvicorn", module, "--port", str(port), "--log-level", "warning", "--no-access-log"]


def champion_model(settings: ServiceSettings) -> Path:
    """The folder of the champion's trained model; the program ends without a champion."""
    champion = Ledger.from_settings(settings).champion(settings.portfolio)
    if champion is None:
        sys.exit(f"{settings.portfolio} has no champion in this home. Train and promote first.")
    return settings.models / champion.model_sha256


def out_of_time_loans(model: Path) -> pl.DataFrame:
    """The champion's out-of-time test loans, with the columns of an application only."""
    columns = ApplicationReader(load_bundle(model / "bundle").model).columns
    rows = pl.read_parquet(model / "test_rows.parquet")
    return rows.select(name for name in columns if name in rows.columns)


def applications(settings: ServiceSettings) -> list[dict[str, Any]]:
    """A sample of the test loans as JSON applications. Missing values are left out."""
    rows = out_of_time_loans(champion_model(settings)).sample(ROWS, seed=0).to_dicts()
    return [{name: _json(value) for name, value in row.items() if value is not None} for row in rows]


def _json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


@contextmanager
def running(command: Callable[[int], list[str]], environment: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    """Run a server on its core. Give its port, and the id of the process that answers."""
    port = free_port()
    process = subprocess.Popen(
        ["taskset", "-c", str(SERVER_CORE), *command(port)],
        cwd=ROOT,
        env=dict(environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until_ready(port, process)
        yield port, worker_of(process.pid)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def wait_until_ready(port: int, process: "subprocess.Popen[bytes] | None", path: str = "/ping") -> None:
    """Return once the server answers; the program ends if it never does."""
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        if process is not None and process.poll() is not None:
            sys.exit(f"{process.args} ended with status {process.returncode}")
        with suppress(httpx.TransportError):
            if httpx.get(f"http://127.0.0.1:{port}{path}", timeout=2).status_code in (200, 404):
                return
        time.sleep(0.1)
    sys.exit(f"no answer on port {port} after {READY_SECONDS} s")


def worker_of(process: int) -> int:
    """The worker that answers: of a process and its descendants the one with the most memory."""
    processes = [psutil.Process(process), *psutil.Process(process).children(recursive=True)]
    return max(processes, key=lambda one: one.memory_info().rss).pid
