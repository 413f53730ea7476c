"""Recognises the type and format of the texts of a raw column."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from loan_platform.core.drafting.reading.dates import DateStyle, date_style, day_first
from loan_platform.core.drafting.reading.numbers import NumberStyle, number_style
from loan_platform.core.drafting.reading.special_codes import SpecialCode, special_codes
from loan_platform.core.drafting.reading.vocabulary import (
    CODE_WORDS,
    COUNT_WORDS,
    PERCENT_WORDS,
    PLACE,
    Words,
    find_phrase,
    is_called_date,
    word_set,
)
from loan_platform.core.staging.unit_evidence import SHARE

Type = Literal["number", "integer", "percent", "boolean", "date", "text"]

TRUE, FALSE = frozenset({"y", "yes", "true", "t"}), frozenset({"n", "no", "false", "f"})
MIN_SIGNED = 0.01  # of the rows have a % sign; fewer are slips
DIGITS = frozenset({"0", "1", "0.0", "1.0"})
# Texts that mean a missing value in columns of numbers and dates.
MARKERS = word_set(
    "nan - -- --- ? . .. missing unknown n.a. na none null nil (blank) blank not_available inf -inf #div/0! #value! "
    "#ref! unbekannt k.a. s/d nd n.d. nc <na> nat"
)


@dataclass(frozen=True)
class Reading:
    """How a raw column is read.

    Attributes:
        type: of the contract's column.
        style: of numbers.
        date_format: of dates; None for the platform's own formats.
        markers: texts, as they are written, that mean a missing value and are in no contract yet.
        sign: a percent sign or a dollar stands in the texts.
        written_as: how percentages are written; None for other types.
        unread_date: the column is called a date, and its texts are none.
        doubts: what the texts do not decide, as sentences for the user.
        codes: numbers that stand for a kind of missing value.
    """

    type: Type
    style: NumberStyle | None = None
    date_format: str | None = None
    markers: tuple[str, ...] = ()
    sign: str | None = None
    written_as: Literal["percent", "fraction"] | None = None
    unread_date: bool = False
    doubts: tuple[str, ...] = ()
    codes: tuple[SpecialCode, ...] = ()

    @property
    def no_values(self) -> tuple[str, ...]:
        """Texts that mean a missing value, codes among them."""
        return (*self.markers, *(text for code in self.codes for text in code.texts))


@dataclass(frozen=True)
class Stated:
    """What is known of a file beside its texts.

    Attributes:
        date: the raw column that the user names as the date of the decision.
        date_format: that the user states.
        points: numbers have decimal points unless a column shows a decimal comma, as in a file parted by commas.
        rows: of the file, where only a sample of them is looked at; 0: those of the texts.
    """

    date: str | None = None
    date_format: str | None = None
    points: bool = False
    rows: int = 0


NOTHING_STATED = Stated()


def readings(
    texts: Mapping[str, pl.DataFrame], words: Mapping[str, Words], stated: Stated = NOTHING_STATED
) -> dict[str, Reading]:
    """The reading of each column.

    Args:
        texts: for each column its distinct trimmed texts, columns `text` and `count`.
        words: the words of each column's name.
        stated: what is known beside the texts.
    """
    parted = {name: _without_markers(table) for name, table in texts.items()}
    bare = {name: values for name, (values, _) in parted.items()}
    styles = {name: number_style(values) for name, values in bare.items()}
    dates = _dates(bare, words, stated)
    signs = {style.decimal or "." for style in styles.values() if style and style.certain}
    file = _File(
        decimal=next(iter(signs)) if len(signs) == 1 else "." if stated.points else None,
        points=stated.points and "," not in signs,
    )
    return {name: _reading(_Texts(*parted[name]), words[name], styles[name], dates[name], file) for name in texts}


@dataclass(frozen=True)
class _Texts:
    """The texts of a column that state a value, and those that mean a missing one."""

    stated: pl.DataFrame
    markers: tuple[str, ...]


@dataclass(frozen=True)
class _File:
    """What the columns of a file show together.

    Attributes:
        decimal: the sign for texts that either sign reads; None where nothing shows it.
        points: no column contradicts decimal points, so texts such as 1.234 leave no doubt.
    """

    decimal: str | None
    points: bool


def _dates(bare: Mapping[str, pl.DataFrame], words: Mapping[str, Words], stated: Stated) -> dict[str, DateStyle | None]:
    """The date style of each column. Day or month first is that of the other columns, if they show one of the two."""
    found = {
        name: date_style(values, words[name], stated.date_format, name == stated.date) if values.height else None
        for name, values in bare.items()
    }
    orders = {day_first(style.format) for style in found.values() if style and style.format and style.other is None}
    certain = orders - {None}
    if len(certain) != 1:
        return found
    first = certain.pop()
    for name, style in found.items():
        if style and style.format and style.other:
            found[name] = DateStyle(style.format if day_first(style.format) == first else style.other)
    return found


def _without_markers(texts: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    mark = pl.col("text").str.to_lowercase().is_in(list(MARKERS))
    return texts.filter(~mark), tuple(sorted(texts.filter(mark)["text"].to_list()))


def _reading(texts: _Texts, words: Words, style: NumberStyle | None, dates: DateStyle | None, file: _File) -> Reading:
    stated, markers = texts.stated, texts.markers
    if not markers and stated.height <= 4 and _is_boolean(set(stated["text"].str.to_lowercase().to_list()), words):
        return Reading("boolean")
    if dates is not None:
        return Reading("date", date_format=dates.format, markers=markers, doubts=_date_doubts(dates))
    unread = stated.height > 0 and is_called_date(words)
    if style is None:
        return Reading("text", unread_date=unread)
    if not style.certain:
        style = number_style(stated, file.decimal) or style
    doubts = () if style.certain or file.points else _number_doubts(stated, style)
    is_label = set(words) & CODE_WORDS or find_phrase(words, PLACE)
    codes = () if is_label else special_codes(stated, style)
    values = stated.filter(~pl.col("text").is_in([text for code in codes for text in code.texts])) if codes else stated
    if codes and values.height <= 4 and _is_boolean(set(values["text"].to_list()), words):
        return Reading("boolean", markers=markers, codes=codes)
    kind = _number_type(values, words, style)
    written = _percent_style(values, style) if kind == "percent" else None
    doubts += _unix_doubts(values) if kind == "integer" else ()
    return Reading(kind, style, None, markers, _sign(values), written, unread, doubts, codes)


def _date_doubts(dates: DateStyle) -> tuple[str, ...]:
    if dates.other is None:
        return ()
    return (
        f"The values do not decide whether day or month is first. They are read as {dates.format}. If that is wrong, "
        f"draft the book again with DATE_FORMAT={dates.other}",
    )


def _number_doubts(stated: pl.DataFrame, style: NumberStyle) -> tuple[str, ...]:
    """A sentence if a text such as 1.234 may be a number with decimals or with thousands."""
    odd = stated.filter(pl.col("text").str.contains(r"^[^0-9]*[0-9]{1,3}[.,][0-9]{3}[^0-9]*$"))
    if not odd.height:
        return ()
    text = str(odd["text"][0])
    is_decimal = ("," in text) == (style.decimal == ",")
    meant = "a number with decimals" if is_decimal else "a number with thousands"
    return (f"The values do not decide what {text} means. It is read as {meant}. If that is wrong, change `decimal`",)


def _is_boolean(low: set[str], words: Words) -> bool:
    if low <= TRUE | FALSE and low & TRUE and low & FALSE:
        return True
    both = bool(low & {"0", "0.0"}) and bool(low & {"1", "1.0"})
    return low <= DIGITS and both and not set(words) & COUNT_WORDS


def _unix_doubts(values: pl.DataFrame) -> tuple[str, ...]:
    """A sentence if all numbers are seconds or milliseconds from 1970 to a time between 2001 and 2036."""
    number = values["text"].cast(pl.Float64, strict=False)
    for unit, sql in ((1e9, "to_timestamp"), (1e12, "epoch_ms")):
        if len(number) > 2 and (number.is_between(unit, 2.1 * unit)).all() and not number.has_nulls():
            return (
                "The values look like Unix times, and are read as numbers. If they are, set `type: date` and use "
                f"{sql} in `sql`",
            )
    return ()


def _number_type(stated: pl.DataFrame, words: Words, style: NumberStyle) -> Type:
    signed = stated.filter(pl.col("text").str.contains("%", literal=True))
    if (
        int(signed["count"].sum()) >= MIN_SIGNED * int(stated["count"].sum())
        or set(words) & PERCENT_WORDS
        or {"interest", "rate"} <= set(words)
        or {"int", "rate"} <= set(words)
    ):
        return "percent"
    if style.parted or style.around:
        return "number" if stated["text"].str.contains(r"[0-9][.,][0-9]{1,2}(\D|$)").any() else "integer"
    sign = "," if style.decimal == "," else r"\."
    parts = stated["text"].str.contains(rf"{sign}0*[1-9]|[0-9][eE][-+]?[0-9]|[0-9]{{16}}")
    return "number" if parts.any() else "integer"


def _percent_style(stated: pl.DataFrame, style: NumberStyle) -> Literal["percent", "fraction"]:
    """Fractions if nearly all numbers without % sign, zeros apart, are at most 1 in size."""
    text = pl.col("text").str.replace(",", ".", literal=True) if style.decimal else pl.col("text")
    size = text.cast(pl.Float64, strict=False).abs()
    numbers = stated.filter(size > 0)
    small = numbers.filter(size <= 1)
    enough = int(small["count"].sum()) >= SHARE * int(numbers["count"].sum())
    return "fraction" if small.height and enough else "percent"


def _sign(stated: pl.DataFrame) -> str | None:
    for sign in ("%", "$"):
        if stated["text"].str.contains(sign, literal=True).sum() > stated.height / 2:
            return sign
    return None
