"""The date of the decision, however a file writes it, and what is told where the values do not decide."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from loan_platform.core.drafting.judging.errors import DraftError
from loan_platform_tests.support.own_books import drafted

ROWS = 700
START = date(2021, 1, 1)
WRITTEN: dict[str, tuple[Callable[[date], str], str | None]] = {
    "iso_fraction": (lambda day: f"{day}T10:15:30.000Z", None),
    "iso_offset": (lambda day: f"{day}T23:30:00-05:00", None),
    "excel": (lambda day: str((day - date(1899, 12, 30)).days), "excel_days"),
    "compact": (lambda day: f"{day:%Y%m%d}", "%Y%m%d"),
    "month": (lambda day: f"{day:%Y%m}", "%Y%m"),
    "quarter": (lambda day: f"{day.year}Q{(day.month + 2) // 3}", "year_quarter"),
    "week": (lambda day: f"{day:%G-W%V}", "iso_week"),
    "sas": (lambda day: f"{day:%d%b%Y}".upper(), "%d%b%Y"),
}


def loans(path: Path, write: Callable[[date], str], name: str = "decision_date", more: str = "") -> Path:
    lines = [f"loan_id,{name},{more + ',' if more else ''}score,default"]
    for i in range(ROWS):
        day = START + timedelta(days=i)
        other = f"{day:%m/%d/%Y}," if more else ""
        lines.append(f"A{i:06},{write(day)},{other}{500 + i * 7919 % 200},{int(i * 31 % 10 == 0)}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_date_in_any_form_is_the_date_of_the_decision(tmp_path: Path, kind: str) -> None:
    write, form = WRITTEN[kind]
    source = loans(tmp_path / "loans.csv", write)
    found = drafted(source)
    assert (found.contract.event_date, found.contract.by_name["decision_date"].date_format) == ("decision_date", form)
    assert "out_of_time" in found.draft.policies.split.policy.kind
    assert found.staged(source).reasons == []


def test_typed_dates_of_parquet_are_dates(tmp_path: Path) -> None:
    source = tmp_path / "loans.parquet"
    frame = pl.read_csv(loans(tmp_path / "loans.csv", str), try_parse_dates=True)
    late = pl.col("decision_date").cast(pl.Datetime("us")) + pl.duration(hours=23)
    frame.with_columns(late.dt.replace_time_zone("America/New_York")).write_parquet(source)
    found = drafted(source)
    assert found.contract.event_date == "decision_date"
    assert found.staged(source).accepted["decision_date"].head(2).to_list() == [START, START + timedelta(days=1)]


def test_numbers_are_dates_only_in_a_column_called_so(tmp_path: Path) -> None:
    found = drafted(loans(tmp_path / "loans.csv", WRITTEN["excel"][0], name="income"))
    assert found.contract.event_date is None
    assert found.contract.by_name["income"].type == "integer"


def test_a_column_called_a_date_and_not_read_is_told(tmp_path: Path) -> None:
    found = drafted(loans(tmp_path / "loans.csv", lambda day: str(day.toordinal())))
    told = "called a date and not read; the split would be by hash"
    assert "decision_date" not in found.contract.by_name
    assert f"'decision_date' is {told}. State how it is written" in " ".join(found.screen.split())
    assert f"# 'decision_date': {told}." in found.text


def test_day_or_month_first_is_told_where_nothing_decides(tmp_path: Path) -> None:
    both = lambda day: f"{day.month:02}/{1 + day.day % 12:02}/{day.year}"  # noqa: E731
    source = loans(tmp_path / "loans.csv", both)
    found, told = drafted(source), "The values do not decide whether day or month is first"
    assert f"decision_date: {told}" in " ".join(found.screen.split())
    assert f"# {told}. They are read as %d/%m/%Y." in found.text
    stated = drafted(loans(tmp_path / "again.csv", both), date_format="%m/%d/%Y")
    assert stated.contract.by_name["decision_date"].date_format == "%m/%d/%Y"
    assert told not in stated.text + stated.screen


def test_another_column_decides_whether_the_day_is_first(tmp_path: Path) -> None:
    both = lambda day: f"{day.month:02}/{1 + day.day % 12:02}/{day.year}"  # noqa: E731
    found = drafted(loans(tmp_path / "loans.csv", both, more="contract_date"))
    assert found.contract.by_name["decision_date"].date_format == "%m/%d/%Y"
    assert "do not decide" not in found.text


def test_the_date_and_its_format_can_be_stated(tmp_path: Path) -> None:
    source = loans(tmp_path / "loans.csv", WRITTEN["month"][0], name="booking")
    assert drafted(source, date="booking", date_format="%Y%m").contract.event_date == "booking"
    other = loans(tmp_path / "other.csv", str, more="contract_date")
    assert drafted(other, date="contract_date").contract.event_date == "contract_date"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"date": "dcision_date"}, "DATE names 'dcision_date', which is no column of the file"),
        ({"date": "score"}, "DATE 'score' is not read as a date. State how it is written, such as DATE_FORMAT="),
        ({"date_format": "%d/%m/%Y"}, "DATE_FORMAT '%d/%m/%Y' reads no column"),
        ({"date_format": "%Q"}, "DATE_FORMAT: %Q is no part of a date"),
        ({"date_format": "weeks"}, "It may also be excel_days, excel_days_1904, year_quarter, iso_week"),
    ],
)
def test_a_wrong_date_or_format_is_refused(tmp_path: Path, asked: dict[str, str], told: str) -> None:
    with pytest.raises(DraftError) as refused:
        drafted(loans(tmp_path / "loans.csv", str), **asked)
    assert told in str(refused.value)
