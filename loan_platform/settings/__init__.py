"""What the platform reads from the environment; `service` has what the HTTP service alone does."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from loan_platform.settings.environment import SettingsError, text_of

# Set before dagster, mlflow, bentoml, evidently, xgboost or gcsfs are imported: most are read at import.
QUIET = {
    "DAGSTER_DISABLE_TELEMETRY": "yes",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",  # mlflow accepts exactly this word
    "ITERATIVE_DO_NOT_TRACK": "1",
    "BENTOML_DO_NOT_TRACK": "True",
    "GX_ANALYTICS_ENABLED": "false",
    "RAY_USAGE_STATS_ENABLED": "0",
    "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",  # 34-100 s per call against an emulator otherwise
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # 2 processes and 0.5 GB instead of 10 and 2.4 GB
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # with the server down the default blocks 246 s
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "GIT_PYTHON_REFRESH": "quiet",  # mlflow warns on machines without git
    "OTEL_PROPAGATORS": "tracecontext",  # the other one, baggage, logs what callers send
    "OMP_WAIT_POLICY": "passive",  # threads that spin on a busy machine made training 14 times slower
}

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]i?B)", re.IGNORECASE)
_UNITS = {"K": 1, "M": 2, "G": 3, "T": 4}


@dataclass(frozen=True)
class Settings:
    """Where the platform keeps its things and how much of the machine it may use."""

    home: Path
    tracking_uri: str = field(repr=False)  # may hold a password, as may the next
    ledger_url: str = field(repr=False)
    threads: int
    memory_limit: str
    api_keys: Path

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read every setting.

        Raises:
            SettingsError: a variable has an unusable value; the message names it and what it accepts.
        """
        home = _home(environ)
        return cls(
            home=home,
            tracking_uri=text_of(environ, "MLFLOW_TRACKING_URI") or f"sqlite:///{home / 'mlflow.db'}",
            ledger_url=_ledger_url(environ) or f"sqlite:///{home / 'ledger.db'}",
            threads=_threads(environ),
            memory_limit=_memory_limit(environ),
            api_keys=Path(text_of(environ, "LOAN_KEYS") or home / "service" / "keys.json").expanduser(),
        )

    @property
    def dagster_home(self) -> Path:
        """Dagster's runs, events and schedules; the value of DAGSTER_HOME."""
        return self.home / "dagster"

    @property
    def mlflow_database(self) -> Path:
        """MLflow's database, where no tracking server is set."""
        return self.home / "mlflow.db"

    @property
    def mlartifacts(self) -> Path:
        """Plots and models that MLflow keeps, where no tracking server is set."""
        return self.home / "mlartifacts"

    @property
    def ledger_database(self) -> Path:
        """The promotion ledger, where no other database is set."""
        return self.home / "ledger.db"

    @property
    def lake(self) -> Path:
        """Data of every asset, as Parquet."""
        return self.home / "lake"

    @property
    def reports(self) -> Path:
        """Reports for people."""
        return self.home / "reports"

    @property
    def data(self) -> Path:
        """Raw files; relative source paths start at `home`."""
        return self.home / "data"

    @property
    def cache(self) -> Path:
        """What can be deleted at any time."""
        return self.home / "cache"

    @property
    def service(self) -> Path:
        """What the HTTP service keeps: keys, and verified copies of the models that answered."""
        return self.home / "service"

    @property
    def bentos(self) -> Path:
        """The services that were built; the value of BENTOML_HOME."""
        return self.home / "bentoml"

    @property
    def summary(self) -> Path:
        """What the last run of the whole graph did."""
        return self.home / "summary.json"

    @property
    def embedded_tracking(self) -> bool:
        """Whether MLflow runs on the home's own database."""
        return self.tracking_uri == f"sqlite:///{self.mlflow_database}"


def quiet_environment() -> None:
    """Switch telemetry off and waiting threads to sleep; call before the heavy imports. Keeps what is set."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)


def source_override(portfolio: str, source: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """Path, glob or URI in `<PORTFOLIO>_<SOURCE>`, such as LENDING_CLUB_LOANS; None where it is not set."""
    return text_of(environ, f"{portfolio}_{source}".upper())


def checkout_root() -> Path | None:
    """The folder that holds this package and its pyproject.toml; None where the package is installed."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").is_file() else None


def _home(environ: Mapping[str, str]) -> Path:
    stated = text_of(environ, "LOAN_PLATFORM_HOME")
    home = Path(stated).expanduser() if stated else (checkout_root() or Path.cwd()) / ".loan_platform"
    home = home.resolve()
    if re.search(r"[?#%]", str(home)):
        raise SettingsError(f"LOAN_PLATFORM_HOME is {home}: accepted is a folder without ?, # or % in its path")
    if home.exists() and not home.is_dir():
        raise SettingsError(f"LOAN_PLATFORM_HOME is {home}, a file: accepted is a folder, created if missing")
    return home


def _ledger_url(environ: Mapping[str, str]) -> str | None:
    url = text_of(environ, "LOAN_LEDGER_URL")
    if url and not re.match(r"(sqlite:///|postgresql(\+psycopg2)?://)", url):
        scheme = url.partition(":")[0]  # the rest may hold a password
        raise SettingsError(f"LOAN_LEDGER_URL is {scheme}:...: accepted are sqlite:///<file> and postgresql://...")
    return url


def _threads(environ: Mapping[str, str]) -> int:
    stated = text_of(environ, "LOAN_THREADS")
    if stated is None:
        return min(cores(), 8)
    if not stated.isascii() or not stated.isdigit() or not 1 <= int(stated) <= 1024:
        raise SettingsError(f"LOAN_THREADS is {stated!r}: accepted is a whole number from 1 to 1024")
    return int(stated)


def cores() -> int:
    """Cores that this process may use."""
    # Not every platform has affinity; where it exists it is what a container or taskset allows.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory_limit(environ: Mapping[str, str]) -> str:
    stated = text_of(environ, "LOAN_MEMORY_LIMIT")
    if stated is None:
        half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
        return f"{min(half, 4 * 1024**3) // 1024**2}MiB"
    match = _SIZE.fullmatch(stated)
    if match is None or _bytes(*match.groups()) < 256 * 1024**2:
        raise SettingsError(f"LOAN_MEMORY_LIMIT is {stated!r}: accepted is 256MiB or more, such as 512MiB or 4GB")
    return stated


def _bytes(number: str, unit: str) -> float:
    return float(number) * (1024 if "i" in unit.lower() else 1000) ** _UNITS[unit[0].upper()]
