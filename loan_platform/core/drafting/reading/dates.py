"""Recognises the date format of a column of texts."""

import polars as pl

from loan_platform.core.drafting.reading.numbers import READABLE

# What the platform reads without a format of its own.
_MONTH = "(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_DEFAULTS = (
    r"^(19|20)[0-9]{2}-(0?[1-9]|1[0-2])-(0?[1-9]|[12][0-9]|3[01])$",
    r"^(19|20)[0-9]{2}-(0?[1-9]|1[0-2])-(0?[1-9]|[12][0-9]|3[01]) [0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?$",
    r"^(19|20)[0-9]{2}-(0?[1-9]|1[0-2])-(0?[1-9]|[12][0-9]|3[01])T[0-9]{2}:[0-9]{2}:[0-9]{2}Z?$",
    r"^(19|20)[0-9]{2}/(0?[1-9]|1[0-2])/(0?[1-9]|[12][0-9]|3[01])$",
    rf"^{_MONTH}-(19|20)[0-9]{{2}}$",
    rf"^[0-9]{{1,2}}-{_MONTH}-(19|20)[0-9]{{2}}$",
    rf"^[0-9]{{1,2}}-{_MONTH}-[0-9]{{2}}$",
    rf"^{_MONTH}-[0-9]{{2}}$",
)
_DAY, _NUMBER, _YEAR = r"(0?[1-9]|[12][0-9]|3[01])", r"(0?[1-9]|1[0-2])", r"(19|20)[0-9]{2}"
_WORD = r"(?i:january|february|march|april|may|june|july|august|september|october|november|december)"
_TIMES = (("", ""), (r" [0-9]{1,2}:[0-9]{2}", " %H:%M"), (r" [0-9]{1,2}:[0-9]{2}:[0-9]{2}", " %H:%M:%S"))
# Day first before month first: where both read every text, see `_likelier`.
_BASES = (
    *((rf"{_DAY}\{s}{_NUMBER}\{s}{_YEAR}", f"%d{s}%m{s}%Y") for s in "./-"),
    *((rf"{_NUMBER}\{s}{_DAY}\{s}{_YEAR}", f"%m{s}%d{s}%Y") for s in "/-."),
    (rf"{_YEAR}\.{_NUMBER}\.{_DAY}", "%Y.%m.%d"),
    *((rf"{_DAY}\{s}{_NUMBER}\{s}[0-9]{{2}}", f"%d{s}%m{s}%y") for s in "./-"),
    *((rf"{_NUMBER}\{s}{_DAY}\{s}[0-9]{{2}}", f"%m{s}%d{s}%y") for s in "/-."),
    (rf"{_DAY} {_MONTH} {_YEAR}", "%d %b %Y"),
    (rf"{_DAY} {_WORD} {_YEAR}", "%d %B %Y"),
    (rf"{_MONTH} {_DAY}, {_YEAR}", "%b %d, %Y"),
    (rf"{_WORD} {_DAY}, {_YEAR}", "%B %d, %Y"),
    (rf"{_MONTH} {_YEAR}", "%b %Y"),
    (rf"{_WORD} {_YEAR}", "%B %Y"),
    *((rf"{_NUMBER}\{s}{_YEAR}", f"%m{s}%Y") for s in "./-"),
    *((rf"{_YEAR}\{s}{_NUMBER}", f"%Y{s}%m") for s in "-/"),
)
_COMPACT = (r"(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])", "%Y%m%d")
_ANY = r"[0-9A-Za-z]{1,9}([ ./,T-]{1,2}[0-9A-Za-z]{1,9}){1,2}([ T]?[0-9:.]+Z?)?|[0-9]{8}"
_MAX_TEXTS, _MIN_LIKELY_SHARE = 300, 0.8
_MIN_COMPACT = 20  # distinct texts: eight digits that happen to be dates


def date_style(texts: pl.DataFrame) -> tuple[str | None, float] | None:
    """The `date_format` that reads nearly all texts (None: the platform's own formats) and its share, or None.

    Args:
        texts: columns `text` (trimmed, distinct) and `count`.
    """
    if not texts.height or not texts["text"].str.contains(r"[0-9]{2}").all():
        texts = texts.filter(pl.col("text").str.contains(r"[0-9]{2}"))
    if texts.is_empty():
        return None
    few = texts.gather_every(-(-texts.height // _MAX_TEXTS))
    if _share(few, rf"^{_ANY}$") < _MIN_LIKELY_SHARE:
        return None
    share = _share(texts, "|".join(_DEFAULTS))
    if share >= READABLE:
        return None, share
    likely = [(format, pattern) for format, pattern in _formats() if _share(few, pattern) >= _MIN_LIKELY_SHARE]
    found = [(format, share) for format, pattern in likely if (share := _share(texts, pattern)) >= READABLE]
    if texts.height >= _MIN_COMPACT and (share := _share(texts, f"^{_COMPACT[0]}$")) >= READABLE:
        found.append((_COMPACT[1], share))
    return _likelier(found, texts) if found else None


def _formats() -> list[tuple[str, str]]:
    return [(format + time, f"^{base}{clock}$") for clock, time in _TIMES for base, format in _BASES]


def _likelier(found: list[tuple[str, float]], texts: pl.DataFrame) -> tuple[str, float]:
    """Of day first and month first, the one with the larger share, then the one whose days are all the same."""
    best = max(share for _, share in found)
    equal = [item for item in found if item[1] == best]
    for item in equal:
        place = 0 if item[0].startswith("%d") else 1
        parts = texts["text"].str.extract_all(r"[0-9]+")
        if item[0].startswith(("%d", "%m")) and parts.list.get(place, null_on_oob=True).n_unique() == 1:
            return item
    return equal[0]


def _share(texts: pl.DataFrame, pattern: str) -> float:
    return int(texts.filter(pl.col("text").str.contains(pattern))["count"].sum()) / int(texts["count"].sum())
