"""The base class of all settings: environment variables in, checked values or one plain error out."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import AliasChoices, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from loan_platform.core.errors import ExplainedError


class SettingsError(ExplainedError, ValueError):
    """An environment variable has an unusable value. The message names the variable and what it accepts."""


class UnusableValueError(ValueError):
    """A value of the right type that cannot be used. The message is the reason and what to do, without a full stop."""


@dataclass(frozen=True)
class Variable:
    """The environment variable of a setting.

    Attributes:
        name: of the variable.
        former: earlier names, which still work.
        accepts: what it may hold, as a noun phrase: "a whole number from 1 to 64".
        default: how the reference page shows the default; None: as the value is.
        secret: its value may hold a password and is never shown.
    """

    name: str
    accepts: str
    former: tuple[str, ...] = ()
    default: str | None = None
    secret: bool = False

    def name_in(self, environ: Mapping[str, str]) -> str:
        """The name that is in use: the current one, unless only a former one is set."""
        return next((name for name in (self.name, *self.former) if name in environ), self.name)


def setting(variable: Variable, description: str, **options: Any) -> Any:
    """A field that is read from `variable`; `options` are those of pydantic's `Field`."""
    names = AliasChoices(variable.name, *variable.former)
    extra: Any = {"variable": variable}  # typed as JSON by pydantic, and returned as it is
    return Field(
        validation_alias=names, description=description, repr=not variable.secret, json_schema_extra=extra, **options
    )


class EnvironmentSettings(BaseSettings):
    """Settings of one concern. Blank variables count as not set."""

    READ_BY: ClassVar[tuple[str, ...]] = ()
    model_config = SettingsConfigDict(frozen=True, extra="ignore", case_sensitive=True, hide_input_in_errors=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Values come from `from_environment` alone, never from a file or a second look at the environment."""
        return (init_settings,)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ, **fixed: str) -> Self:
        """Read the settings.

        Args:
            environ: the environment.
            fixed: fields that have no variable.

        Raises:
            SettingsError: a variable is missing or has an unusable value.
        """
        stated = {name: value.strip() for name, value in environ.items() if value.strip()}
        source = EnvSettingsSource(cls)
        source.env_vars = stated
        try:
            return cls(**(source() | fixed))
        except ValidationError as error:
            message = cls._message(error, stated)
        raise SettingsError(message)

    @classmethod
    def variables(cls) -> Iterator[tuple[str, FieldInfo, Variable]]:
        """Name of the field, its definition and its variable, in the order of the class."""
        for name, field in cls.model_fields.items():
            extra: Any = field.json_schema_extra
            if extra is not None:
                yield name, field, extra["variable"]

    @classmethod
    def _message(cls, error: ValidationError, stated: Mapping[str, str]) -> str:
        """The first problem, in one line and without the value of a secret."""
        problem = error.errors(include_url=False, include_input=False)[0]
        variable = next(v for name, _, v in cls.variables() if problem["loc"][0] in (name, v.name, *v.former))
        name = variable.name_in(stated)
        cause = problem.get("ctx", {}).get("error")
        reason = f" It cannot be used: {cause}." if isinstance(cause, UnusableValueError) else ""
        if name not in stated and reason:
            return f"{name} is not set, and its default cannot be used: {cause}, or set {name} to {variable.accepts}."
        if name not in stated:
            return f"{name} is missing. Accepted: {variable.accepts}."
        if variable.secret:
            return f"{name} has a value that cannot be used. Accepted: {variable.accepts}."
        return f"{name} is {stated[name]!r:.200}.{reason} Accepted: {variable.accepts}."


def matches(pattern: str) -> Callable[[Any], Any]:
    """A check that a text matches `pattern` as a whole; values of other types, such as defaults, pass."""

    def check(value: Any) -> Any:
        if isinstance(value, str) and not re.fullmatch(pattern, value):
            raise ValueError("no match")
        return value

    return check
