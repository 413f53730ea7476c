"""What a join makes of its tables' columns, through aliases, WITH, subqueries and UNION."""

import pytest

from loan_platform.core.book.join_columns import Columns, JoinColumns
from loan_platform.core.book.sql import passes_column_on

TABLES: Columns = (("loans", ("loan", "code", "person")), ("people", ("person", "code", "status")))


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("SELECT l.loan, p.status FROM loans l JOIN people p USING (person)", {"status"}),
        ("SELECT l.loan, p.status AS st FROM loans l JOIN people p ON p.person = l.person", {"st"}),
        ("WITH q AS (SELECT person, status AS a FROM people) SELECT q.a AS b FROM loans JOIN q USING (person)", {"b"}),
        ("SELECT x.a FROM (SELECT status AS a FROM (SELECT * FROM people)) x", {"a"}),
        ("SELECT loan FROM loans UNION ALL SELECT status FROM people", {"loan"}),
        ("SELECT upper(status) AS big, code FROM people", {"big"}),
        ("SELECT * FROM people", {"status"}),
        ("SELECT loan FROM loans", set()),
    ],
)
def test_a_column_is_followed_to_its_new_names(query: str, names: set[str]) -> None:
    assert JoinColumns(query, TABLES).names("people", "status") == names


@pytest.mark.parametrize(
    ("query", "loans", "people"),
    [
        ("SELECT * FROM loans l JOIN people p ON l.code = '1' AND p.code = '1.0'", {"1"}, {"1.0"}),
        ("SELECT l.loan FROM loans l JOIN people p USING (person) WHERE p.code IN ('2', '3')", set(), {"2", "3"}),
        ("WITH q AS (SELECT code AS c FROM people) SELECT * FROM q WHERE q.c = '4'", set(), {"4"}),
        ("SELECT CASE x.c WHEN '5' THEN '6' END AS r FROM (SELECT code AS c FROM loans) x", {"5"}, set()),
    ],
)
def test_a_text_belongs_to_the_table_of_its_column(query: str, loans: set[str], people: set[str]) -> None:
    found = JoinColumns(query, TABLES)
    assert (found.texts("loans", "code"), found.texts("people", "code")) == (loans, people)


def test_a_join_that_does_not_parse_makes_nothing() -> None:
    found = JoinColumns("SELECT FROM WHERE", TABLES)
    assert (found.names("people", "status"), found.texts("people", "status")) == (set(), set())


@pytest.mark.parametrize(
    ("sql", "passed_on"),
    [
        ("code", True),
        ('"Code"', True),
        ("nullif(trim(code), '9')", True),
        ("CASE WHEN code = '9' THEN NULL ELSE code END", True),
        ("CAST(code AS VARCHAR)", True),
        ("CASE code WHEN '1' THEN 'a' ELSE 'b' END", False),
        ("TRY_CAST(code AS INTEGER)", False),
        ("code || '.0'", False),
        ("code = '1'", False),
    ],
)
def test_what_passes_the_text_of_a_column_on(sql: str, passed_on: bool) -> None:
    assert passes_column_on(sql) is passed_on
