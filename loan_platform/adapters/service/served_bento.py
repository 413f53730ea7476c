"""A built Bento, served for a moment: does it answer as the batch does?"""

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
from loan_platform.core.scoring.bundle import Bundle
from loan_platform.core.scoring.predictor import Predictor

READY_SECONDS = 60
END_SECONDS = 20


@dataclass(frozen=True)
class Comparison:
    """Golden rows scored over HTTP and by the batch.

    Attributes:
        rows: compared.
        different: numbers (from 1) of rows whose answers differ in any bit.
        ready_seconds: from the start of the process to its readiness.
        model_sha256: that the service says it answers with.
    """

    rows: int
    different: tuple[int, ...]
    ready_seconds: float
    model_sha256: str


def compared(store: Path, built: Built, bundle: Bundle) -> Comparison:
    """Serve a Bento on an empty home, and hold its answers to the bundle's golden rows against the batch's.

    Args:
        store: BENTOML_HOME of the Bento.
        built: the Bento.
        bundle: whose answers are expected.

    Raises:
        BentoError: it does not become ready, or refuses the rows.
    """
    rows = bundle.golden.frame(bundle.model)
    wanted = Predictor(bundle.model).predict_frame(rows).to_dicts()
    columns = list(rows.columns)
    body = {"dataframe_split": {"columns": columns, "data": _json_rows(bundle, columns)}}
    with _served(store, built) as (url, seconds):
        got = _asked(f"{url}/invocations", body)["predictions"]
        info = _asked(f"{url}/api/v1/model/info")
    pairs = enumerate(zip(got, wanted, strict=True), start=1)
    return Comparison(len(wanted), tuple(i for i, (a, b) in pairs if a != b), seconds, info["sha256"])


def _json_rows(bundle: Bundle, columns: list[str]) -> list[list[Any]]:
    return [list(row) for row in zip(*(bundle.golden.columns[name] for name in columns), strict=True)]


@contextmanager
def _served(store: Path, built: Built) -> Iterator[tuple[str, float]]:
    """The address of the running Bento, and the seconds until it was ready."""
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
            _wait(process, url, log)
            yield url, time.monotonic() - started
        finally:
            _end(process)


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError, HTTPException), urllib.request.urlopen(f"{url}/readyz", timeout=2) as answer:
            if answer.status == 200:
                return
        time.sleep(0.05)
    raise BentoError(f"the Bento is not ready after {READY_SECONDS} s: {log.read_text(errors='replace')[-1_500:]}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(END_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _asked(url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body, allow_nan=False).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise BentoError(f"the Bento answers {error.code}: {error.read().decode(errors='replace')[:1_000]}") from error
