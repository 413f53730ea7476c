"""Linked tables and their join are refused where they cannot work, each mistake with its key path."""

from typing import Any

import pytest
from pydantic import ValidationError

from loan_platform.core.book.book_errors import InconsistentError
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.sql import SqlError, query_of
from loan_platform_tests.support.linked import BOOK, JOIN, column, contract


def told(**changes: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Contract.model_validate(BOOK | changes)
    error = caught.value.errors()[0].get("ctx", {})["error"]
    assert isinstance(error, InconsistentError)
    return "\n".join(str(issue) for issue in error.issues)


def tables(at: int, **changes: Any) -> list[dict[str, Any]]:
    return [table | changes if i == at else table for i, table in enumerate(BOOK["tables"])]


def test_a_sound_book_of_linked_files_loads() -> None:
    assert [table.name for table in contract().tables] == ["loans", "people", "visits"]


NO_LOAN = [c for c in BOOK["tables"][0]["columns"] if c["name"] != "loan"]
MISSPELT = JOIN.replace("JOIN people", "JOIN peple AS people")
TWICE = [column("person", "text"), column("person", "text"), column("month", "date"), column("count", "integer")]
NO_SQL = [column("person", "text", sql="a b c"), column("month", "date"), column("count", "integer")]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"join": None}, "join: there are `tables` and no query"),
        ({"tables": []}, "tables: there is no table 'loans'"),
        ({"join": "SELEC 1"}, "join: not an SQL query"),
        ({"join": "DELETE FROM loans"}, "join: must be one SELECT"),
        ({"join": MISSPELT}, "join: reads 'peple', which is no table of the contract. Did you mean 'people'?"),
        ({"join": MISSPELT}, "join: does not read the table 'people'. Join it, or"),
        ({"join": JOIN.replace("started.source_line, ", "")}, "join: does not give 'source_line'"),
        (
            {"columns": [*BOOK["columns"], column("incme", "number")]},
            "columns[5].sql: reads 'incme', which the join does not give. Did you mean 'income'?",
        ),
        ({"target": {"sql": "overdu", "description": "-"}}, "target.sql: reads 'overdu'"),
        ({"tables": tables(0, name="people")}, "tables: the name 'people' is used 2 times"),
        (
            {"tables": tables(1, key=["persn"])},
            "tables[1].key[0]: names 'persn', which is no column of the table",
        ),
        (
            {"tables": tables(2, as_of="mnth")},
            "tables[2].as_of: names 'mnth', which is no column of the table",
        ),
        ({"tables": tables(2, as_of="mnth")}, "Did you mean 'month'?"),
        ({"tables": tables(2, as_of="count")}, "tables[2].as_of: 'count' is integer, so nobody knows"),
        ({"tables": tables(2, columns=TWICE)}, "tables[2].columns: the name 'person' is used 2 times"),
        ({"tables": tables(2, columns=NO_SQL)}, "tables[2].columns[0].sql: not an SQL expression"),
        ({"tables": tables(0, columns=NO_LOAN, key=[])}, "entity_key: the table 'loans' has no column 'loan'"),
    ],
)
def test_what_cannot_work_is_refused_with_its_place(changes: dict[str, Any], reason: str) -> None:
    assert reason in told(**changes)


def test_a_query_tells_what_it_reads_and_gives() -> None:
    query = query_of(JOIN)
    assert query.tables == {"loans", "people", "visits"}
    assert query.columns == {"source_file", "source_line", "loan", "start", "income", "mean_visits", "overdue"}
    assert query_of("SELECT * FROM loans").columns is None
    with pytest.raises(SqlError):
        query_of("SELECT FROM WHERE")
