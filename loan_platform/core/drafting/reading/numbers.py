"""Recognises the number format of a column of texts: decimal sign, thousands, currency and units."""

import re
from dataclasses import dataclass, field

import polars as pl

from loan_platform.core.book.column_types import BLANKS, NUMBER_FORMS
from loan_platform.core.book.sql import quote_literal
from loan_platform.core.drafting.reading.vocabulary import UNIT_WORDS

READABLE = 0.98  # of the stated texts; fewer, and the column is taken for text

_FORMATTED, _FORMATTED_COMMA = (
    pattern.replace(r"\d", "[0-9]")  # for Polars, digits of other scripts are digits too
    for pattern in (NUMBER_FORMS["file"].pattern, NUMBER_FORMS["file"].pattern_comma)
)
_POINT = rf"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?\s*%?$|{_FORMATTED}"
_COMMA = rf"^[-+]?([0-9]+,?[0-9]*|,[0-9]+)([eE][-+]?[0-9]+)?\s*%?$|{_FORMATTED_COMMA}"
_POINTS_OF_THOUSANDS = r"^[-+]?([1-9][0-9]{0,2}(\.[0-9]{3})+|[0-9]{1,3})$"
_APART = "[ '\u2019\u00a0\u202f]"
_PARTED = rf"^[-+]?[0-9]{{1,3}}({_APART}[0-9]{{3}})+([.,][0-9]+)?$"
_AROUND = re.compile(r"^([^0-9\s.,+-][^0-9.,+-]{0,11})?(\s*[-+]?[0-9.,][0-9.,\s]*?)(\s*[^0-9\s.,+-][^0-9+-]{0,11})?$")
_CURRENCIES = {
    "€": "EUR",
    "$": "USD",
    "£": "GBP",
    "¥": "JPY",
    "₹": "INR",
    "zł": "PLN",
    "kr": "SEK",
    "fr.": "CHF",
    "rs.": "INR",
}
_MAX_UNITS = 3
_MAX_TEXTS = 2_000


@dataclass(frozen=True)
class NumberStyle:
    """How numbers are written.

    Attributes:
        decimal: `,` or None for the point.
        around: what stands beside the digits in most texts, such as `€` or `months`.
        parted: thousands are parted by blanks or apostrophes.
        share: of the texts that this style reads.
        certain: the decimal sign is evident from these texts alone.
    """

    decimal: str | None
    share: float
    certain: bool
    around: tuple[str, ...] = field(default=())
    parted: bool = False

    def sql(self, raw: str) -> str | None:
        """DuckDB SQL that leaves the number of the raw column, given as SQL; None where nothing is to be taken away."""
        text = raw
        if self.around:
            words = "|".join(re.escape(word) for word in sorted(self.around, key=lambda w: (-len(w), w)))
            text = f"trim(regexp_replace({text}, {quote_literal(f'^({words})|({words})$')}, '', 'gi'))"
        if self.parted:
            text = f"regexp_replace({text}, {quote_literal(_APART)}, '', 'g')"
        return None if text == raw else text


def number_style(texts: pl.DataFrame, file_decimal: str | None = None) -> NumberStyle | None:
    """The style that reads nearly all texts, or None.

    Args:
        texts: columns `text` (trimmed, distinct) and `count`.
        file_decimal: the decimal sign that other columns of the file show, for texts that either sign reads.
    """
    if style := _style(texts, (), parted=False, file_decimal=file_decimal):
        return style
    around = _units(texts)
    bare = texts.with_columns(_without(around)) if around else texts
    if around and (style := _style(bare, around, parted=False, file_decimal=file_decimal)):
        return style
    if _share(bare, rf"{_PARTED}|{_POINT}|{_COMMA}") >= READABLE and _share(bare, _PARTED) > 0:
        closed = bare.with_columns(pl.col("text").str.replace_all(_APART, ""))
        return _style(closed, around, parted=True, file_decimal=file_decimal)
    return None


def as_numbers(style: NumberStyle) -> pl.Expr:
    """The numbers of the column `text`, written in this style; null for other texts."""
    text = _without(style.around) if style.around else pl.col("text")
    thousands = r"\." if style.decimal else ","
    bare = text.str.replace_all(rf"[$%'\u2019\s]|{thousands}", "").str.replace(",", ".", literal=True)
    size = bare.str.replace_all(r"[()]|-$", "").cast(pl.Float64, strict=False)
    return pl.when(bare.str.contains(r"^\(.*\)$|-$")).then(-size).otherwise(size)


def _style(texts: pl.DataFrame, around: tuple[str, ...], parted: bool, file_decimal: str | None) -> NumberStyle | None:
    point, comma = _share(texts, _POINT), _share(texts, _COMMA)
    if max(point, comma) < READABLE:
        return None
    if min(point, comma) < READABLE:
        decimal = "," if comma > point else None
        return NumberStyle(decimal, max(point, comma), True, around, parted)
    signs = texts["text"].str.contains(r"[.,]").any()
    decimal = "," if signs and (file_decimal == "," or (file_decimal is None and _thousands(texts))) else None
    if point != comma and file_decimal is None:
        decimal = "," if comma > point else None
    return NumberStyle(decimal, comma if decimal else point, False, around, parted)


def _thousands(texts: pl.DataFrame) -> bool:
    """Every point stands before three digits, and no number of four digits is without one."""
    grouped = texts["text"].str.contains(_POINTS_OF_THOUSANDS)
    return bool(grouped.all() and texts["text"].str.contains(".", literal=True).any())


def _share(texts: pl.DataFrame, pattern: str) -> float:
    total = int(texts["count"].sum())
    return int(texts.filter(pl.col("text").str.contains(pattern))["count"].sum()) / total if total else 0.0


def _units(texts: pl.DataFrame) -> tuple[str, ...]:
    """What stands around the digits of the commonest texts, where it is nearly always the same few words."""
    words: dict[str, int] = {}
    total = 0
    for text, count in (
        texts.sort("count", "text", descending=True).head(_MAX_TEXTS).select("text", "count").iter_rows()
    ):
        match = _AROUND.match(text)
        if match is None or not re.search(r"[0-9]", match[2]):
            continue
        total += count
        for word in (match[1], match[3]):
            if word and word.strip(" %.") and not re.search(r"[0-9]", word):
                words[word.strip().lower()] = words.get(word.strip().lower(), 0) + count
    common = sorted(words, key=lambda word: (-words[word], word))
    if not common or len(common) > _MAX_UNITS or words[common[0]] < total / 2 or not all(map(find_unit, common)):
        return ()  # letters of a code, or thousands written as `k`, are part of the value
    return tuple(common)


def _without(around: tuple[str, ...]) -> pl.Expr:
    words = "|".join(re.escape(word) for word in sorted(around, key=lambda w: (-len(w), w)))
    return pl.col("text").str.replace_all(rf"(?i)^({words})|({words})$", "").str.strip_chars(BLANKS)


def find_unit(word: str) -> str | None:
    """The unit that a word or sign beside a number stands for: months, EUR; None for any other."""
    return _CURRENCIES.get(word) or UNIT_WORDS.get(word)
