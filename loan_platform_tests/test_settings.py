import os
import subprocess
import sys
from pathlib import Path

import pytest

from loan_platform.settings import QUIET, Settings, checkout_root, quiet_environment, source_override
from loan_platform.settings.environment import SettingsError


def test_defaults_are_embedded_and_below_the_home(tmp_path: Path) -> None:
    settings = Settings.from_environment({"LOAN_PLATFORM_HOME": str(tmp_path)})
    assert settings.home == tmp_path
    assert settings.tracking_uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert settings.ledger_url == f"sqlite:///{tmp_path}/ledger.db"
    assert settings.embedded_tracking
    assert {p.relative_to(tmp_path).as_posix() for p in _layout(settings)} == {
        "dagster", "mlflow.db", "mlartifacts", "ledger.db", "lake", "reports", "data", "cache", "summary.json"
    }  # fmt: skip


def test_home_is_in_the_checkout_wherever_the_process_starts(tmp_path: Path) -> None:
    code = "from loan_platform.settings import Settings; print(Settings.from_environment({}).home)"
    root = checkout_root()
    assert root is not None
    environment = {**os.environ, "PYTHONPATH": str(root)}
    found = subprocess.check_output([sys.executable, "-c", code], cwd=tmp_path, env=environment, text=True)
    assert found.strip() == str(root / ".loan_platform")


def test_settings_name_their_own_servers() -> None:
    settings = Settings.from_environment(
        {"MLFLOW_TRACKING_URI": "http://mlflow:5000", "LOAN_LEDGER_URL": "postgresql://u:secret@db/ledger"}
    )
    assert settings.tracking_uri == "http://mlflow:5000"
    assert not settings.embedded_tracking
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("LOAN_THREADS", "0", "1 to 1024"),
        ("LOAN_THREADS", "two", "1 to 1024"),
        ("LOAN_THREADS", "²", "1 to 1024"),
        ("LOAN_MEMORY_LIMIT", "lots", "such as 512MiB or 4GB"),
        ("LOAN_MEMORY_LIMIT", "1MB", "256MiB or more"),
        ("LOAN_LEDGER_URL", "mysql://u:secret@db/x", "postgresql://"),
        ("LOAN_PLATFORM_HOME", "/dev/null", "a folder"),
        ("LOAN_PLATFORM_HOME", "/tmp/50%", "without ?, # or %"),
    ],
)
def test_a_bad_value_is_rejected_with_its_name_and_what_is_valid(name: str, value: str, accepted: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({name: value})
    assert str(refused.value).startswith(name)
    assert accepted in str(refused.value)
    assert "secret" not in str(refused.value)


def test_good_values_are_taken(tmp_path: Path) -> None:
    settings = Settings.from_environment({"LOAN_THREADS": "3", "LOAN_MEMORY_LIMIT": "1.5 GB"})
    assert (settings.threads, settings.memory_limit) == (3, "1.5 GB")


def test_source_override_reads_portfolio_and_source() -> None:
    environ = {"LENDING_CLUB_LOANS": "gs://book/*.csv", "LENDING_CLUB_OUTCOMES": " "}
    assert source_override("lending_club", "loans", environ) == "gs://book/*.csv"
    assert source_override("lending_club", "outcomes", environ) is None


def test_quiet_environment_keeps_what_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in QUIET:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    quiet_environment()
    assert os.environ["OMP_WAIT_POLICY"] == "active"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert os.environ["DAGSTER_DISABLE_TELEMETRY"] == "yes"


def _layout(settings: Settings) -> list[Path]:
    return [
        settings.dagster_home,
        settings.mlflow_database,
        settings.mlartifacts,
        settings.ledger_database,
        settings.lake,
        settings.reports,
        settings.data,
        settings.cache,
        settings.summary,
    ]
