"""The platform home: folders and databases, made once however many processes start at the same time.

Dagster's and MLflow's own first start is not safe: several at once on an empty SQLite database leave a schema
that no later start repairs. So each database is built aside, by one process, and moved into place whole. What
is in place is therefore complete, and a start that was killed is simply done again.
"""

import errno
import hashlib
import logging
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.adapters.platform.event_log_config import event_log_yaml
from loan_platform.adapters.storage.atomic_files import atomic_write, explained_disk_full, fsync, fsync_tree, remove
from loan_platform.core.errors import ExplainedError
from loan_platform.settings.checkout import checkout_root, code_root
from loan_platform.settings.platform import LedgerSettings, PlatformSettings, TrackingSettings
from loan_platform.settings.private_files import OTHERS

log = logging.getLogger("loan_platform.home")

_LAYOUT = 2
_LOCK_SECONDS = 180


class HomeError(ExplainedError, RuntimeError):
    """The platform home cannot be set up; the message says where and what to do."""


def ensure_home(settings: PlatformSettings) -> None:
    """Make the home usable: folders, `dagster.yaml` and the schemas of Dagster, MLflow and the ledger.

    Safe in any number of processes at once; where all is done already it costs a few milliseconds.

    Raises:
        LedgerUnavailableError: the database of the promotion ledger does not answer.
        HomeError: the folder cannot be made or written, or another process holds the set-up lock for minutes.
        DiskFullError: no space is left; the next start continues.
    """
    ensure_run_home(settings)
    ensure_ledger(settings)


def ensure_run_home(settings: TrackingSettings) -> None:
    """Make what every run of the asset graph needs: the home without the ledger. Errors are those of `ensure_home`."""
    with _explained(settings.home):
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        _tell_if_open(settings.home)
        _require_writable(settings.home)
        if not _is_ready(settings):
            with FileLock(settings.home / ".init.lock", timeout=_LOCK_SECONDS):
                if not _is_ready(settings):
                    _initialise(settings)


def close_to_others(home: Path) -> int | None:
    """Take the rights to the home from group and others. What is in it cannot be reached then.

    Args:
        home: the folder.

    Returns:
        The mode that it had, such as 0o755. None if it was private.

    Raises:
        HomeError: the folder belongs to another user.
    """
    mode = stat.S_IMODE(home.stat().st_mode)
    if not mode & OTHERS:
        return None
    with _explained(home):
        home.chmod(mode & ~OTHERS)
    return mode


def ensure_ledger(settings: LedgerSettings) -> None:
    """Make the schema of the promotion ledger, in a home that is there, or widen that of an earlier release.

    The database itself is asked, because it may have been deleted or restored.

    Raises:
        LedgerUnavailableError: the database does not answer.
        HomeError, DiskFullError: as of `ensure_home`.
    """
    with _explained(settings.home):
        ledger = Ledger(settings.ledger_url)
        if not ledger.is_current():
            ledger.create()


def _tell_if_open(home: Path) -> None:
    mode = stat.S_IMODE(home.stat().st_mode)
    if mode & OTHERS:
        log.warning("%s can be read by other users of this machine (%o): run `loan-platform init`", home, mode)


@contextmanager
def _explained(home: Path) -> Iterator[None]:
    try:
        yield
    except Timeout as error:
        raise HomeError(
            f"another process has held {error.lock_file} for {_LOCK_SECONDS} s: end it and start again"
        ) from error
    except OSError as error:
        rights = "" if error.errno == errno.EROFS else "give this user the rights to it, or "
        raise HomeError(
            f"{home} cannot be set up ({error.filename}: {error.strerror}): {rights}name another folder in "
            "LOAN_PLATFORM_HOME"
        ) from error


def _require_writable(home: Path) -> None:
    if not os.access(home, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        number = errno.EROFS if os.statvfs(home).f_flag & os.ST_RDONLY else errno.EACCES
        raise OSError(number, os.strerror(number), str(home))


def _is_ready(settings: TrackingSettings) -> bool:
    databases = [_runs_database(settings.dagster_home)] if _dagster_on_sqlite() else []
    databases += [settings.mlflow_database] if settings.embedded_tracking else []
    return (
        _says(settings.home / ".initialised", _hashed(settings.tracking_uri))
        and all(database.is_file() for database in databases)
        and _says(settings.dagster_home / "dagster.yaml", _instance_yaml(settings.dagster_home))
    )


def _initialise(settings: TrackingSettings) -> None:
    building = settings.home / ".building"
    remove(building)  # of a start that was killed
    with explained_disk_full(building):
        for folder in (settings.dagster_home, settings.lake, settings.reports, settings.data, settings.cache):
            folder.mkdir(exist_ok=True)
        atomic_write(settings.dagster_home / "dagster.yaml", _instance_yaml(settings.dagster_home))
        if _dagster_on_sqlite():
            _build_dagster(building / "dagster", settings.dagster_home)
        if settings.embedded_tracking:
            settings.mlartifacts.mkdir(exist_ok=True)
            _build_mlflow(building / "mlflow.db", settings)
        remove(building)
        atomic_write(settings.home / ".initialised", _hashed(settings.tracking_uri))


def _build_dagster(building: Path, home: Path) -> None:
    parts = [part for part in ("history", "schedules") if not (home / part).exists()]
    if not parts:
        return
    import dagster as dg

    building.mkdir(parents=True)
    with dg.DagsterInstance.local_temp(str(building)):
        pass  # opening it creates the schema
    for part in parts:
        _move_in(building / part, home / part)


def _build_mlflow(building: Path, settings: TrackingSettings) -> None:
    if settings.mlflow_database.exists():
        return
    # Its messages about table creation are news to nobody.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    building.parent.mkdir(parents=True, exist_ok=True)
    SqlAlchemyStore(f"sqlite:///{building}", str(settings.mlartifacts)).engine.dispose()
    with closing(sqlite3.connect(building)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")  # stays with the file: readers and a writer side by side
    _move_in(building, settings.mlflow_database)


def _move_in(built: Path, final: Path) -> None:
    fsync_tree(built) if built.is_dir() else fsync(built)
    if final.exists():  # made meanwhile by somebody who did not wait for the lock: theirs is in use
        return
    built.rename(final)
    fsync(final.parent)


def _runs_database(dagster_home: Path) -> Path:
    return dagster_home / "history" / "runs.db"


def _dagster_on_sqlite() -> bool:
    # A `storage` of its own, such as PostgreSQL, is created by Dagster under the server's locks.
    return not any(line.startswith("storage:") for line in _dagster_yaml().read_text().splitlines())


def _dagster_yaml() -> Path:
    root = checkout_root() or code_root() / "loan_platform"  # the wheel puts it into the package
    return root / "dagster.yaml"


def _instance_yaml(dagster_home: Path) -> str:
    """`dagster.yaml`, and the event log of the platform in this folder if the storage is SQLite."""
    text = _dagster_yaml().read_text()
    return text + event_log_yaml(dagster_home) if _dagster_on_sqlite() else text


def _says(marker: Path, text: str) -> bool:
    return marker.is_file() and marker.read_text() == text


def _hashed(address: str) -> str:
    """Which database was set up; hashed, since its address may hold a password."""
    return hashlib.sha256(f"{_LAYOUT} {address}".encode()).hexdigest()
