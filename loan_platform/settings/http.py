"""How the HTTP service deals with connections and with pages of other origins."""

from typing import Annotated, ClassVar

from pydantic import BeforeValidator

from loan_platform.settings.environment import EnvironmentSettings, Variable, matches, setting
from loan_platform.settings.service import WholeNumber

_ORIGIN = r"https?://[a-z0-9.\-]+(:[0-9]{1,5})?"
_ORIGINS = rf"\*|{_ORIGIN}(\s*,\s*{_ORIGIN})*"


class HttpSettings(EnvironmentSettings):
    """Connections of the service, and which pages of other origins may call it."""

    READ_BY: ClassVar[tuple[str, ...]] = ("HTTP service",)

    keep_alive_seconds: WholeNumber = setting(
        Variable("LOAN_KEEP_ALIVE_SECONDS", "a whole number from 1 to 3600"),
        "Seconds after which an idle connection is closed. Set it above the idle timeout of the load balancer.",
        default=75,
        ge=1,
        le=3_600,
    )
    max_connections: WholeNumber = setting(
        Variable("LOAN_MAX_CONNECTIONS", "a whole number from 16 to 100000"),
        "Open connections of one worker. Above it, a silent or idle connection is closed for each new one.",
        default=2_000,
        ge=16,
        le=100_000,
    )
    max_connections_per_address: WholeNumber = setting(
        Variable("LOAN_MAX_CONNECTIONS_PER_ADDRESS", "a whole number from 16 to 100000"),
        "The same for the connections of one address. A load balancer counts as one address.",
        default=1_500,
        ge=16,
        le=100_000,
    )
    cors: Annotated[str | None, BeforeValidator(matches(_ORIGINS))] = setting(
        Variable(
            "LOAN_CORS_ORIGINS",
            "origins such as https://app.example.com, separated by commas, or *",
            default="none",
        ),
        "Origins whose pages may call the service from a browser (CORS). By default only its own page may.",
        default=None,
    )

    @property
    def cors_origins(self) -> tuple[str, ...]:
        """The allowed origins, one by one."""
        return tuple(origin.strip() for origin in (self.cors or "").split(",") if origin.strip())
