"""DuckDB SQL of dates that no strptime format reads, and of typed dates as text."""

from loan_platform.core.book.date_formats import EXCEL_DAYS, ISO_TIME, ISO_WEEK, YEAR_QUARTER

_EXCEL_START = "DATE '1899-12-30'"  # Excel counts a 29 February 1900 that was none, so earlier days are not read
_FIRST_EXCEL_DAY = 61


def read_named(form: str, text: str) -> str:
    """SQL of the date of a text in one of `NAMED_FORMATS`; null for other texts."""
    match form:
        case "excel_days":
            days = f"TRY_CAST({_part(text, EXCEL_DAYS, 1)} AS INTEGER)"
            return f"CASE WHEN {days} >= {_FIRST_EXCEL_DAY} THEN {_EXCEL_START} + {days} END"
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
    """SQL of a date or timestamp as text in a `date_format`."""
    match form:
        case "excel_days":
            return f"CAST(date_diff('day', {_EXCEL_START}, CAST({value} AS DATE)) AS VARCHAR)"
        case "year_quarter":
            return f"year({value}) || 'Q' || quarter({value})"
        case "iso_week":
            return f"strftime(CAST({value} AS TIMESTAMP), '%G-W%V-%u')"
        case _:
            codes = form.replace("'", "''")
            return f"strftime(CAST({value} AS TIMESTAMP), '{codes}')"


def _part(text: str, pattern: str, group: int) -> str:
    return f"nullif(regexp_extract({text}, '{pattern}', {group}), '')"
