"""The one place that reads the environment."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from loan_platform.core.errors import ExplainedError

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

RATE = r"unlimited|[1-9][0-9]{0,6}/(second|minute|hour|day)"
UNLIMITED = "unlimited"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]i?B)", re.IGNORECASE)
_UNITS = {"K": 1, "M": 2, "G": 3, "T": 4}


class SettingsError(ExplainedError, ValueError):
    """An environment variable has a value that cannot be used; the message names it and what it accepts."""


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
            tracking_uri=_text(environ, "MLFLOW_TRACKING_URI") or f"sqlite:///{home / 'mlflow.db'}",
            ledger_url=_ledger_url(environ) or f"sqlite:///{home / 'ledger.db'}",
            threads=_threads(environ),
            memory_limit=_memory_limit(environ),
            api_keys=Path(_text(environ, "LOAN_KEYS") or home / "service" / "keys.json").expanduser(),
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


@dataclass(frozen=True)
class ServiceSettings:
    """Which portfolio the service answers for, whom, and what it reads."""

    portfolio: str
    development: bool
    keys: Path
    poll_seconds: float
    ledger_url: str = field(repr=False)  # may hold a password
    ledger_stated: bool
    models: Path
    cache: Path
    batch_megabytes: int
    batch_days: int

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ, built_for: str | None = None) -> Self:
        """Read LOAN_PORTFOLIO and the others that docs/service.md lists, beside the platform's own settings.

        Args:
            environ: the environment.
            built_for: the portfolio of a built Bento, which answers for no other.

        Raises:
            SettingsError: a variable is missing or unusable; the message names it and what it accepts.
        """
        settings = Settings.from_environment(environ)
        portfolio = _text(environ, "LOAN_PORTFOLIO") or built_for
        if built_for not in (None, portfolio):
            raise SettingsError(f"LOAN_PORTFOLIO is {portfolio}: this Bento was built for {built_for} and no other.")
        if portfolio is None or not re.fullmatch(r"[a-z][a-z0-9_]*", portfolio):
            raise SettingsError("LOAN_PORTFOLIO must name the book that the service answers for, such as lending_club.")
        stage = _text(environ, "LOAN_ENV") or "production"
        if stage not in {"production", "development"}:
            raise SettingsError(
                "LOAN_ENV must be production (the default) or development (no keys, this machine alone)."
            )
        return cls(
            portfolio=portfolio,
            development=stage == "development",
            keys=settings.api_keys,
            poll_seconds=_seconds(environ, "LOAN_POLL_SECONDS", 5.0),
            ledger_url=settings.ledger_url,
            ledger_stated=_ledger_url(environ) is not None,
            models=settings.lake / portfolio / "trained_model",
            cache=settings.service / portfolio,
            batch_megabytes=_number(environ, "LOAN_BATCH_MEGABYTES", 512, 1, 100_000),
            batch_days=_number(environ, "LOAN_BATCH_DAYS", 7, 1, 3_650),
        )


@dataclass(frozen=True)
class WatchSettings:
    """How much the service takes on, and what it tells of itself.

    Attributes:
        workers: processes that answer.
        rate: of requests of a key that has none of its own.
        most_under_way: requests of one worker without an answer yet.
        drift_window: applications whose drift is looked at; 0 for none.
        drift_sample: share of the applications that are looked at, 0 to 1.
        log_level: of the log.
        log_requests: share of the requests that get a line in the log, 0 to 1.
        traces: where OpenTelemetry's collector is; None: no traces.
    """

    workers: int
    rate: str
    most_under_way: int
    drift_window: int
    drift_sample: float
    log_level: str
    log_requests: float
    traces: str | None = field(repr=False)  # may hold a password

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read LOAN_WORKERS, LOAN_RATE and the others that docs/service.md lists.

        Raises:
            SettingsError: a variable is unusable; the message names it and what it accepts.
        """
        rate = _text(environ, "LOAN_RATE") or (
            UNLIMITED if _text(environ, "LOAN_ENV") == "development" else "100/minute"
        )
        if not re.fullmatch(RATE, rate):
            raise SettingsError(
                "LOAN_RATE must be a rate such as 100/minute (second, minute, hour, day), or unlimited."
            )
        level = (_text(environ, "LOAN_LOG_LEVEL") or "INFO").upper()
        if level not in LEVELS:
            raise SettingsError(f"LOAN_LOG_LEVEL must be one of {', '.join(LEVELS)}.")
        traces = _text(environ, "OTEL_EXPORTER_OTLP_ENDPOINT")
        if traces and not re.match(r"https?://[^/]", traces):
            raise SettingsError(
                "OTEL_EXPORTER_OTLP_ENDPOINT must be the http(s) URL of a collector, such as http://host:4318."
            )
        return cls(
            workers=_number(environ, "LOAN_WORKERS", 1, 1, 64),
            rate=rate,
            most_under_way=_number(environ, "LOAN_MOST_UNDER_WAY", 64, 1, 10_000),
            drift_window=_number(environ, "LOAN_DRIFT_WINDOW", 2_000, 0, 1_000_000),
            drift_sample=_share(environ, "LOAN_DRIFT_SAMPLE", 1.0),
            log_level=level,
            log_requests=_share(environ, "LOAN_LOG_REQUESTS", 1.0),
            traces=traces,
        )


@dataclass(frozen=True)
class AuditSettings:
    """How the answers of the service are recorded.

    Attributes:
        directory: of the records of the portfolio.
        inputs: omitted, encrypted or plain.
        key: file of the secret for inputs.
        fail: closed: no answer without its record; open: answers go out all the same, and are counted.
        keep_days: after which records are deleted; None: never.
    """

    directory: Path
    inputs: str
    key: Path
    fail: str
    keep_days: int | None

    @classmethod
    def of(cls, portfolio: str, environ: Mapping[str, str] = os.environ) -> Self:
        """Read LOAN_AUDIT_INPUTS, LOAN_AUDIT_KEY, LOAN_AUDIT_FAIL and LOAN_AUDIT_KEEP_DAYS.

        Raises:
            SettingsError: a variable is unusable; the message names it and what it accepts.
        """
        settings = Settings.from_environment(environ)
        days = _number(environ, "LOAN_AUDIT_KEEP_DAYS", 0, 0, 36_525)
        return cls(
            directory=settings.service / portfolio / "audit",
            inputs=_one_of(environ, "LOAN_AUDIT_INPUTS", ("omitted", "encrypted", "plain")),
            key=Path(_text(environ, "LOAN_AUDIT_KEY") or settings.service / "audit.key").expanduser(),
            fail=_one_of(environ, "LOAN_AUDIT_FAIL", ("closed", "open")),
            keep_days=days or None,
        )


def quiet_environment() -> None:
    """Switch telemetry off and waiting threads to sleep; call before the heavy imports. Keeps what is set."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)


def source_override(portfolio: str, source: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """Path, glob or URI in `<PORTFOLIO>_<SOURCE>`, such as LENDING_CLUB_LOANS; None where it is not set."""
    return _text(environ, f"{portfolio}_{source}".upper())


def checkout_root() -> Path | None:
    """The folder that holds this package and its pyproject.toml; None where the package is installed."""
    root = Path(__file__).resolve().parent.parent
    return root if (root / "pyproject.toml").is_file() else None


def _text(environ: Mapping[str, str], name: str) -> str | None:
    return environ.get(name, "").strip() or None


def _seconds(environ: Mapping[str, str], name: str, default: float) -> float:
    stated = _text(environ, name)
    try:
        seconds = float(stated) if stated else default
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 3_600:
        raise SettingsError(f"{name} must be a number of seconds from 0.1 to 3600, such as {default:g}.")
    return seconds


def _one_of(environ: Mapping[str, str], name: str, accepted: tuple[str, ...]) -> str:
    """The first one is the default."""
    stated = _text(environ, name) or accepted[0]
    if stated not in accepted:
        raise SettingsError(f"{name} must be one of {', '.join(accepted)}; without it it is {accepted[0]}.")
    return stated


def _number(environ: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    stated = _text(environ, name)
    if stated is None:
        return default
    if not re.fullmatch("[0-9]{1,9}", stated) or not low <= int(stated) <= high:
        raise SettingsError(f"{name} must be a whole number from {low} to {high}, such as {default}.")
    return int(stated)


def _share(environ: Mapping[str, str], name: str, default: float) -> float:
    stated = _text(environ, name)
    if stated is None:
        return default
    if not re.fullmatch(r"[01]?\.?[0-9]+", stated) or not 0 <= float(stated) <= 1:
        raise SettingsError(f"{name} must be a share from 0 to 1, such as {default:g}.")
    return float(stated)


def _home(environ: Mapping[str, str]) -> Path:
    stated = _text(environ, "LOAN_PLATFORM_HOME")
    home = Path(stated).expanduser() if stated else (checkout_root() or Path.cwd()) / ".loan_platform"
    home = home.resolve()
    if re.search(r"[?#%]", str(home)):
        raise SettingsError(f"LOAN_PLATFORM_HOME is {home}: accepted is a folder without ?, # or % in its path")
    if home.exists() and not home.is_dir():
        raise SettingsError(f"LOAN_PLATFORM_HOME is {home}, a file: accepted is a folder, created if missing")
    return home


def _ledger_url(environ: Mapping[str, str]) -> str | None:
    url = _text(environ, "LOAN_LEDGER_URL")
    if url and not re.match(r"(sqlite:///|postgresql(\+psycopg2)?://)", url):
        scheme = url.partition(":")[0]  # the rest may hold a password
        raise SettingsError(f"LOAN_LEDGER_URL is {scheme}:...: accepted are sqlite:///<file> and postgresql://...")
    return url


def _threads(environ: Mapping[str, str]) -> int:
    stated = _text(environ, "LOAN_THREADS")
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
    stated = _text(environ, "LOAN_MEMORY_LIMIT")
    if stated is None:
        half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
        return f"{min(half, 4 * 1024**3) // 1024**2}MiB"
    match = _SIZE.fullmatch(stated)
    if match is None or _bytes(*match.groups()) < 256 * 1024**2:
        raise SettingsError(f"LOAN_MEMORY_LIMIT is {stated!r}: accepted is 256MiB or more, such as 512MiB or 4GB")
    return stated


def _bytes(number: str, unit: str) -> float:
    return float(number) * (1024 if "i" in unit.lower() else 1000) ** _UNITS[unit[0].upper()]
