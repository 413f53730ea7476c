"""What texts are taken for, and by which name."""

from collections import Counter

import polars as pl
import pytest

from loan_platform.core.drafting.judging.ranges import drafted_range
from loan_platform.core.drafting.judging.roles import is_protected, sounds_later
from loan_platform.core.drafting.reading.names import TAKEN, identifiers, split_words
from loan_platform.core.drafting.reading.readings import Reading, Stated, readings
from loan_platform.core.drafting.reading.survey import survey


def read(**columns: list[str]) -> dict[str, Reading]:
    tables = {
        name: pl.DataFrame(
            list(Counter(text.strip() for text in texts).items()),
            schema={"text": pl.String, "count": pl.Int64},
            orient="row",
        )
        for name, texts in columns.items()
    }
    return readings(tables, {name: split_words(name) for name in columns})


@pytest.mark.parametrize(
    ("name", "texts", "kind", "decimal", "sql"),
    [
        ("x", ["1", "-2", "3"], "integer", None, None),
        ("x", ["1.5", "2"], "number", None, None),
        ("x", ["1,234.50", "$3"], "number", None, None),
        ("x", ["1.234,56", "12,5"], "number", ",", None),
        ("x", ["1.234", "12.500", "900"], "integer", ",", None),
        ("x", ["0.123", "0.500"], "number", None, None),
        ("x", ["1.234", "5678"], "number", None, None),
        ("x", ["1,234", "900"], "integer", None, None),
        ("x", ["1,23,456", "12,34,567.50"], "number", None, None),
        ("x", ["(62,898.65)", "9,271.26"], "number", None, None),
        ("x", ["62,898.65-", "($5)"], "number", None, None),
        ("x", ["(1.234,56)", "12,5-"], "number", ",", None),
        ("x", ["7.5%", "3 %"], "percent", None, None),
        ("int_rate", ["0.1122", "0.05"], "percent", None, None),
        ("x", ["€ 1.234,50", "€ 3,20"], "number", ",", "trim(regexp_replace(r, '^(€)|(€)$', '', 'gi'))"),
        ("x", ["36 months", "60 months"], "integer", None, "trim(regexp_replace(r, '^(months)|(months)$', '', 'gi'))"),
        ("x", ["1 234,50", "12 000,00"], "number", ",", "regexp_replace(r, '[ ''\u2019\u00a0\u202f]', '', 'g')"),
        ("x", ["A1", "A2", "B1"], "text", None, None),
        ("x", ["10k", "20k"], "text", None, None),
        ("x", ["10+ years", "< 1 year"], "text", None, None),
        ("x", ["12.5", "12,5", "1", "2"], "text", None, None),
        ("x", ["\u0661\u0662", "\u0663"], "text", None, None),
        ("x", ["yes", "No"], "boolean", None, None),
        ("employed", ["0", "1"], "boolean", None, None),
        ("num_cards", ["0", "1"], "integer", None, None),
    ],
)
def test_numbers_and_words(name: str, texts: list[str], kind: str, decimal: str | None, sql: str | None) -> None:
    found = read(**{name: texts})[name]
    assert found.type == kind
    if found.style is not None:
        assert (found.style.decimal, found.style.sql("r")) == (decimal, sql)


@pytest.mark.parametrize(
    ("texts", "written_as"),
    [
        (["0.1122", "0.05", "0"], "fraction"),
        (["0.85", "0.4", "18.2"], "percent"),
        (["0.85%", "0.4%"], "percent"),
        (["0,31", "0,4"], "fraction"),
        (["0", "0.0"], "percent"),
    ],
)
def test_the_file_shows_how_percentages_are_written(texts: list[str], written_as: str) -> None:
    assert read(int_rate=texts)["int_rate"].written_as == written_as
    assert read(amount=texts)["amount"].written_as in (None, "percent")


def test_other_columns_decide_an_ambiguous_decimal_sign() -> None:
    assert read(a=["1.234", "2.000"], b=["0,5", "1,75"])["a"].type == "integer"
    found = read(a=["1.234", "5678"], b=["0,5", "1,75"])["a"]
    assert found.style is not None
    assert found.style.decimal == ","
    assert read(a=["1,234", "2,000"], b=["0.5", "1.75"])["a"].type == "integer"


@pytest.mark.parametrize(
    ("texts", "date_format"),
    [
        (["2015-03-01", "2016-12-31"], None),
        (["Mar-2015", "Dec-2016"], None),
        (["31.12.2015", "1.2.2016"], "%d.%m.%Y"),
        (["31/12/2015", "01/02/2016"], "%d/%m/%Y"),
        (["12/31/2015", "02/01/2016"], "%m/%d/%Y"),
        (["03/01/2015", "04/01/2015", "12/01/2016"], "%m/%d/%Y"),
        (["01/03/2015", "01/04/2015", "01/12/2016"], "%d/%m/%Y"),
        (["31.12.15", "01.02.16"], "%d.%m.%y"),
        (["31.12.2015 13:05", "01.02.2016 00:00"], "%d.%m.%Y %H:%M"),
        (["12/2015", "02/2016"], "%m/%Y"),
        ([f"201501{day}" for day in range(10, 31)], "%Y%m%d"),
    ],
)
def test_dates(texts: list[str], date_format: str | None) -> None:
    found = read(x=texts)["x"]
    assert (found.type, found.date_format) == ("date", date_format)


@pytest.mark.parametrize("year_first", ["2021.03.31", "20210331"])
def test_a_year_first_says_nothing_of_day_or_month_first(year_first: str) -> None:
    undecided = ["03/04/2021", "05/06/2021", "07/04/2021"]
    found = read(a_date=[year_first, year_first.replace("2021", "2022")], b_date=undecided)
    assert found["b_date"] == read(b_date=undecided)["b_date"]
    assert "do not decide whether day or month" in found["b_date"].doubts[0]


@pytest.mark.parametrize("dates", [["2021-03-31"], ["31.12.2021"], ["202101"]])
def test_words_with_a_few_dates_among_them_are_no_dates(dates: list[str]) -> None:
    texts = [*["phone"] * 60, *["branch"] * 38, *dates * 2]
    assert read(contacted=texts)["contacted"].type == "text"
    assert read(contact_date=texts)["contact_date"].unread_date


def test_marks_of_missing_values_are_no_values() -> None:
    assert read(x=["1", "nan", "2", "-"])["x"] == read(x=["1", "2"])["x"].__class__(
        type="integer", style=read(x=["1", "2"])["x"].style, markers=("-", "nan")
    )


def test_names_are_identifiers_and_differ() -> None:
    found = identifiers(
        ["Größe (m²)", "größe m2", "order", "Target", "1st", "%", "借款", "", "a" * 90, "a" * 90 + "b", "blend"]
    )
    assert list(found.values())[:7] == [
        "groesse_m2",
        "groesse_m2_2",
        "order_value",
        "target_value",
        "column_1st",
        "pct",
        "column",
    ]
    assert len(set(found.values())) == 11
    assert all(len(name) <= 63 for name in found.values())
    assert not set(found.values()) & TAKEN


@pytest.mark.parametrize(
    ("name", "later"),
    [
        ("recoveries", True),
        ("total_rec_prncp", True),
        ("last_pymnt_d", True),
        ("Days past due", True),
        ("collections_12_mths_ex_med", False),
        ("mths_since_last_delinq", False),
        ("number_of_late_payments", False),
        ("monthly_payment", False),
        ("pay_amt1", False),
        ("annual_income", False),
    ],
)
def test_names_of_what_comes_after(name: str, later: bool) -> None:
    column = survey(pl.DataFrame({name: ["1", "2"]}), {name: name})[name]
    assert (sounds_later(column) is not None) == later


@pytest.mark.parametrize(
    ("name", "protected"),
    [
        ("SEX", True),
        ("Date of birth", True),
        ("Marital Status", True),
        ("ageGroup", True),
        ("Geschlecht", True),
        ("mortgage", False),
        ("age of oldest account", False),
        ("Essex", False),
        ("language", False),
    ],
)
def test_protected_names_are_whole_words(name: str, protected: bool) -> None:
    column = survey(pl.DataFrame({name: ["1", "2"]}), {name: name})[name]
    assert (is_protected(column) is not None) == protected


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [(0, 10, (0, 50)), (3, 850, (0, 5000)), (-2, 8, (-10, 50)), (0, 0, (0, 1)), (-5, -1, (-50, 1))],
)
def test_ranges_leave_a_margin(low: float, high: float, wanted: tuple[float, float]) -> None:
    assert drafted_range(low, high) == wanted
    assert drafted_range(0, 99.5, is_percent=True) == (0, 100)


def test_points_are_decimal_in_a_file_parted_by_commas() -> None:
    tables = {"ratio": pl.DataFrame({"text": ["1.987", "2.453"], "count": [5, 4]})}
    parted = readings(tables, {"ratio": ("ratio",)}, Stated(points=True))["ratio"]
    assert parted.style is not None
    assert (parted.type, parted.style.decimal, parted.doubts) == ("number", None, ())
    other = readings(tables, {"ratio": ("ratio",)})["ratio"]
    assert other.doubts == (
        "The values do not decide what 1.987 means. It is read as a number with thousands. If that is wrong, change "
        "`decimal`",
    )


@pytest.mark.parametrize("signs", [{"a": ["12,53"], "b": ["12.53"]}, {"a": ["12,53"]}])
def test_points_leave_a_doubt_beside_decimal_commas(signs: dict[str, list[str]]) -> None:
    columns = signs | {"c": ["1.234", "2.345"]}
    tables = {name: pl.DataFrame({"text": texts, "count": [3] * len(texts)}) for name, texts in columns.items()}
    found = readings(tables, {name: (name,) for name in columns}, Stated(points=True))["c"]
    assert "The values do not decide what 1.234 means" in found.doubts[0]


def test_a_number_that_other_columns_decide_is_told() -> None:
    found = read(a=["1,234", "2,500"], b=["0,5", "1,75"])
    assert "It is read as a number with decimals" in found["a"].doubts[0]
    assert found["b"].doubts == ()


def test_percent_signs_beside_fractions_are_a_percent_column() -> None:
    counts = {f"0.{n}": 10 for n in range(11, 60)} | {f"{n}%": 5 for n in range(11, 40)}
    table = pl.DataFrame(list(counts.items()), schema=["text", "count"], orient="row")
    found = readings({"ltv": table}, {"ltv": ("ltv",)})["ltv"]
    assert (found.type, found.written_as) == ("percent", "fraction")


@pytest.mark.parametrize(("unit", "told"), [(1, "to_timestamp"), (1000, "epoch_ms")])
def test_unix_times_are_told(unit: int, told: str) -> None:
    found = read(created_at=[str((1_609_459_200 + 86_400 * n) * unit) for n in range(9)])["created_at"]
    assert found.type == "integer"
    assert (
        f"look like Unix times, and are read as numbers. If they are, set `type: date` and use {told}"
        in found.doubts[0]
    )
