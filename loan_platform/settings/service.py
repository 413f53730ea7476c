"""Which portfolio the HTTP service answers for, and how much it takes on."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field

from loan_platform.settings.environment import EnvironmentSettings, SettingsError, Variable, matches, setting
from loan_platform.settings.platform import SharedSettings

RATE = r"unlimited|[1-9][0-9]{0,6}/(second|minute|hour|day)"
UNLIMITED = "unlimited"
WholeNumber = Annotated[int, BeforeValidator(matches("[0-9]{1,9}"))]
Portfolio = Annotated[
    str,
    BeforeValidator(matches("[a-z][a-z0-9_]*")),
    setting(
        Variable("LOAN_PORTFOLIO", "the name of a book, such as lending_club", default="none"),
        "Book that the service answers for. A built Bento knows its own.",
    ),
]
Stage = Annotated[
    Literal["production", "development"],
    setting(
        Variable("LOAN_ENV", "production or development"),
        "In `development` the service asks for no API key and accepts requests from this machine only.",
    ),
]


class ServiceSettings(SharedSettings):
    """Identity of the service: its portfolio, its clients' keys and where its model comes from."""

    READ_BY: ClassVar[tuple[str, ...]] = ("HTTP service",)

    portfolio: Portfolio
    stage: Stage = "production"
    poll_seconds: float = setting(
        Variable("LOAN_POLL_SECONDS", "a number of seconds from 0.1 to 3600"),
        "Seconds between two looks at the promotion ledger for a new champion.",
        default=5.0,
        ge=0.1,
        le=3_600,
    )

    @classmethod
    def for_bento(cls, built_for: str | None, environ: Mapping[str, str] = os.environ) -> Self:
        """The settings of a service, whose portfolio is fixed if it is a built Bento.

        Args:
            built_for: the portfolio of the Bento; None in a checkout.
            environ: the environment.

        Raises:
            SettingsError: a variable is missing or unusable, or names another portfolio than the Bento's.
        """
        stated = environ.get("LOAN_PORTFOLIO", "").strip()
        if built_for and stated and stated != built_for:
            raise SettingsError(f"LOAN_PORTFOLIO is {stated!r}. This Bento answers for {built_for} only.")
        return cls.from_environment({**environ, "LOAN_PORTFOLIO": built_for} if built_for else environ)

    @property
    def development(self) -> bool:
        """Whether the service asks for no API key."""
        return self.stage == "development"

    @property
    def follows_ledger(self) -> bool:
        """Whether a ledger was named. Without one, a built Bento answers with the model inside."""
        return "ledger_url" in self.model_fields_set

    @property
    def models(self) -> Path:
        """The lake's trained models of the portfolio."""
        return self.lake / self.portfolio / "trained_model"

    @property
    def cache(self) -> Path:
        """Files of this service: verified copies of models, drift window, rate limits, batch jobs."""
        return self.service / self.portfolio


class LimitSettings(EnvironmentSettings):
    """How much the service takes on."""

    READ_BY: ClassVar[tuple[str, ...]] = ("HTTP service",)

    stage: Stage = "production"
    workers: WholeNumber = setting(
        Variable("LOAN_WORKERS", "a whole number from 1 to 64"), "Worker processes.", default=1, ge=1, le=64
    )
    rate: Annotated[str, Field(pattern=f"^({RATE})$")] = setting(
        Variable(
            "LOAN_RATE",
            "a rate such as 100/minute (second, minute, hour, day), or unlimited",
            default="`100/minute`; `unlimited` in development",
        ),
        "Rate limit of an API key that has no rate of its own.",
        default_factory=lambda values: UNLIMITED if values["stage"] == "development" else "100/minute",
    )
    max_in_flight: WholeNumber = setting(
        Variable("LOAN_MAX_IN_FLIGHT", "a whole number from 1 to 10000", former=("LOAN_MOST_UNDER_WAY",)),
        "In-flight requests of one worker. A request beyond it gets 503 `overloaded`.",
        default=64,
        ge=1,
        le=10_000,
    )
    batch_megabytes: WholeNumber = setting(
        Variable("LOAN_BATCH_MEGABYTES", "a whole number from 1 to 100000"),
        "Largest upload of a batch job, in MB.",
        default=512,
        ge=1,
        le=100_000,
    )
    batch_rows: WholeNumber = setting(
        Variable("LOAN_BATCH_ROWS", "a whole number from 1 to 100000000"),
        "Most rows of a batch job.",
        default=5_000_000,
        ge=1,
        le=100_000_000,
    )
    batch_days: WholeNumber = setting(
        Variable("LOAN_BATCH_DAYS", "a whole number from 1 to 3650"),
        "Days after which a finished batch job is deleted.",
        default=7,
        ge=1,
        le=3_650,
    )

    @property
    def batch_bytes(self) -> int:
        """Largest upload of a batch job, in bytes."""
        return self.batch_megabytes * 1_000_000
