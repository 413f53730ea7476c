"""What a SQL expression of a contract reads, without running it."""

from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError


class SqlError(ValueError):
    """A contract's SQL expression does not parse."""


@lru_cache(maxsize=4096)
def columns_read(expression: str) -> frozenset[str]:
    """Names of the columns that `expression` reads, in lower case (SQL names ignore case).

    Raises:
        SqlError: the text is not one SQL expression.
    """
    return frozenset(column.name.lower() for column in _parse(expression).find_all(exp.Column))


def _parse(expression: str) -> exp.Expr:
    try:
        statement = sqlglot.parse_one(f"SELECT {expression}", read="duckdb")
    except (ParseError, TokenError) as error:
        reason = str(error).splitlines()[0]
        raise SqlError(f"not an SQL expression: {reason}") from error
    if not isinstance(statement, exp.Select) or len(statement.expressions) != 1 or _is_query(statement):
        raise SqlError("must be one SQL expression over the columns, not a query")
    return statement.expressions[0]


def _is_query(statement: exp.Select) -> bool:
    clauses = [name for name, clause in statement.args.items() if clause and name != "expressions"]
    inner = [node for node in statement.find_all(exp.Query, exp.Table) if node is not statement]
    return bool(clauses or inner)
