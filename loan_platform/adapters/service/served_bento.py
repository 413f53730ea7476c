"""Serve a built Bento for a moment and compare its answers with batch scoring."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from loan_platform.adapters.service.bentos import BentoError, Built, plain_environment
from loan_platform.adapters.service.ports import free_port
from loan_platform.core.applications.reader import ApplicationError, ApplicationReader
from loan_platform.core.scoring.bundle import Bundle
from loan_platform.core.scoring.predictor import Predictor

READY_SECONDS = 60
STOP_SECONDS = 20


@dataclass(frozen=True)
class GoldenRowsCheck:
    """Golden rows, scored over HTTP and in batch.

    Attributes:
        rows: number of rows that are applications.
        different: numbers, from 1, of rows whose answers differ in any bit.
        ready_seconds: time from the start of the process until it was ready.
        model_sha256: SHA-256 of the bundle that the service reports.
    """

    rows: int
    different: tuple[int, ...]
    ready_seconds: float
    model_sha256: str


def check_golden_rows(store: Path, built: Built, bundle: Bundle) -> GoldenRowsCheck:
    """Serve a Bento on an empty home and score the bundle's golden rows with it and in batch.

    Golden rows that no application may be, such as the row without any value, are left out.

    Args:
        store: BENTOML_HOME of the Bento.
        built: the Bento.
        bundle: gives the golden rows and the expected answers.

    Raises:
        BentoError: the Bento does not become ready, or rejects the rows.
    """
    rows = bundle.golden.frame(bundle.model)
    columns, values = list(rows.columns), _json_rows(bundle, list(rows.columns))
    reader = ApplicationReader(bundle.model)
    sound = [i for i, row in enumerate(values) if _is_application(reader, dict(zip(columns, row, strict=True)))]
    expected = Predictor(bundle.model).predict_frame(rows[sound]).to_dicts()
    body = {"dataframe_split": {"columns": columns, "data": [values[i] for i in sound]}}
    with _served(store, built) as (url, seconds):
        served = _fetch_json(f"{url}/invocations", body)["predictions"]
        info = _fetch_json(f"{url}/api/v1/model/info")
    pairs = enumerate(zip(served, expected, strict=True), start=1)
    return GoldenRowsCheck(len(expected), tuple(i for i, (a, b) in pairs if a != b), seconds, info["sha256"])


def _is_application(reader: ApplicationReader, values: dict[str, Any]) -> bool:
    try:
        reader.read(values)
    except ApplicationError:
        return False
    return True


def _json_rows(bundle: Bundle, columns: list[str]) -> list[list[Any]]:
    return [list(row) for row in zip(*(bundle.golden.columns[name] for name in columns), strict=True)]


@contextmanager
def _served(store: Path, built: Built) -> Iterator[tuple[str, float]]:
    """URL of the running Bento, and the seconds until it was ready."""
    with tempfile.TemporaryDirectory(prefix="served-bento-") as home:
        port = free_port()
        command = [sys.executable, "-m", "bentoml", "serve", built.tag, "--host", "127.0.0.1", "--port", str(port)]
        environment = plain_environment(store) | {"LOAN_PLATFORM_HOME": home, "LOAN_ENV": "development", "HOME": home}
        log = Path(home, "log")
        with log.open("wb") as output:
            started = time.monotonic()
            process = subprocess.Popen(
                command, cwd=home, env=environment, stdout=output, stderr=output, start_new_session=True
            )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_ready(process, url, log)
            yield url, time.monotonic() - started
        finally:
            _stop(process)


def _wait_until_ready(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError, HTTPException), urllib.request.urlopen(f"{url}/readyz", timeout=2) as answer:  # noqa: S310
            if answer.status == 200:
                return
        time.sleep(0.05)
    raise BentoError(
        f"{url} is not ready after {READY_SECONDS} s. The end of its log: {log.read_text(errors='replace')[-1_500:]}"
    )


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _fetch_json(url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body, allow_nan=False).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        body_text = error.read().decode(errors="replace")[:1_000]
        raise BentoError(f"{url} of the Bento answers {error.code}: {body_text}") from error
