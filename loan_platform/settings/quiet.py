"""Variables of other libraries that every process of the platform sets, unless they are set already."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class LibraryDefault:
    """A library's variable.

    Attributes:
        value: that the platform sets.
        reason: why, for the reference page.
    """

    value: str
    reason: str


_TELEMETRY = "No telemetry."
LIBRARY_DEFAULTS = {
    "DAGSTER_DISABLE_TELEMETRY": LibraryDefault("yes", _TELEMETRY),
    "MLFLOW_DISABLE_TELEMETRY": LibraryDefault("true", _TELEMETRY),
    "DO_NOT_TRACK": LibraryDefault("true", "No telemetry. MLflow accepts only this word."),
    "ITERATIVE_DO_NOT_TRACK": LibraryDefault("1", _TELEMETRY),
    "BENTOML_DO_NOT_TRACK": LibraryDefault("True", _TELEMETRY),
    "GX_ANALYTICS_ENABLED": LibraryDefault("false", _TELEMETRY),
    "RAY_USAGE_STATS_ENABLED": LibraryDefault("0", _TELEMETRY),
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": LibraryDefault("false", "2 processes and 0.5 GB instead of 10 and 2.4 GB."),
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": LibraryDefault("2", "The default blocks for 246 s when the server is down."),
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": LibraryDefault("1", "As above."),
    "MLFLOW_HTTP_REQUEST_TIMEOUT": LibraryDefault("10", "As above."),
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": LibraryDefault("false", "Plain logs."),
    "MLFLOW_LOGGING_LEVEL": LibraryDefault("WARNING", "Plain logs."),
    "GIT_PYTHON_REFRESH": LibraryDefault("quiet", "MLflow warns on machines without git."),
    "OTEL_PROPAGATORS": LibraryDefault("tracecontext", "The other propagator, baggage, logs what callers send."),
    "POLARS_IGNORE_TIMEZONE_PARSE_ERROR": LibraryDefault("1", "Polars panics on times with a zone such as +05:30."),
    "OMP_WAIT_POLICY": LibraryDefault("passive", "Spinning threads made training 14 times slower on a busy machine."),
}
QUIET = {name: default.value for name, default in LIBRARY_DEFAULTS.items()}


def quiet_environment() -> None:
    """Switch telemetry off and make waiting threads sleep. Variables that are set keep their values.

    Call it before dagster, mlflow, bentoml, evidently or xgboost is imported: most read these at import.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
