"""What the HTTP service reads from the environment."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from loan_platform.settings import Settings
from loan_platform.settings.environment import SettingsError, number_of, seconds_of, share_of, text_of, word_of

RATE = r"unlimited|[1-9][0-9]{0,6}/(second|minute|hour|day)"
UNLIMITED = "unlimited"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


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
        portfolio = text_of(environ, "LOAN_PORTFOLIO") or built_for
        if built_for not in (None, portfolio):
            raise SettingsError(f"LOAN_PORTFOLIO is {portfolio}: this Bento was built for {built_for} and no other.")
        if portfolio is None or not re.fullmatch(r"[a-z][a-z0-9_]*", portfolio):
            raise SettingsError("LOAN_PORTFOLIO must name the book that the service answers for, such as lending_club.")
        stage = text_of(environ, "LOAN_ENV") or "production"
        if stage not in {"production", "development"}:
            raise SettingsError(
                "LOAN_ENV must be production (the default) or development (no keys, this machine alone)."
            )
        return cls(
            portfolio=portfolio,
            development=stage == "development",
            keys=settings.api_keys,
            poll_seconds=seconds_of(environ, "LOAN_POLL_SECONDS", 5.0),
            ledger_url=settings.ledger_url,
            ledger_stated=text_of(environ, "LOAN_LEDGER_URL") is not None,
            models=settings.lake / portfolio / "trained_model",
            cache=settings.service / portfolio,
            batch_megabytes=number_of(environ, "LOAN_BATCH_MEGABYTES", 512, 1, 100_000),
            batch_days=number_of(environ, "LOAN_BATCH_DAYS", 7, 1, 3_650),
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
        rate = text_of(environ, "LOAN_RATE") or (
            UNLIMITED if text_of(environ, "LOAN_ENV") == "development" else "100/minute"
        )
        if not re.fullmatch(RATE, rate):
            raise SettingsError(
                "LOAN_RATE must be a rate such as 100/minute (second, minute, hour, day), or unlimited."
            )
        level = (text_of(environ, "LOAN_LOG_LEVEL") or "INFO").upper()
        if level not in LEVELS:
            raise SettingsError(f"LOAN_LOG_LEVEL must be one of {', '.join(LEVELS)}.")
        traces = text_of(environ, "OTEL_EXPORTER_OTLP_ENDPOINT")
        if traces and not re.match(r"https?://[^/]", traces):
            raise SettingsError(
                "OTEL_EXPORTER_OTLP_ENDPOINT must be the http(s) URL of a collector, such as http://host:4318."
            )
        return cls(
            workers=number_of(environ, "LOAN_WORKERS", 1, 1, 64),
            rate=rate,
            most_under_way=number_of(environ, "LOAN_MOST_UNDER_WAY", 64, 1, 10_000),
            drift_window=number_of(environ, "LOAN_DRIFT_WINDOW", 2_000, 0, 1_000_000),
            drift_sample=share_of(environ, "LOAN_DRIFT_SAMPLE", 1.0),
            log_level=level,
            log_requests=share_of(environ, "LOAN_LOG_REQUESTS", 1.0),
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
        days = number_of(environ, "LOAN_AUDIT_KEEP_DAYS", 0, 0, 36_525)
        return cls(
            directory=settings.service / portfolio / "audit",
            inputs=word_of(environ, "LOAN_AUDIT_INPUTS", ("omitted", "encrypted", "plain")),
            key=Path(text_of(environ, "LOAN_AUDIT_KEY") or settings.service / "audit.key").expanduser(),
            fail=word_of(environ, "LOAN_AUDIT_FAIL", ("closed", "open")),
            keep_days=days or None,
        )
