"""DuckDB SQL of dates in the `date_format` of a column, and of typed dates as text."""

from loan_platform.core.book.column_types import LAST_SHORT_YEAR
from loan_platform.core.book.date_formats import (
    EXCEL_DAYS,
    ISO_TIME,
    ISO_WEEK,
    NAMED_FORMATS,
    YEAR_QUARTER,
    all_digits,
    with_century,
)
from loan_platform.core.book.sql import quote_literal

_FULL_YEAR = "(^|[^0-9])[0-9]{4}([^0-9]|$)"  # as in 5.1.2021, which strftime writes 05.01.2021
# Excel counts a 29 February 1900 that was none, so earlier days are not read.
_EXCEL = {"excel_days": ("DATE '1899-12-30'", 61), "excel_days_1904": ("DATE '1904-01-01'", 0)}  # start, first day


def read_date(form: str, text: str) -> str:
    """SQL of the date of a text in a `date_format`; null for other texts.

    In a format with `%y` the year may have four digits, as typed dates are written.
    """
    if form in NAMED_FORMATS:
        return _read_named(form, text)
    date = read_strptime(text, (form,), short=with_century(form) != form)
    if digits := all_digits(form):
        date = f"CASE WHEN regexp_matches({text}, {quote_literal(digits)}) THEN {date} END"
    if (full := with_century(form)) == form:
        return date
    whole = f"TRY_CAST(try_strptime({text}, {quote_literal(full)}) AS DATE)"
    as_written = f"lower(strftime({whole}, {quote_literal(full)})) = lower(trim({text}))"
    parted = f"(year({whole}) > 999 AND regexp_matches({text}, {quote_literal(_FULL_YEAR)}))"
    return f"coalesce({date}, CASE WHEN {parted} OR {as_written} THEN {whole} END)"


def read_strptime(text: str, formats: tuple[str, ...], short: bool = False) -> str:
    """SQL of the date of a text in the first of the strptime formats that reads it; null for other texts.

    Args:
        text: SQL of the text.
        formats: to try.
        short: the year has two digits, and is at most `LAST_SHORT_YEAR`.
    """
    date = f"TRY_CAST(try_strptime({text}, [{', '.join(map(quote_literal, formats))}]) AS DATE)"
    if not short:
        return date
    century = f"CASE WHEN year({date}) > {LAST_SHORT_YEAR} THEN 100 ELSE 0 END"
    return f"CAST({date} - to_years({century}) AS DATE)"


def _read_named(form: str, text: str) -> str:
    match form:
        case "excel_days" | "excel_days_1904":
            start, first = _EXCEL[form]
            days = f"TRY_CAST({_part(text, EXCEL_DAYS, 1)} AS INTEGER)"
            return f"CASE WHEN {days} >= {first} THEN {start} + {days} END"
        case "year_quarter":
            year, quarter = (
                f"TRY_CAST(coalesce({', '.join(_part(text, YEAR_QUARTER, group) for group in groups)}) AS INTEGER)"
                for groups in ((1, 5), (2, 3, 4))
            )
            return f"TRY(make_date({year}, {quarter} * 3 - 2, 1))"
        case "iso_week":
            week = f"lpad({_part(text, ISO_WEEK, 2)}, 2, '0')"
            day = f"coalesce({_part(text, ISO_WEEK, 4)}, '1')"
            whole = f"{_part(text, ISO_WEEK, 1)} || '-W' || {week} || '-' || {day}"
            found = f"try_strptime({whole}, '%G-W%V-%u')"
            return f"CASE WHEN strftime({found}, '%G-W%V-%u') = {whole} THEN CAST({found} AS DATE) END"
        case _:
            raise ValueError(form)


def read_iso_time(text: str) -> str:
    """SQL of the day of an ISO 8601 time as it is written, whatever its fraction and offset; null for other texts."""
    return f"TRY_CAST({_part(text, ISO_TIME, 1)} AS DATE)"


def written_date(form: str, value: str) -> str:
    """SQL of a date or timestamp as text in a `date_format`, with all digits of the year."""
    match form:
        case "excel_days" | "excel_days_1904":
            return f"CAST(date_diff('day', {_EXCEL[form][0]}, CAST({value} AS DATE)) AS VARCHAR)"
        case "year_quarter":
            return f"year({value}) || 'Q' || quarter({value})"
        case "iso_week":
            return f"strftime(CAST({value} AS TIMESTAMP), '%G-W%V-%u')"
        case _:
            return f"strftime(CAST({value} AS TIMESTAMP), {quote_literal(with_century(form))})"


def _part(text: str, pattern: str, group: int) -> str:
    return f"nullif(regexp_extract({text}, '{pattern}', {group}), '')"
