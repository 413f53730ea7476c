"""What the HTTP service reports about itself: log, traces and online drift."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator

from loan_platform.settings.environment import EnvironmentSettings, Variable, matches, setting
from loan_platform.settings.service import WholeNumber


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


Share = Annotated[float, BeforeValidator(matches(r"[01]?\.?[0-9]+"))]
Level = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)]


class TelemetrySettings(EnvironmentSettings):
    """What the service reports about itself."""

    READ_BY: ClassVar[tuple[str, ...]] = ("HTTP service",)

    log_level: Level = setting(
        Variable("LOAN_LOG_LEVEL", "DEBUG, INFO, WARNING or ERROR"),
        "Lowest level that is logged. Requests are logged as INFO.",
        default="INFO",
    )
    log_requests: Share = setting(
        Variable("LOAN_LOG_REQUESTS", "a share from 0 to 1"),
        "Share of requests that are logged. 0 disables it. Overload rejections are logged at a hundredth of it.",
        default=1.0,
        ge=0,
        le=1,
    )
    metrics: Literal["open", "key"] = setting(
        Variable("LOAN_METRICS", "open or key"),
        "Who may read `/metrics`: everybody who reaches the service, or holders of a key with the scope `metrics`.",
        default="open",
    )
    traces: Annotated[str | None, BeforeValidator(matches(r"https?://[^/](?s:.*)"))] = setting(
        Variable(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "the http(s) URL of a collector, such as http://host:4318",
            default="none",
            secret=True,
        ),
        "OpenTelemetry collector that receives traces. Without it there are no traces.",
        default=None,
    )
    drift_window: WholeNumber = setting(
        Variable("LOAN_DRIFT_WINDOW", "a whole number from 0 to 1000000"),
        "Number of most recent applications compared (up to 25 % more). 0 disables it; below 100 there is no verdict.",
        default=2_000,
        ge=0,
        le=1_000_000,
    )
    drift_sample: Share = setting(
        Variable("LOAN_DRIFT_SAMPLE", "a share from 0 to 1"),
        "Share of applications that enter the drift window.",
        default=1.0,
        ge=0,
        le=1,
    )
