"""`loan-platform serve`, as someone who installed the wheel starts it."""

import os
import signal
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from loan_platform_tests.support.processes.commands import BIN
from loan_platform_tests.support.waiting import PATIENCE_SECONDS, until

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def test_serve_starts_the_service_of_a_book(tmp_path: Path) -> None:
    """It starts outside the checkout, in a home with a space and a quote; without a champion it is alive, not ready."""
    home, log = tmp_path / "Prüfung o'neil home", tmp_path / "log"
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [str(BIN / "loan-platform"), "serve", "--book", "bank_customers", "--port", str(port)]
    environment = os.environ | {"LOAN_PLATFORM_HOME": str(home), "LOAN_ENV": "development", "LOAN_MOST_UNDER_WAY": "9"}
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=out, stderr=out)
    try:
        until(lambda: process.poll() is not None or _status(port, "livez") == 200, log.read_text)
        assert _status(port, "readyz") == 503, log.read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_SECONDS)
    assert log.read_text().count("LOAN_MOST_UNDER_WAY is now LOAN_MAX_IN_FLIGHT") == 1
    assert (home / "dagster" / "dagster.yaml").is_file()


def _status(port: int, route: str) -> int | None:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/{route}", timeout=5).status_code
    except httpx.TransportError:
        return None
