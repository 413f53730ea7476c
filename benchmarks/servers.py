"""Servers that are measured: what starts them, what they are asked, when they are ready."""

import subprocess
import sys
import time
from contextlib import suppress
from datetime import date
from typing import Any

import httpx
import polars as pl

from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.core.applications.reader import ApplicationReader
from loan_platform.core.scoring.bundle import load_bundle
from loan_platform.settings.service import ServiceSettings

ROWS = 2_000


def uvicorn(app: str, port: int) -> list[str]:
    """The command that serves one of `reference_services`."""
    module = f"benchmarks.reference_services:{app}"
    return [sys.executable, "-m", "uvicorn", module, "--port", str(port), "--log-level", "warning", "--no-access-log"]


def applications(settings: ServiceSettings) -> list[dict[str, Any]]:
    """Test rows as a caller sends them: what is known at application."""
    champion = Ledger(settings.ledger_url).champion(settings.portfolio)
    if champion is None:
        sys.exit(f"{settings.portfolio} has no champion in this home: train and promote first.")
    trained = settings.models / champion.model_sha256
    columns = ApplicationReader(load_bundle(trained / "bundle").model).columns
    rows = pl.read_parquet(trained / "test_rows.parquet").sample(ROWS, seed=0)
    known = rows.select(name for name in columns if name in rows.columns).to_dicts()
    return [{name: _json(value) for name, value in row.items() if value is not None} for row in known]


def _json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def wait(port: int, process: "subprocess.Popen[bytes] | None", path: str = "/ping") -> None:
    """Until the server answers."""
    end = time.monotonic() + 90
    while time.monotonic() < end:
        if process is not None and process.poll() is not None:
            sys.exit(f"{process.args} ended with {process.returncode}")
        with suppress(httpx.TransportError):
            if httpx.get(f"http://127.0.0.1:{port}{path}", timeout=2).status_code in (200, 404):
                return
        time.sleep(0.1)
    sys.exit("the server does not listen")


def listener(process: int) -> int:
    """The worker that answers: of the process and its descendants the one that holds most memory."""
    import psutil

    return max([psutil.Process(process), *psutil.Process(process).children(recursive=True)], key=_memory).pid


def _memory(process: Any) -> int:
    return process.memory_info().rss
