"""Where the platform keeps its things, and how much of the machine it may use."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator

from loan_platform.settings.checkout import checkout_root
from loan_platform.settings.environment import EnvironmentSettings, UnusableValueError, Variable, matches, setting

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]i?B)", re.IGNORECASE)
_UNITS = {"K": 1, "M": 2, "G": 3, "T": 4}
MAX_DEFAULT_THREADS = 8
# SQLite keeps `:memory:` and some `file:` addresses in memory, where the next step would find no ledger.
_SQLITE_FILE = r"sqlite:///(?!:memory:|file:|\s)[^?]*[^?/]"
LEDGER_URL = rf"(?s:{_SQLITE_FILE}(\?(?!.*\buri=).*)?|postgresql(\+psycopg2)?://.*)"


def _usable_home(path: Path) -> Path:
    try:
        home = _expanded(path).resolve()
        existing = next(place for place in (home, *home.parents) if place.exists())
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, before Python 3.13
        reason = error.strerror if isinstance(error, OSError) else "its links go in a circle"
        raise UnusableValueError(f"{path}: {reason}. Give this user the rights to it") from error
    if not existing.is_dir():
        raise UnusableValueError(f"{existing} is not a folder. Move it away")
    if re.search(r"[?#%]", str(home)):
        raise UnusableValueError(f"{home} has ?, # or % in its path. Rename the folder")
    return home


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise UnusableValueError(f"{path.parts[0]} is no user of this machine. Write the whole path") from error


ExpandedPath = Annotated[Path, AfterValidator(_expanded)]


class HomeSettings(EnvironmentSettings):
    """The platform home and the folders below it."""

    home: Annotated[Path, AfterValidator(_usable_home)] = setting(
        Variable(
            "LOAN_PLATFORM_HOME",
            "a folder, created if missing, without ?, # or % in its path",
            default="`.loan_platform` in the checkout, else in the working directory",
        ),
        "The platform home: data, databases, reports and keys.",
        default_factory=lambda: (checkout_root() or Path.cwd()) / ".loan_platform",
        validate_default=True,
    )

    @property
    def dagster_home(self) -> Path:
        """Dagster's runs, events and schedules; the value of DAGSTER_HOME."""
        return self.home / "dagster"

    @property
    def mlflow_database(self) -> Path:
        """MLflow's database, if no tracking server is set."""
        return self.home / "mlflow.db"

    @property
    def mlartifacts(self) -> Path:
        """Plots and models of MLflow, if no tracking server is set."""
        return self.home / "mlartifacts"

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
        """Files that can be deleted at any time."""
        return self.home / "cache"

    @property
    def service(self) -> Path:
        """Files of the HTTP services: API keys, and one folder per portfolio."""
        return self.home / "service"

    @property
    def bentos(self) -> Path:
        """Built Bentos; the value of BENTOML_HOME."""
        return self.home / "bentoml"

    @property
    def summary(self) -> Path:
        """Summary of the last run of the whole graph."""
        return self.home / "summary.json"


class TrackingSettings(HomeSettings):
    """What every run of the asset graph needs: the home and where MLflow is."""

    tracking_uri: str = setting(
        Variable(
            "MLFLOW_TRACKING_URI",
            "the URI of an MLflow tracking server or database",
            default="`sqlite:///<home>/mlflow.db`",
            secret=True,
        ),
        "MLflow tracking server and model registry.",
        default_factory=lambda values: f"sqlite:///{values['home'] / 'mlflow.db'}",
    )

    @property
    def embedded_tracking(self) -> bool:
        """Whether MLflow runs on the home's own database."""
        return self.tracking_uri == f"sqlite:///{self.mlflow_database}"


class LedgerSettings(HomeSettings):
    """Where the promotion ledger is."""

    ledger_url: Annotated[str, BeforeValidator(matches(LEDGER_URL))] = setting(
        Variable(
            "LOAN_LEDGER_URL",
            "sqlite:///<file> or postgresql://<user>:<password>@<host>/<database>",
            default="`sqlite:///<home>/ledger.db`",
            secret=True,
        ),
        "Database of the promotion ledger, which says which model version is champion.",
        default_factory=lambda values: f"sqlite:///{values['home'] / 'ledger.db'}",
    )
    ledger_key: ExpandedPath | None = setting(
        Variable("LOAN_LEDGER_KEY", "the path of a file", default="none"),
        "File of the key that signs the ledger's rows. With it, rows without its signature are refused. "
        "`loan-platform ledger create-key` makes it.",
        default=None,
    )


class SharedSettings(LedgerSettings):
    """What the platform and its HTTP service must agree on."""

    api_keys: ExpandedPath = setting(
        Variable("LOAN_KEYS", "the path of a file", default="`<home>/service/keys.json`"),
        "File of the service's API keys. It holds hashes, never a key.",
        default_factory=lambda values: values["home"] / "service" / "keys.json",
    )


def cores() -> int:
    """Cores that this process may use."""
    # Not every platform has affinity; where it exists it is what a container or taskset allows.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _half_of_memory() -> str:
    half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    return f"{min(half, 4 * 1024**3) // 1024**2}MiB"


def _enough_memory(stated: Any) -> Any:
    match = _SIZE.fullmatch(str(stated))
    if match is None or _bytes(*match.groups()) < 256 * 1024**2:
        raise ValueError("too little, or no size")
    return stated


def _bytes(number: str, unit: str) -> float:
    return float(number) * (1024 if "i" in unit.lower() else 1000) ** _UNITS[unit[0].upper()]


class DuckDbSettings(EnvironmentSettings):
    """How much of the machine DuckDB may use."""

    threads: Annotated[int, BeforeValidator(matches("[0-9]+"))] = setting(
        Variable("LOAN_THREADS", "a whole number from 1 to 1024", default=f"cores, at most {MAX_DEFAULT_THREADS}"),
        "Threads of DuckDB. Results do not depend on it. `training.threads` in `defs.yaml` sets those of training.",
        default_factory=lambda: min(cores(), MAX_DEFAULT_THREADS),
        ge=1,
        le=1024,
    )
    memory_limit: Annotated[str, BeforeValidator(_enough_memory)] = setting(
        Variable(
            "LOAN_MEMORY_LIMIT", "256MiB or more, such as 512MiB or 4GB", default="half the memory, at most 4 GiB"
        ),
        "Memory limit of DuckDB. Beyond it DuckDB works on disk.",
        default_factory=_half_of_memory,
    )


class PlatformSettings(DuckDbSettings, TrackingSettings, SharedSettings):
    """What the commands read, and the asset graph by its parts."""

    READ_BY: ClassVar[tuple[str, ...]] = ("commands", "asset graph")
