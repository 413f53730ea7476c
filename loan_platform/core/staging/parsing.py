"""DuckDB SQL that turns the text of a column into a typed value, or null where the text is not of the type.

What each type accepts stands in `core/book/column_types.py`, reader `file`.
"""

from datetime import timedelta

from loan_platform.core.book.column_types import (
    BLANKS,
    BOOLEAN_FORMS,
    DATE_FORMS,
    FIRST_DATE,
    INTEGER_FORMS,
    LAST_DATE,
    NEGATIVE,
    NUMBER_FORMS,
    spelling,
)
from loan_platform.core.book.parts.columns import Column
from loan_platform.core.book.sql import quote_literal
from loan_platform.core.staging.dates import read_date, read_iso_time, read_strptime

_NUMBER, _INTEGER = NUMBER_FORMS["file"], INTEGER_FORMS["file"]
_BOOLEAN, _DATE = BOOLEAN_FORMS["file"], DATE_FORMS["file"]
_ENDS = f"^[{BLANKS}]|[{BLANKS}]$"


def first_try_sql(column: Column, text: str) -> str:
    """SQL of one fast cast that reads nearly every text of the column; null for the others."""
    match column.type:
        case "number" | "integer":
            return plain_number_sql(column, text)
        case "percent":
            return plain_number_sql(column, f"rtrim({text}, '% ')")
        case "date" if column.date_format is not None:
            return read_date(column.date_format, text)
        case "date":
            return read_strptime(text, _DATE.formats)
        case _:
            return text


def plain_number_sql(column: Column, text: str) -> str:
    """SQL of a number without thousands separators and signs, in the column's decimal sign; null for other texts."""
    # DuckDB reads `1_000`, which may be a code.
    if column.decimal is None:
        return f"CASE WHEN NOT contains({text}, '_') THEN TRY_CAST({text} AS DOUBLE) END"
    # In such a column a point can only separate thousands, which the first try does not read.
    plain = f"NOT contains({text}, '.') AND NOT contains({text}, '_')"
    return f"CASE WHEN {plain} THEN TRY_CAST(replace({text}, ',', '.') AS DOUBLE) END"


def trims_own_text(column: Column) -> bool:
    """Whether `value_sql` cuts white space itself. For other types see `trimmed_again_sql`."""
    return column.type in ("text", "boolean")


def trimmed_again_sql(text: str, first: str) -> str:
    """SQL of the text, without white space around it where the first try failed.

    DuckDB's own casts cut ASCII white space only. Few texts fail, so the others cost nothing.
    """
    blank = f"{first} IS NULL AND regexp_matches({text}, {quote_literal(_ENDS)})"
    return f"CASE WHEN {blank} THEN {trimmed_sql(text)} ELSE {text} END"


def value_sql(column: Column, text: str, first: str, clean: bool, rare: bool = True) -> str:
    """SQL of the typed value, for `integer` of the number that `whole_sql` checks; null where the text is none.

    Args:
        column: of the contract.
        text: SQL of the text to parse.
        first: SQL of the result of `first_try_sql`.
        clean: `first` is known to be right for every text of the column.
        rare: also read texts that the first try does not read.
    """
    match column.type:
        case "text":
            return _category(column, text)
        case "boolean":
            return _boolean(text)
        case "date":
            return first if clean else _date(first, text, rare and column.date_format is None)
        case "integer":
            return first if clean else _number(column, first, text, clean, rare)
        case "number" | "percent":
            return _number(column, first, text, clean, rare)


def whole_sql(number: str, clean: bool) -> str:
    """SQL of a number as an integer; null for numbers with a fraction and too large ones."""
    if clean:
        return f"CAST({number} AS BIGINT)"
    whole = f"CASE WHEN {number} = trunc({number}) AND abs({number}) < {_INTEGER.largest:g} THEN {number} END"
    return f"CAST({whole} AS BIGINT)"


def trimmed_sql(text: str) -> str:
    """SQL of a text without white space (`BLANKS`) around it."""
    return f"regexp_replace({text}, {quote_literal(f'^[{BLANKS}]+|[{BLANKS}]+$')}, '', 'g')"


def _number(column: Column, first: str, text: str, clean: bool, rare: bool) -> str:
    value = _in_percent(column, first, text)
    if clean:
        return value
    others = ""
    if rare:
        formatted = _in_percent(column, _formatted(column, text), text)
        others = f" WHEN {first} IS NULL AND {text} IS NOT NULL THEN {formatted}"
    return f"CASE WHEN isfinite({first}) THEN {value}{others} END"


def _in_percent(column: Column, number: str, text: str) -> str:
    """The number in the unit of the column. Zero has no sign, so `-0` adds the same bits as `0`."""
    if column.written_as != "fraction":
        return f"({number} + 0.0)"
    # Rounded, so that 0.1122 becomes 11.22 and not 11.219999999999999.
    return f"(CASE WHEN contains({text}, '%') THEN {number} ELSE round({number} * 100, 10) END + 0.0)"


def _formatted(column: Column, text: str) -> str:
    if column.decimal is None:
        pattern, digits = _NUMBER.pattern, rf"regexp_replace({text}, '[$,%()\s]', '', 'g')"
    else:
        pattern, digits = _NUMBER.pattern_comma, rf"replace(regexp_replace({text}, '[$.%()\s]', '', 'g'), ',', '.')"
    size = f"TRY_CAST(rtrim({digits}, '-') AS DOUBLE)"
    value = f"CASE WHEN regexp_matches({text}, {quote_literal(NEGATIVE)}) THEN -{size} ELSE {size} END"
    return f"CASE WHEN regexp_matches({text}, {quote_literal(pattern)}) THEN {value} END"


def _boolean(text: str) -> str:
    word = f"lower({trimmed_sql(text)})"
    true, false = (_words(words) for words in (_BOOLEAN.true, _BOOLEAN.false))
    return f"CASE WHEN {word} IN ({true}) THEN true WHEN {word} IN ({false}) THEN false END"


def _date(first: str, text: str, rare: bool) -> str:
    # DuckDB reads `Jan-0000`, and reads `epoch` and `infinity` as 1900-01-01.
    sane = (
        f"{first} BETWEEN DATE '{FIRST_DATE + timedelta(days=1)}' AND DATE '{LAST_DATE}' "
        f"OR ({first} = DATE '{FIRST_DATE}' AND contains({text}, '{FIRST_DATE.year}'))"
    )
    others = f" WHEN {text} IS NOT NULL THEN coalesce({_short_date(text)}, {_iso_day(text)})" if rare else ""
    return f"CASE WHEN {sane} THEN {first}{others} END"


def _short_date(text: str) -> str:
    word = f"regexp_matches({text}, '[0-9]')"  # not `epoch`
    return f"CASE WHEN {word} THEN {read_strptime(text, _DATE.short_formats, short=True)} END"


def _iso_day(text: str) -> str:
    day = read_iso_time(text)
    return f"CASE WHEN {day} BETWEEN DATE '{FIRST_DATE}' AND DATE '{LAST_DATE}' THEN {day} END"


def _category(column: Column, text: str) -> str:
    """SQL of a category in the contract's spelling; case and spacing of the text do not matter."""
    if column.allowed is None:
        return text
    known = ", ".join(quote_literal(word) for word in column.allowed)
    cases = " ".join(f"WHEN {quote_literal(spelling(word))} THEN {quote_literal(word)}" for word in column.allowed)
    plain = f"regexp_replace(lower({trimmed_sql(text)}), {quote_literal(f'[{BLANKS}]+')}, ' ', 'g')"
    return f"CASE WHEN {text} IN ({known}) THEN {text} WHEN {text} IS NOT NULL THEN CASE {plain} {cases} END END"


def _words(texts: tuple[str, ...]) -> str:
    return ", ".join(quote_literal(text) for text in texts)
