"""Dates in forms that strptime does not have, and times with a fraction or an offset."""

from datetime import date

import duckdb
import pytest

from loan_platform.core.book.date_formats import NAMED_FORMATS, format_issue
from loan_platform.core.staging.dates import written_date
from loan_platform_tests.support.small_books.one_column import staged, table_of

DAY = date(2023, 1, 5)
TIMES = [
    *("2023-01-05T10:15:30.000Z", "2023-01-05T10:15:30.123", "2023-01-05T23:59:59.999999999-08:00"),
    *("2023-01-05T00:30:00+0200", "2023-01-05T10:15", "2023-01-05 10:15:30+08", "2023-01-05 10:15:30 UTC"),
]
NO_TIMES = [
    *("2023-02-30T10:15:30.000+01:00", "1023-01-05T10:15:30+01:00", "2023-01-05T10", "2023-01-05 99:99"),
    *("2023-01-05T24:15:00Z", "2023-01-05T10:60:00Z", "2023-01-05T10:15:61Z", "2023-01-05T10:15:00+25:00"),
]
FORMS: dict[str, dict[str, date | str]] = {
    "excel_days": {"44931": DAY, "44931.0": DAY, " 44931.75 ": DAY, "61": date(1900, 3, 1)},
    "excel_days_1904": {"43469": DAY, "43469.5": DAY, "00": date(1904, 1, 1)},
    "year_quarter": {"2023Q1": date(2023, 1, 1), "2023-q4": date(2023, 10, 1), "Q2 2023": date(2023, 4, 1)},
    "iso_week": {"2022-W05": date(2022, 1, 31), "2022W05-3": date(2022, 2, 2), "2020-W53": date(2020, 12, 28)},
    "%Y%m": {"202101": date(2021, 1, 1)},
    "%Y%m%d": {"20210105": date(2021, 1, 5), " 20210105 ": date(2021, 1, 5)},
    "%d%m%Y %H%M": {"05012023 0930": DAY},
    "%d.%m.%y": {
        "5.1.23": DAY,
        "5.1.2023": DAY,
        "05.01.2023": DAY,
        "05.01.2035": date(2035, 1, 5),
        "05.01.35": date(1935, 1, 5),
    },
    "%y%m": {"2301": date(2023, 1, 1), "203501": date(2035, 1, 1)},
    "%d%b%Y": {"05JAN2021": date(2021, 1, 5), "5Jan2021": date(2021, 1, 5)},
}
NONE = {
    "excel_days": ["60", "2021-01-05", "1e5", "-44931", "999999", "73,051", "44931,75"],
    "year_quarter": ["2023Q5", "2023", "Q12023Q", "20231"],
    "iso_week": ["2021-W53", "2022-W00", "2022-05", "2022-W05-9"],
    "%Y%m": ["202113", "2021", "20210115", "20211", "2021015"],
    "%Y%m%d": ["2021115", "202111"],
    "%d%m%Y %H%M": ["1012021 1030", "01012021 930", "0101202 1030"],
}


@pytest.mark.parametrize("text", TIMES)
def test_the_day_of_a_time_is_read_as_it_is_written(text: str) -> None:
    assert staged(table_of(type="date"), [text]) == [DAY]


@pytest.mark.parametrize("text", NO_TIMES)
def test_a_time_of_no_day_is_no_date(text: str) -> None:
    assert staged(table_of(type="date"), [text]) == ["unparseable"]


@pytest.mark.parametrize("form", FORMS)
def test_dates_in_the_form_of_the_contract(form: str) -> None:
    assert format_issue(form) is None
    assert staged(table_of(type="date", date_format=form), [*FORMS[form]]) == [*FORMS[form].values()]


@pytest.mark.parametrize("form", NONE)
def test_texts_of_another_form_are_no_dates(form: str) -> None:
    assert staged(table_of(type="date", date_format=form), NONE[form]) == ["unparseable"] * len(NONE[form])


@pytest.mark.parametrize("form", [*NAMED_FORMATS, *FORMS, "%b-%y", "%y/%m/%d %H:%M", "%d of %B %Y, %%y", "%Y'%m"])
@pytest.mark.parametrize("day", [date(1935, 3, 4), date(2023, 1, 2), date(2035, 3, 4), date(2099, 12, 31)])
def test_a_typed_date_is_written_in_the_form(form: str, day: date) -> None:
    written = written_date(form, f"DATE '{day}'")
    ((text,),) = duckdb.execute(f"SELECT {written}").fetchall()
    if form == "year_quarter":
        day = date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
    elif form not in NAMED_FORMATS and "%d" not in form:
        day = day.replace(day=1)
    assert staged(table_of(type="date", date_format=form), [text]) == [day]
