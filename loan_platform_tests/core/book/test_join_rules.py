"""Linked tables and their join are refused where they cannot work, each mistake with its key path."""

from typing import Any

import pytest
from pydantic import ValidationError

from loan_platform.core.book.book_errors import InconsistentError
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.sql import SqlError, query_of
from loan_platform.core.errors import Issue
from loan_platform_tests.support.small_books.linked import BOOK, JOIN, column, contract


def issues(**changes: Any) -> tuple[Issue, ...]:
    with pytest.raises(ValidationError) as caught:
        Contract.model_validate(BOOK | changes)
    error = caught.value.errors()[0].get("ctx", {})["error"]
    assert isinstance(error, InconsistentError)
    return error.issues


def tables(at: int, **changes: Any) -> list[dict[str, Any]]:
    return [table | changes if i == at else table for i, table in enumerate(BOOK["tables"])]


def test_a_sound_book_of_linked_files_loads() -> None:
    assert [table.name for table in contract().tables] == ["loans", "people", "visits"]


NO_LOAN = [c for c in BOOK["tables"][0]["columns"] if c["name"] != "loan"]
MISSPELT = JOIN.replace("JOIN people", "JOIN peple AS people")
TWICE = [column("person", "text"), column("person", "text"), column("month", "date"), column("count", "integer")]
NO_SQL = [column("person", "text", sql="a b c"), column("month", "date"), column("count", "integer")]


@pytest.mark.parametrize(
    ("changes", "path", "code", "text"),
    [
        ({"join": None}, "join", "missing_join", ""),
        ({"tables": []}, "tables", "missing_table", "'loans'"),
        ({"join": "SELEC 1"}, "join", "invalid_sql", ""),
        ({"join": "DELETE FROM loans"}, "join", "invalid_sql", "SELECT"),
        ({"join": MISSPELT}, "join", "unknown_table", "Did you mean 'people'?"),
        ({"join": MISSPELT}, "join", "unused_table", "'people'"),
        ({"join": JOIN.replace("started.source_line, ", "")}, "join", "missing_column", "'source_line'"),
        (
            {"columns": [*BOOK["columns"], column("incme", "number")]},
            "columns[5].sql",
            "unknown_column",
            "Did you mean 'income'?",
        ),
        ({"target": {"sql": "overdu", "description": "-"}}, "target.sql", "unknown_column", "'overdu'"),
        ({"tables": tables(0, name="people")}, "tables", "duplicate_name", "'people'"),
        ({"tables": tables(1, key=["persn"])}, "tables[1].key[0]", "unknown_column", "'persn'"),
        ({"tables": tables(2, as_of="mnth")}, "tables[2].as_of", "unknown_column", "Did you mean 'month'?"),
        ({"tables": tables(2, as_of="count")}, "tables[2].as_of", "wrong_type", "'count' is integer"),
        ({"tables": tables(2, columns=TWICE)}, "tables[2].columns", "duplicate_name", "'person'"),
        ({"tables": tables(2, columns=NO_SQL)}, "tables[2].columns[0].sql", "invalid_sql", ""),
        ({"tables": tables(0, columns=NO_LOAN, key=[])}, "entity_key", "missing_column", "'loan'"),
    ],
)
def test_a_broken_join_is_an_issue_with_its_key_path(changes: dict[str, Any], path: str, code: str, text: str) -> None:
    assert [issue for issue in issues(**changes) if (issue.path, issue.code) == (path, code) and text in issue.detail]


def test_a_query_tells_what_it_reads_and_gives() -> None:
    query = query_of(JOIN)
    assert query.tables == {"loans", "people", "visits"}
    assert query.columns == {"source_file", "source_line", "loan", "start", "income", "mean_visits", "overdue"}
    assert query_of("SELECT * FROM loans").columns is None
    with pytest.raises(SqlError):
        query_of("SELECT FROM WHERE")
