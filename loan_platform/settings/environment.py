"""Variables of the environment, each read by what it may hold."""

import re
from collections.abc import Mapping

from loan_platform.core.errors import ExplainedError


class SettingsError(ExplainedError, ValueError):
    """An environment variable has a value that cannot be used; the message names it and what it accepts."""


def text_of(environ: Mapping[str, str], name: str) -> str | None:
    """A text; None where nothing is set."""
    return environ.get(name, "").strip() or None


def seconds_of(environ: Mapping[str, str], name: str, default: float) -> float:
    """A time.

    Raises:
        SettingsError: it is no number of seconds from 0.1 to 3600.
    """
    stated = text_of(environ, name)
    try:
        seconds = float(stated) if stated else default
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 3_600:
        raise SettingsError(f"{name} must be a number of seconds from 0.1 to 3600, such as {default:g}.")
    return seconds


def word_of(environ: Mapping[str, str], name: str, accepted: tuple[str, ...]) -> str:
    """One of some words, of which the first is the default.

    Raises:
        SettingsError: it is another.
    """
    stated = text_of(environ, name) or accepted[0]
    if stated not in accepted:
        raise SettingsError(f"{name} must be one of {', '.join(accepted)}; without it it is {accepted[0]}.")
    return stated


def number_of(environ: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """A whole number.

    Raises:
        SettingsError: it is none from `low` to `high`.
    """
    stated = text_of(environ, name)
    if stated is None:
        return default
    if not re.fullmatch("[0-9]{1,9}", stated) or not low <= int(stated) <= high:
        raise SettingsError(f"{name} must be a whole number from {low} to {high}, such as {default}.")
    return int(stated)


def share_of(environ: Mapping[str, str], name: str, default: float) -> float:
    """A share.

    Raises:
        SettingsError: it is no number from 0 to 1.
    """
    stated = text_of(environ, name)
    if stated is None:
        return default
    if not re.fullmatch(r"[01]?\.?[0-9]+", stated) or not 0 <= float(stated) <= 1:
        raise SettingsError(f"{name} must be a share from 0 to 1, such as {default:g}.")
    return float(stated)
