"""A home with a champion, and the real service on it in a process of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import psutil

from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.adapters.service.api_keys import KeyFile
from loan_platform.adapters.service.ports import free_port
from loan_platform.core.scoring.scoring_model import ScoringModel
from loan_platform.settings.service import ServiceSettings
from loan_platform_tests.support.bundles import make_bundle
from loan_platform_tests.support.paths import REPOSITORY
from loan_platform_tests.support.waiting import PATIENCE_SECONDS, until

BOOK = "tiny_loans"


@dataclass
class Home:
    """A platform home in which versions can be promoted without training."""

    root: Path
    environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.environment = {"LOAN_PLATFORM_HOME": str(self.root), "LOAN_PORTFOLIO": BOOK, "LOAN_POLL_SECONDS": "0.2"}
        self.root.mkdir(parents=True, exist_ok=True)
        Ledger(self.settings.ledger_url).create()  # the service needs neither Dagster nor MLflow

    @property
    def settings(self) -> ServiceSettings:
        return ServiceSettings.from_environment(self.environment)

    @property
    def keys(self) -> KeyFile:
        return KeyFile(self.settings.api_keys)

    def log_lines(self) -> list[dict[str, Any]]:
        """The complete lines of the service's log."""
        text = (self.root / "service.log").read_text()
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def promote(
        self,
        slope: float,
        *,
        damage: bool = False,
        make: Callable[[Path, float], tuple[ScoringModel, str]] = make_bundle,
        draft: Path | None = None,
    ) -> tuple[ScoringModel, int]:
        """Make a model the champion; its version. `draft`: where `make` finds or writes the bundle."""
        draft = draft or self.root / f"draft-{slope}"
        model, sha256 = make(draft, slope)
        bundle = self.settings.models / sha256 / "bundle"
        if not bundle.exists():
            bundle.parent.mkdir(parents=True)
            shutil.move(draft, bundle)
        else:
            shutil.rmtree(draft)
        if damage:
            path = bundle / "model.json"
            path.write_bytes(path.read_bytes().replace(b"0.1", b"0.2", 1)[:-1])
        ledger = Ledger(self.settings.ledger_url)
        champion = ledger.champion(BOOK)
        version, epoch = (champion.version + 1, champion.epoch) if champion else (1, 0)
        who: dict[str, Any] = {"actor": "test", "run_id": "run", "verdict": {}}
        ledger.promote(BOOK, version, sha256, expected_epoch=epoch, **who)
        return model, version


@contextmanager
def serving(home: Home, **more: str) -> Iterator[httpx.Client]:
    """The service, once it listens; ended with SIGTERM."""
    port, log = free_port(), home.root / "service.log"
    command = [sys.executable, "-m", "bentoml", "serve", "bento.service:LoanService", "--host", "127.0.0.1"]
    environment = {**os.environ, **home.environment, "BENTOML_HOME": str(home.root / "bentoml"), **more}
    with log.open("a") as output:
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=REPOSITORY,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS) as client:
            _wait(client, process, log)
            yield client
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        if process.poll() is None:
            workers = psutil.Process(process.pid).children(recursive=True)  # each is in a group of its own
            process.kill()
            process.wait()
            for worker in workers:
                with suppress(psutil.NoSuchProcess):
                    worker.kill()


def _wait(client: httpx.Client, process: "subprocess.Popen[bytes]", log: Path) -> None:
    def listens() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return client.get("/livez").status_code == 200 and client.get("/readyz").status_code in (200, 503)
        except httpx.TransportError:
            return False

    until(listens, log.read_text)


def worker(client: httpx.Client) -> int:
    """Process id of the service's worker."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # a zombie, which the arbiter has not yet looked at
            if any("_bentoml_impl.worker.service" in part for part in process.cmdline()):
                return process.pid
    raise AssertionError(client.base_url)


def stated(row: dict[str, Any]) -> dict[str, Any]:
    """A row as a caller writes it: dates as text."""
    return {name: str(value) if name == "opened" and value else value for name, value in row.items()}


def bodies(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows as callers write them."""
    return [stated(row) for row in rows.to_dicts()]
