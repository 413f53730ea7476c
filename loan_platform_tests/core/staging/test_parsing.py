"""Each type's parser: what it reads of a text, and what it refuses."""

from datetime import date

import pytest

from loan_platform_tests.support.small_books.one_column import staged, table_of


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12.0),
        (" 12.50 ", 12.5),
        ("-3", -3.0),
        ("1e3", 1000.0),
        ("$1,234,567.89", 1234567.89),
        ("$ 50", 50.0),
        ("-$5", -5.0),
        ("7%", 7.0),
        ("(62,898.65)", -62898.65),
        ("($ 5)", -5.0),
        ("62,898.65-", -62898.65),
        ("1,23,456", 123456.0),
        ("12,34,567.5", 1234567.5),
        ("-(5)", "unparseable"),
        ("(5", "unparseable"),
        ("-5-", "unparseable"),
        ("123,45,678", "unparseable"),
        ("NA", None),
        (" n/a ", None),
        ("  ", None),
        (None, None),
        ("12,5", "unparseable"),
        ("1,23", "unparseable"),
        ("1.234,56", "unparseable"),
        ("1 234", "unparseable"),
        ("1.2.3", "unparseable"),
        ("NaN", "unparseable"),
        ("inf", "unparseable"),
        ("-Infinity", "unparseable"),
        ("1e400", "unparseable"),
        ("0x10", "unparseable"),
        ("=1+1", "unparseable"),
        ("true", "unparseable"),
        ("$", "unparseable"),
        ("١٢", "unparseable"),
        ("1_000", "unparseable"),
    ],
)
def test_number(text: str | None, value: object) -> None:
    assert staged(table_of(type="number"), [text]) == [value]
    assert staged(table_of(type="number"), ["5", text, "6"]) == [5.0, value, 6.0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("36", 36),
        ("6000.0", 6000),
        ("1e3", 1000),
        ("1,000", 1000),
        (" 7 ", 7),
        ("", None),
        ("36.5", "unparseable"),
        ("1e300", "unparseable"),
        ("NaN", "unparseable"),
        ("40_", "unparseable"),
        ("1_000", "unparseable"),
        ("36 months", "unparseable"),
    ],
)
def test_integer(text: str, value: object) -> None:
    found = staged(table_of(type="integer"), [text, "1"])
    assert found == [value, 1]
    assert type(found[1]) is int


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2014-06-19", date(2014, 6, 19)),
        ("2014/06/19", date(2014, 6, 19)),
        ("Jun-2014", date(2014, 6, 1)),
        ("JUN-2014", date(2014, 6, 1)),
        ("2006-05-23 05:00", date(2006, 5, 23)),
        ("2006-05-23 05:00:01", date(2006, 5, 23)),
        ("2006-05-23T05:00:01Z", date(2006, 5, 23)),
        ("5-Jan-15", date(2015, 1, 5)),
        ("05-Jan-2015", date(2015, 1, 5)),
        ("Dec-11", date(2011, 12, 1)),
        ("Jan-29", date(2029, 1, 1)),
        ("Jan-30", date(1930, 1, 1)),
        ("Jan-62", date(1962, 1, 1)),
        ("Jan-1900", date(1900, 1, 1)),
        ("2016-02-29", date(2016, 2, 29)),
        ("2100-12-31", date(2100, 12, 31)),
        ("", None),
        ("Jan-0000", "unparseable"),
        ("Feb-30-2015", "unparseable"),
        ("2015-02-29", "unparseable"),
        ("2015-13-01", "unparseable"),
        ("01/02/2015", "unparseable"),
        ("1899-12-31", "unparseable"),
        ("2101-01-01", "unparseable"),
        ("epoch", "unparseable"),
        ("infinity", "unparseable"),
        ("42005", "unparseable"),
        ("now", "unparseable"),
    ],
)
def test_date(text: str, value: object) -> None:
    assert staged(table_of(type="date"), [text]) == [value]
    assert staged(table_of(type="date"), ["Mar-2001", text]) == [date(2001, 3, 1), value]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12,5", 12.5),
        ("1.234,56", 1234.56),
        ("1.234.567", 1234567.0),
        ("1.234", 1234.0),
        (" -3,25 ", -3.25),
        ("12", 12.0),
        ("1,5e3", 1500.0),
        ("$ 1.000,50", 1000.5),
        ("7,5%", 7.5),
        ("NA", None),
        ("", None),
        ("12.5", "unparseable"),
        ("1.23", "unparseable"),
        ("1,234.56", "unparseable"),
        ("1.234,5.6", "unparseable"),
        ("1,2,3", "unparseable"),
        ("12.5,0", "unparseable"),
        ("1e400", "unparseable"),
        ("NaN", "unparseable"),
        (".", "unparseable"),
        ("1_000,5", "unparseable"),
    ],
)
def test_number_with_a_decimal_comma(text: str, value: object) -> None:
    assert staged(table_of(type="number", decimal=","), [text]) == [value]
    assert staged(table_of(type="number", decimal=","), ["5,5", text, "6"]) == [5.5, value, 6.0]


@pytest.mark.parametrize(
    ("text", "value"),
    [("36", 36), ("6.000", 6000), ("36,0", 36), ("36,5", "unparseable"), ("36.0", "unparseable"), ("1,000", 1)],
)
def test_integer_with_a_decimal_comma(text: str, value: object) -> None:
    found = staged(table_of(type="integer", decimal=","), [text, "1"])
    assert found == [value, 1]
    assert type(found[1]) is int


def test_negative_numbers_of_accounts_with_a_decimal_comma() -> None:
    table = table_of(type="number", decimal=",")
    assert staged(table, ["(1.234,56)", "1.234,56-", "(5.5)"]) == [-1234.56, -1234.56, "unparseable"]


def test_percent_with_a_decimal_comma() -> None:
    texts = ["11,22", " 11,22%", "1.011,5 %", "0,5", "11.22", "11.22%"]
    found = staged(table_of(type="percent", decimal=","), texts)
    assert found == [11.22, 11.22, 1011.5, 0.5, "unparseable", "unparseable"]


def test_fractions_with_a_decimal_comma() -> None:
    table = table_of(type="percent", decimal=",", written_as="fraction")
    assert staged(table, ["0,1122", "12%", "1,19"]) == [11.22, 12.0, 119.0]


@pytest.mark.parametrize(
    ("date_format", "text", "value"),
    [
        ("%d.%m.%Y", "19.06.2014", date(2014, 6, 19)),
        ("%d.%m.%Y", "1.2.2014", date(2014, 2, 1)),
        ("%d.%m.%Y", " 01.02.2014 ", date(2014, 2, 1)),
        ("%m/%d/%Y", "01/02/2014", date(2014, 1, 2)),
        ("%d/%m/%Y %H:%M", "01/02/2014 13:30", date(2014, 2, 1)),
        ("%Y%m%d", "20140619", date(2014, 6, 19)),
        ("%d.%m.%y", "19.06.14", date(2014, 6, 19)),
        ("%d.%m.%y", "19.06.29", date(2029, 6, 19)),
        ("%d.%m.%y", "19.06.30", date(1930, 6, 19)),
        ("%d.%m.%Y", "", None),
        ("%d.%m.%Y", "NA", None),
        ("%d.%m.%Y", "01.01.1900", date(1900, 1, 1)),
        ("%d.%m.%Y", "31.02.2014", "unparseable"),
        ("%d.%m.%Y", "06.19.2014", "unparseable"),
        ("%d.%m.%Y", "19.06.14", "unparseable"),
        ("%d.%m.%Y", "2014-06-19", "unparseable"),
        ("%d.%m.%Y", "Jun-2014", "unparseable"),
        ("%d.%m.%Y", "Dec-11", "unparseable"),
        ("%d.%m.%Y", "01.01.1899", "unparseable"),
        ("%d.%m.%Y", "epoch", "unparseable"),
        ("%d.%m.%y", "infinity", "unparseable"),
    ],
)
def test_date_in_its_own_format_only(date_format: str, text: str, value: object) -> None:
    table = table_of(type="date", date_format=date_format)
    assert staged(table, [text]) == [value]
    good = date(2001, 3, 1)
    assert staged(table, [good.strftime(date_format), text]) == [good, value]


@pytest.mark.parametrize(
    ("text", "value"),
    [("Y", True), ("no", False), ("TRUE", True), ("0.0", False), (" f ", False), ("", None), ("2", "unparseable")],
)
def test_boolean(text: str, value: object) -> None:
    assert staged(table_of(type="boolean"), [text]) == [value]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Fully Paid", "Fully Paid"),
        (" fully  PAID ", "Fully Paid"),
        ("It's late", "It's late"),
        ("NA", None),
        ("FullyPaid", "unknown_category"),
    ],
)
def test_category(text: str, value: object) -> None:
    assert staged(table_of(type="text", allowed=("Fully Paid", "It's late")), [text]) == [value]


def test_percent_with_and_without_sign() -> None:
    texts = ["11.22", " 11.22%", "11.22 %", "0.5", "-1", "1e400", "%", "1_1%"]
    faults = ["unparseable"] * 3
    assert staged(table_of(type="percent"), texts) == [11.22, 11.22, 11.22, 0.5, -1.0, *faults]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1122", 11.22),
        ("0.537", 53.7),
        ("12%", 12.0),
        ("1.19", 119.0),
        ("0", 0.0),
        ("+ 0.12", 12.0),
        ("1,000", 100_000.0),
        ("x", "unparseable"),
    ],
)
def test_fractions_become_percent(text: str, value: object) -> None:
    table = table_of(type="percent", written_as="fraction")
    assert staged(table, [text]) == [value]
    assert staged(table, [text, "0.5"]) == [value, 50.0]


def test_ranges_of_fractions_are_in_percent() -> None:
    table = table_of(type="percent", written_as="fraction", maximum=100)
    assert staged(table, ["1.19", "0.9"]) == ["out_of_range", 90.0]


@pytest.mark.parametrize("kind", ["number", "percent"])
@pytest.mark.parametrize("text", ["-0", "-0.0", "- 0"])
def test_zero_has_no_sign(kind: str, text: str) -> None:
    (found,) = staged(table_of(type=kind), [text])
    assert str(found) == "0.0"
