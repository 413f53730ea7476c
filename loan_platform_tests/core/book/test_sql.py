"""What an expression reads is told without parsing where that is plain, and never told otherwise."""

import pytest
import yaml
from sqlglot import exp

from loan_platform.cli.books import SHIPPED
from loan_platform.core.book.sql import SqlError, columns_read, parsed, passes_column_on, query_of, texts_compared

EXPRESSIONS = sorted(
    {
        item.get("sql", item["name"])
        for path in SHIPPED.glob("*/contract.yaml")
        for item in [*yaml.safe_load(path.read_text())["columns"], *yaml.safe_load(path.read_text())["features"]]
    }
)
WORDS = ["null", "true", "current_date", "current_timestamp", "date", "interval", "rank", "row", "user", "x1", '"a b"']


def test_plain_columns_are_what_the_parser_says() -> None:
    assert len(EXPRESSIONS) > 200
    for text in EXPRESSIONS:
        assert columns_read(text) == {column.name.lower() for column in parsed(text).find_all(exp.Column)}


@pytest.mark.parametrize("word", WORDS)
def test_words_of_the_language_are_no_columns(word: str) -> None:
    try:
        read = {column.name.lower() for column in parsed(word).find_all(exp.Column)}
    except SqlError:
        with pytest.raises(SqlError):
            columns_read(word)
        return
    assert columns_read(word) == read


READS_FILES = [
    "SELECT l.*, t.content FROM loans l, LATERAL read_text('/x') t",
    "SELECT * FROM loans WHERE amount > (SELECT count(*) FROM read_csv('/x'))",
    "SELECT * FROM loans LEFT JOIN LATERAL (SELECT content FROM read_blob('/x')) t ON true",
    "WITH t AS (SELECT * FROM parquet_scan('/x')) SELECT * FROM loans, t",
    "SELECT * FROM loans, query('SELECT content FROM read_text(''/x'')')",
    "SELECT * FROM loans, query_table('x')",
    "SELECT * FROM loans, glob('/*')",
    "SELECT * FROM loans, duckdb_settings()",
]


@pytest.mark.attack("book", "a join that reads any local file", before="`check` called it sound")
@pytest.mark.parametrize("join", READS_FILES)
def test_a_join_that_reads_no_table_is_refused(join: str) -> None:
    with pytest.raises(SqlError, match="a join reads the tables of the contract only"):
        query_of(join)


def test_a_file_in_place_of_a_table_is_an_unknown_table() -> None:
    assert query_of("SELECT * FROM loans, '/tmp/x.parquet'").tables == {"loans", "/tmp/x.parquet"}


@pytest.mark.parametrize("rows", ["UNNEST(l.dates)", "generate_series(1, 3)", "range(5)", "LATERAL (SELECT 1)"])
def test_rows_of_values_are_no_tables(rows: str) -> None:
    assert query_of(f"SELECT * FROM loans l, {rows} AS t").tables == {"loans"}


TOO_MUCH = {
    "a sum of 20,000 terms": "salary" + "+salary" * 20_000,
    "1,000 terms": "a" + "+a" * 1_000,
    "ANDs": "a = 1" + " AND a = 1" * 1_000,
    "brackets": "(" * 21 + "a" + ")" * 21,
    "functions": "abs(" * 3_000 + "a" + ")" * 3_000,
    "cases": "CASE WHEN a > 1 THEN 1 ELSE " * 50 + "2" + " END" * 50,
    "lists": "[" * 3_000 + "a" + "]" * 3_000,
    "signs": "- " * 900 + "a",
    "negations": "NOT " * 900 + "a = 1",
}


@pytest.mark.attack("book", "SQL that is too long or nested too deep", before="`check` crashed, or took minutes")
@pytest.mark.parametrize("what", TOO_MUCH)
def test_sql_that_no_parser_takes_is_refused(what: str) -> None:
    with pytest.raises(SqlError, match=r"has .* at most|is nested .*deep"):
        columns_read(TOO_MUCH[what])
    with pytest.raises(SqlError, match=r"has .* at most|is nested .*deep"):
        query_of(f"SELECT a FROM loans WHERE {' AND '.join([TOO_MUCH[what]] * 3)}")
    assert texts_compared(TOO_MUCH[what], "a") == frozenset()
    assert not passes_column_on(TOO_MUCH[what])


def test_brackets_in_quotes_are_no_levels() -> None:
    assert columns_read(f"a = '{'(' * 50}' OR \"{'(' * 50}\" > 1") == {"a", "(" * 50}
    assert columns_read("(" * 20 + "a" + ")" * 20) == {"a"}
    assert columns_read("a" + "+a" * 400) == {"a"}
