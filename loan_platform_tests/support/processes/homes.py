"""Platform homes whose databases are copied: MLflow's schema takes two seconds of CPU to make."""

import shutil
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from loan_platform.adapters.platform.home import ensure_home
from loan_platform.settings.platform import PlatformSettings

_FOLDER = TemporaryDirectory(prefix="loan_platform_home_")


@cache
def _first() -> PlatformSettings:
    """The one home of this process that is made as users make it."""
    settings = PlatformSettings.from_environment({"LOAN_PLATFORM_HOME": _FOLDER.name})
    ensure_home(settings)
    return settings


def ready_home(folder: Path) -> Path:
    """Make a folder the home that `ensure_home` would make of it; returns it."""
    first, settings = _first(), PlatformSettings.from_environment({"LOAN_PLATFORM_HOME": str(folder)})
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    for part in ("history", "schedules"):
        shutil.copytree(first.dagster_home / part, settings.dagster_home / part)
    with (
        closing(sqlite3.connect(first.mlflow_database)) as made,
        closing(sqlite3.connect(settings.mlflow_database)) as copy,
    ):
        made.backup(copy)
        copy.execute("UPDATE experiments SET artifact_location = ? || '/0'", (str(settings.mlartifacts),))
        copy.commit()
        copy.execute("PRAGMA journal_mode=WAL")
    ensure_home(settings)
    return folder
