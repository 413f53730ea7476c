"""Dates in forms that strptime does not have, and times with a fraction or an offset."""

from datetime import date

import duckdb
import pytest

from loan_platform.core.book.date_formats import NAMED_FORMATS, format_issue
from loan_platform.core.staging.dates import written_date
from loan_platform_tests.support.one_column import staged, table_of

DAY = date(2023, 1, 5)
TIMES = [
    *("2023-01-05T10:15:30.000Z", "2023-01-05T10:15:30.123", "2023-01-05T23:59:59.999999999-08:00"),
    *("2023-01-05T00:30:00+0200", "2023-01-05T10:15", "2023-01-05 10:15:30+08", "2023-01-05 10:15:30 UTC"),
]
FORMS: dict[str, dict[str, date | str]] = {
    "excel_days": {"44931": DAY, "44931.0": DAY, " 44931.75 ": DAY, "61": date(1900, 3, 1)},
    "year_quarter": {"2023Q1": date(2023, 1, 1), "2023-q4": date(2023, 10, 1), "Q2 2023": date(2023, 4, 1)},
    "iso_week": {"2022-W05": date(2022, 1, 31), "2022W05-3": date(2022, 2, 2), "2020-W53": date(2020, 12, 28)},
    "%Y%m": {"202101": date(2021, 1, 1)},
    "%d%b%Y": {"05JAN2021": date(2021, 1, 5), "5Jan2021": date(2021, 1, 5)},
}
NONE = {
    "excel_days": ["60", "2021-01-05", "1e5", "-44931", "999999"],
    "year_quarter": ["2023Q5", "2023", "Q12023Q", "20231"],
    "iso_week": ["2021-W53", "2022-W00", "2022-05", "2022-W05-9"],
    "%Y%m": ["202113", "2021", "20210115"],
}


@pytest.mark.parametrize("text", TIMES)
def test_the_day_of_a_time_is_read_as_it_is_written(text: str) -> None:
    assert staged(table_of(type="date"), [text]) == [DAY]


@pytest.mark.parametrize("text", ["2023-02-30T10:15:30.000+01:00", "1023-01-05T10:15:30+01:00", "2023-01-05T10"])
def test_a_time_of_no_day_is_no_date(text: str) -> None:
    assert staged(table_of(type="date"), [text]) == ["unparseable"]


@pytest.mark.parametrize("form", FORMS)
def test_dates_in_the_form_of_the_contract(form: str) -> None:
    assert format_issue(form) is None
    assert staged(table_of(type="date", date_format=form), [*FORMS[form]]) == [*FORMS[form].values()]


@pytest.mark.parametrize("form", NONE)
def test_texts_of_another_form_are_no_dates(form: str) -> None:
    assert staged(table_of(type="date", date_format=form), NONE[form]) == ["unparseable"] * len(NONE[form])


@pytest.mark.parametrize("form", NAMED_FORMATS)
def test_a_typed_date_is_written_in_the_form(form: str) -> None:
    query = written_date(form, "DATE '2023-01-02'")
    text = duckdb.execute(f"SELECT {query}").fetchall()[0][0]
    first = date(2023, 1, 1) if form == "year_quarter" else date(2023, 1, 2)
    assert staged(table_of(type="date", date_format=form), [text]) == [first]
