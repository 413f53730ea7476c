"""The PostgreSQL lines that `dagster.yaml` documents, on a real server."""

import re
import socket
from pathlib import Path

import dagster as dg
import pytest

from loan_platform.settings.checkout import checkout_root
from loan_platform_tests.support.processes.postgres import postgres

STORAGE = re.compile(r"^# (storage:\n(?:#   .*\n)+)", re.MULTILINE)


@dg.asset
def one() -> None:
    """An asset that does nothing."""


@pytest.mark.slow
def test_documented_postgres_storage_keeps_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = _free_port()
    (tmp_path / "dagster.yaml").write_text(_documented_storage() + "telemetry: {enabled: false}\n")
    for name, value in {"USER": "postgres", "PASSWORD": "x", "HOST": "127.0.0.1", "DATABASE": "postgres"}.items():
        monkeypatch.setenv(f"PG{name}", value)
    monkeypatch.setenv("PGPORT", str(port))
    with postgres(port):
        with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
            assert dg.materialize([one], instance=instance).success
        with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
            assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.SUCCESS]
    assert not list(tmp_path.rglob("*.db"))


def _documented_storage() -> str:
    root = checkout_root()
    assert root is not None
    found = STORAGE.search((root / "dagster.yaml").read_text())
    assert found is not None
    return "".join(line.removeprefix("# ") for line in found[1].splitlines(keepends=True))


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
