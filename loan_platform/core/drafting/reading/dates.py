"""Recognises the date format of a column of texts."""

import re
from dataclasses import dataclass

import polars as pl

from loan_platform.core.book.date_formats import ISO_TIME, NAMED_FORMATS
from loan_platform.core.drafting.reading.numbers import READABLE
from loan_platform.core.drafting.reading.vocabulary import MONTH_WORDS, Words, is_called_date

# What the platform reads without a format of its own.
_MONTH = "(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_DEFAULTS = (
    r"^(19|20)[0-9]{2}-(0?[1-9]|1[0-2])-(0?[1-9]|[12][0-9]|3[01])$",
    r"^(19|20)[0-9]{2}-(0?[1-9]|1[0-2])-(0?[1-9]|[12][0-9]|3[01]) [0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?$",
    r"^(19|20)[0-9]{2}-(0?[1-9]|1[0-2])-(0?[1-9]|[12][0-9]|3[01])T[0-9]{2}:[0-9]{2}:[0-9]{2}Z?$",
    ISO_TIME,
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
    (rf"{_DAY}{_MONTH}{_YEAR}", "%d%b%Y"),
    (NAMED_FORMATS["year_quarter"].strip("^$"), "year_quarter"),
    (NAMED_FORMATS["iso_week"].strip("^$"), "iso_week"),
    (rf"{_MONTH} {_YEAR}", "%b %Y"),
    (rf"{_WORD} {_YEAR}", "%B %Y"),
    *((rf"{_NUMBER}\{s}{_YEAR}", f"%m{s}%Y") for s in "./-"),
    *((rf"{_YEAR}\{s}{_NUMBER}", f"%Y{s}%m") for s in "-/"),
)
_COMPACT = (r"(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])", "%Y%m%d")
_EXCEL = r"[2-7][0-9]{4}(\.[0-9]+)?"  # 1954 to 2119
_ANY = (
    r"([0-9A-Za-z]{1,9}([ ./,T-]{1,2}[0-9A-Za-z]{1,9}){1,2}([ T]?[0-9:.,]+ ?(Z|UTC|[+-][0-9:]+)?)?|[0-9]{8}"
    r"|[0-9]{1,2}[A-Za-z]{3}[0-9]{4}|[0-9]{4}[QqWw][0-9]{1,2}|[1-4][Qq][0-9]{4})"
)
_MAX_TEXTS, _MIN_LIKELY_SHARE = 300, 0.8
_MIN_COMPACT = 20  # distinct texts: eight digits that happen to be dates


@dataclass(frozen=True)
class DateStyle:
    """How dates are written.

    Attributes:
        format: `date_format` of the contract; None for the platform's own formats.
        other: the format with day and month the other way round that reads the texts as well, or None.
    """

    format: str | None
    other: str | None = None


def date_style(
    texts: pl.DataFrame, words: Words = (), stated: str | None = None, is_date: bool = False
) -> DateStyle | None:
    """The style that reads nearly all texts, or None.

    Args:
        texts: columns `text` (trimmed, distinct, all that are stated) and `count`.
        words: of the column's name. Bare numbers are dates only in a column that is called so.
        stated: the format that the user states. It counts wherever it reads a column of dates.
        is_date: the user states that the column is a date.
    """
    if not texts["text"].str.contains(r"[0-9]{2}").any():
        return None
    called = is_date or is_called_date(words)
    bare = _share(texts, r"^[0-9.]+$") >= READABLE
    if stated and (called or not bare) and _stated_share(texts, stated) >= READABLE:
        return DateStyle(stated)
    if form := _number_form(texts, called, called or is_called_date(words, MONTH_WORDS)):
        return DateStyle(form)
    few = texts.gather_every(-(-texts.height // _MAX_TEXTS))
    if _share(few, rf"^{_ANY}$") < _MIN_LIKELY_SHARE:
        return None
    if _share(texts, "|".join(_DEFAULTS)) >= READABLE:
        return DateStyle(None)
    likely = [(format, pattern) for format, pattern in _formats() if _share(few, pattern) >= _MIN_LIKELY_SHARE]
    found = [(format, share) for format, pattern in likely if (share := _share(texts, pattern)) >= READABLE]
    if texts.height >= _MIN_COMPACT and (share := _share(texts, f"^{_COMPACT[0]}$")) >= READABLE:
        found.append((_COMPACT[1], share))
    return _likelier(found, texts) if found else None


def _number_form(texts: pl.DataFrame, called_date: bool, called_month: bool) -> str | None:
    """The form of bare numbers in a column that is called a date: 20210131, 202101, or the days of Excel."""
    forms = [_COMPACT, (_EXCEL, "excel_days")] if called_date else []
    forms += [(r"(19|20)[0-9]{2}(0[1-9]|1[0-2])", "%Y%m")] if called_month else []
    return next((form for pattern, form in forms if _share(texts, f"^({pattern})$") >= READABLE), None)


def _stated_share(texts: pl.DataFrame, stated: str) -> float:
    if stated in NAMED_FORMATS:
        return _share(texts, NAMED_FORMATS[stated])
    if not re.search("%[YymBb]", stated):
        return 0.0
    whole = "%d" in stated  # Polars reads no date without a day
    text, form = (pl.col("text"), stated) if whole else (pl.col("text") + " 01", f"{stated} %d")
    try:
        read = texts.filter(text.str.to_date(form, strict=False).is_not_null())
    except pl.exceptions.PolarsError:
        return 0.0
    return int(read["count"].sum()) / int(texts["count"].sum())


def day_first(format: str) -> bool | None:
    """Whether a format has the day before the month, both as numbers before the year; None for any other format.

    A year before them says nothing of how the same file writes a year behind them.
    """
    day, month = (format.find(code) for code in ("%d", "%m"))
    year = max(format.find(code) for code in ("%Y", "%y"))
    return None if min(day, month) < 0 or year < max(day, month) else day < month


def _formats() -> list[tuple[str, str]]:
    return [
        (format + time, f"^{base}{clock}$")
        for clock, time in _TIMES
        for base, format in _BASES
        if not time or format not in NAMED_FORMATS
    ]


def _likelier(found: list[tuple[str, float]], texts: pl.DataFrame) -> DateStyle:
    """Of day first and month first, the one with the larger share, then the one whose days are all the same."""
    best = max(share for _, share in found)
    equal = [form for form, share in found if share == best]
    for form in equal:
        place = 0 if form.startswith("%d") else 1
        parts = texts["text"].str.extract_all(r"[0-9]+")
        if form.startswith(("%d", "%m")) and parts.list.get(place, null_on_oob=True).n_unique() == 1:
            return DateStyle(form, _other_order(form, equal))
    return DateStyle(equal[0], _other_order(equal[0], equal))


def _other_order(form: str, equal: list[str]) -> str | None:
    swapped = form.translate(str.maketrans("dm", "md"))
    return swapped if swapped in equal and day_first(form) is not None else None


def _share(texts: pl.DataFrame, pattern: str) -> float:
    return int(texts.filter(pl.col("text").str.contains(pattern))["count"].sum()) / int(texts["count"].sum())
