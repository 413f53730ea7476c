"""What an expression reads is told without parsing where that is plain, and never told otherwise."""

import pytest
import yaml
from sqlglot import exp

from loan_platform.cli.books import SHIPPED
from loan_platform.core.book.sql import SqlError, columns_read, parsed

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
