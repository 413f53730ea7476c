import os
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest
from filelock import FileLock

from loan_platform.adapters.ledger.connections import LedgerUnavailableError
from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.adapters.platform.event_log_config import event_log_yaml
from loan_platform.adapters.platform.home import (
    HomeError,
    close_to_others,
    ensure_home,
    ensure_ledger,
    ensure_run_home,
)
from loan_platform.adapters.tracking.runs import Tracking
from loan_platform.settings.checkout import checkout_root
from loan_platform.settings.platform import LedgerSettings, PlatformSettings
from loan_platform_tests.support.processes.rights import without_root
from loan_platform_tests.support.waiting import PATIENCE_SECONDS

PROCESSES = 10
START = """
from loan_platform.settings.platform import PlatformSettings
from loan_platform.settings.quiet import quiet_environment; quiet_environment()
from loan_platform.adapters.platform.home import ensure_home; ensure_home(PlatformSettings.from_environment())
"""
# The process kills itself at its first step after a file of the home exists.
KILLED = """
import os, pathlib, signal, sys
reached = pathlib.Path(os.environ["LOAN_PLATFORM_HOME"], sys.argv[1])
sys.addaudithook(lambda event, _: event != "os.kill" and reached.exists() and os.kill(os.getpid(), signal.SIGKILL))
"""
LAYOUT = {"dagster", "mlflow.db", "mlartifacts", "ledger.db", "lake", "reports", "data", "cache"}


@pytest.mark.slow
def test_many_processes_start_on_an_empty_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    started = [_start(home) for _ in range(PROCESSES)]
    assert [process.wait(PATIENCE_SECONDS) for process in started] == [0] * PROCESSES
    _assert_sound(home)
    assert not (home / ".building").exists()


@pytest.mark.slow
@pytest.mark.thorough
def test_a_start_that_was_killed_is_healed_by_the_next(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for reached in (".building/dagster/history/runs.db", "dagster/schedules", "mlflow.db"):
        assert _start(home, KILLED + START, reached).wait(PATIENCE_SECONDS) == -signal.SIGKILL
        assert (home / reached).exists()
        assert not (home / ".initialised").exists()
    assert _start(home).wait(PATIENCE_SECONDS) == 0
    _assert_sound(home)
    assert not (home / ".building").exists()


def test_a_new_home_is_of_its_user_alone(ready: PlatformSettings, caplog: pytest.LogCaptureFixture) -> None:
    assert stat.S_IMODE(ready.home.stat().st_mode) == 0o700
    ensure_home(ready)
    assert close_to_others(ready.home) is None
    assert caplog.messages == []


@pytest.mark.attack("machine", "another user reads the lake and the ledger", before="every file was 0644")
def test_an_open_home_is_told_and_closed(ready: PlatformSettings, caplog: pytest.LogCaptureFixture) -> None:
    ready.home.chmod(0o755)
    ensure_home(ready)
    assert caplog.messages == [
        f"{ready.home} can be read by other users of this machine (755): run `loan-platform init`"
    ]
    assert close_to_others(ready.home) == 0o755
    assert stat.S_IMODE(ready.home.stat().st_mode) == 0o700


def test_a_second_start_changes_nothing(ready: PlatformSettings) -> None:
    before = _files(ready.home)
    ensure_home(ready)
    assert _files(ready.home) == before
    assert LAYOUT - {path.name for path in ready.home.iterdir()} == set()


def test_what_was_deleted_comes_back_and_what_is_there_stays(ready: PlatformSettings) -> None:
    Tracking(ready.tracking_uri, ready.mlartifacts).experiment("book")
    Ledger(ready.ledger_url).reject("book", 1, "a" * 64, actor="a", run_id="r", verdict={})
    (ready.home / ".initialised").unlink()
    (ready.dagster_home / "dagster.yaml").write_text("telemetry: {enabled: true}\n")
    ensure_home(ready)
    root = checkout_root()
    assert root is not None
    written, template = (folder / "dagster.yaml" for folder in (ready.dagster_home, root))
    assert written.read_text() == template.read_text() + event_log_yaml(ready.dagster_home)
    client = Tracking(ready.tracking_uri).client()
    experiment = client.get_experiment_by_name("book")
    assert experiment is not None
    assert experiment.artifact_location == (ready.mlartifacts / "book").as_uri()
    assert len(Ledger(ready.ledger_url).history("book")) == 1
    ready.mlflow_database.unlink()
    ensure_home(ready)
    assert client.get_experiment("0").artifact_location == f"{ready.mlartifacts}/0"


def test_the_instance_has_a_queue_monitoring_and_no_telemetry(ready: PlatformSettings) -> None:
    with dg.DagsterInstance.from_config(str(ready.dagster_home)) as instance:
        assert not instance.telemetry_enabled
        assert instance.run_monitoring_enabled
        queue = instance.get_concurrency_config().run_queue_config
        assert queue is not None
        assert queue.max_concurrent_runs == 2


def test_databases_are_in_write_ahead_mode(ready: PlatformSettings) -> None:
    for file in ("mlflow.db", "ledger.db", "dagster/history/runs.db", "dagster/schedules/schedules.db"):
        with closing(sqlite3.connect(ready.home / file)) as database:
            assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",), file


def test_other_servers_need_no_databases_in_the_home(tmp_path: Path) -> None:
    settings = PlatformSettings.from_environment(
        {
            "LOAN_PLATFORM_HOME": str(tmp_path / "home"),
            "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
            "LOAN_LEDGER_URL": f"sqlite:///{tmp_path}/elsewhere.db",
        }
    )
    ensure_home(settings)
    assert not settings.mlflow_database.exists()
    assert not (settings.home / "ledger.db").exists()
    assert Ledger(settings.ledger_url).history() == []
    assert "elsewhere" not in (settings.home / ".initialised").read_text()


def test_a_held_lock_and_a_read_only_home_are_clear_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = PlatformSettings.from_environment({"LOAN_PLATFORM_HOME": str(tmp_path)})
    monkeypatch.setattr("loan_platform.adapters.platform.home._LOCK_SECONDS", 0.1)
    with FileLock(tmp_path / ".init.lock"), pytest.raises(HomeError, match=r"has held .*\.init\.lock for"):
        ensure_home(settings)
    nowhere = PlatformSettings.from_environment({"LOAN_PLATFORM_HOME": "/proc/1/home"})
    with pytest.raises(HomeError, match="LOAN_PLATFORM_HOME"):
        ensure_home(nowhere)


def test_a_ledger_that_was_deleted_comes_back(tmp_path: Path) -> None:
    settings = LedgerSettings.from_environment({"LOAN_PLATFORM_HOME": str(tmp_path)})
    for _ in range(2):
        ensure_ledger(settings)
        assert Ledger(settings.ledger_url).history() == []
        (tmp_path / "ledger.db").unlink()
    with closing(sqlite3.connect(tmp_path / "ledger.db")):
        pass  # a reader leaves an empty file
    ensure_ledger(settings)
    assert Ledger(settings.ledger_url).history() == []


def test_a_ledger_that_does_not_answer_is_told(tmp_path: Path) -> None:
    (tmp_path / "damaged.db").write_text("no database" * 100)
    files = (f"sqlite:///{tmp_path}", f"sqlite:///{tmp_path}/damaged.db")
    for url in ("postgresql://u:secret@127.0.0.1:1/ledger", *files):
        settings = LedgerSettings.from_environment({"LOAN_PLATFORM_HOME": str(tmp_path), "LOAN_LEDGER_URL": url})
        with pytest.raises(LedgerUnavailableError, match=r"LOAN_LEDGER_URL\.$") as told:
            ensure_ledger(settings)
        assert "secret" not in str(told.value)
        assert "\n" not in str(told.value)


def test_a_home_without_write_permission_is_told(ready: PlatformSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ready.home)  # the folders above are closed to others
    ready.home.chmod(0o555)
    try:
        with without_root(), pytest.raises(HomeError, match=r": Permission denied\): give this user the rights to it"):
            ensure_home(ready.model_copy(update={"home": Path()}))
    finally:
        ready.home.chmod(0o700)


def test_a_read_only_disk_is_no_matter_of_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = PlatformSettings.from_environment({"LOAN_PLATFORM_HOME": str(tmp_path)})
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_RDONLY))
    with pytest.raises(HomeError, match=r": Read-only file system\): name another folder in LOAN_PLATFORM_HOME$"):
        ensure_run_home(settings)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> PlatformSettings:
    settings = PlatformSettings.from_environment({"LOAN_PLATFORM_HOME": str(tmp_path_factory.mktemp("ready"))})
    ensure_home(settings)
    return settings


@pytest.fixture
def ready(shared: PlatformSettings) -> PlatformSettings:
    return shared


def _start(home: Path, code: str = START, *arguments: str) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "LOAN_PLATFORM_HOME": str(home)}
    return subprocess.Popen([sys.executable, "-c", code, *arguments], env=environment)


def _assert_sound(home: Path) -> None:
    assert LAYOUT - {path.name for path in home.iterdir()} == set()
    for database in home.rglob("*.db"):
        with closing(sqlite3.connect(database)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",), database
    settings = PlatformSettings.from_environment({"LOAN_PLATFORM_HOME": str(home)})
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        run = instance.create_run_for_job(_job)
        assert instance.get_run_by_id(run.run_id) is not None
    client = Tracking(settings.tracking_uri, settings.mlartifacts).client()
    assert [experiment.name for experiment in client.search_experiments()] == ["Default"]
    assert Ledger(settings.ledger_url).verify() == "0" * 64


@dg.job
def _job() -> None:
    """Nothing to do."""


def _files(home: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in home.rglob("*") if path.is_file()}
