"""Splits names of columns into words, and makes names for the contract."""

import re
import unicodedata
from collections.abc import Iterable

import polars as pl

from loan_platform.core.book.constants import RESERVED_NAMES
from loan_platform.core.book.sql import SqlError, columns_read

MAX_LENGTH = 63
# Columns of predictions and of the test set stand beside the key and the event date.
TAKEN = RESERVED_NAMES | {
    *("partition", "model_version", "vintage", "key", "part", "block"),
    *("scorecard", "random_forest", "gradient_boosting", "mlp", "blend"),
}
_SPELLED = str.maketrans(
    {
        "ä": "ae",
        "ö": "oe",
        "ü": "ue",
        "ß": "ss",
        "æ": "ae",
        "œ": "oe",
        "ø": "o",
        "å": "a",
        "ł": "l",
        "đ": "d",
        "þ": "th",
    }
)
_SIGNS = {"%": " pct ", "€": " eur ", "$": " usd ", "£": " gbp ", "#": " no ", "№": " no ", "&": " and "}


def split_words(text: str) -> tuple[str, ...]:
    """The words of a column's name in lower case, without accents: `DaysLate_30%` is days, late, 30, pct."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text)
    return tuple(re.findall(r"[a-z]+|\d+", _plain(parted)))


def snake_case(text: str) -> str:
    """An identifier of at most 63 characters made of the words of a name, without a look at others."""
    plain = re.sub(r"[^a-z0-9]+", "_", _plain(text)).strip("_")
    name = plain if plain[:1].isalpha() else f"column_{plain}".rstrip("_")
    return name[:MAX_LENGTH].rstrip("_")


def identifiers(texts: Iterable[str]) -> dict[str, str]:
    """A name that a contract accepts for each text, in order; no two are the same."""
    found: dict[str, str] = {}
    used: set[str] = set()
    for text in texts:
        base = _usable(snake_case(text))
        name, number = base, 2
        while name in used:
            suffix = f"_{number}"
            name, number = base[: MAX_LENGTH - len(suffix)].rstrip("_") + suffix, number + 1
        used.add(name)
        found[text] = name
    return found


def fold(text: str) -> str:
    """A text in lower case without accents: `Größe` is `groesse`."""
    folded = unicodedata.normalize("NFKD", text.lower().translate(_SPELLED))
    return "".join(character for character in folded if not unicodedata.combining(character))


def display_name(text: str) -> str:
    """A column's name for people: `annual_inc` is `Annual inc`."""
    shown = " ".join(re.sub(r"[\s_]+", " ", "".join(c if c.isprintable() else " " for c in text)).split())
    return shown[:1].upper() + shown[1:] if shown else "Column without a name"


def _plain(text: str) -> str:
    for sign, word in _SIGNS.items():
        text = text.replace(sign, word)
    return fold(text)


def _usable(name: str) -> str:
    """The name, with a word after it where SQL or the platform would take it for something else."""
    if name not in TAKEN and _is_column(name):
        return name
    return f"{name[: MAX_LENGTH - 6]}_value"


def _is_column(name: str) -> bool:
    """Whether both SQL readers take the bare name for a column."""
    test = f"CASE WHEN {name} IS NULL THEN 1 ELSE 0 END"
    try:
        if not columns_read(name) == columns_read(test) == frozenset({name}):
            return False
        empty = pl.DataFrame(schema={name: pl.Time})
        return empty.select(pl.sql_expr(name).alias("x"), pl.sql_expr(test).alias("y")).dtypes[0] == pl.Time
    except (SqlError, pl.exceptions.PolarsError):
        return False
