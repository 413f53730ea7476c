"""Columns and tables that the SQL of a contract reads, found without running it, and names and texts as SQL."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.optimizer.scope import traverse_scope

from loan_platform.core.book.sql_limits import beyond_limits

TOO_DEEP = "is nested too deep"

_BEFORE = "SELECT "
_ROWS_OF_VALUES = frozenset({"unnest", "generate_series", "range"})  # functions of FROM that read no file
_QUOTED_COLUMN = re.compile(r'"([^"]+)"')  # what most columns of a contract are made from
_BARE_COLUMN = re.compile(r"[a-z][a-z0-9_]*")  # what most features are


class SqlError(ValueError):
    """A contract's SQL expression does not parse."""


@dataclass(frozen=True)
class Query:
    """What a query reads and gives, in lower case; `columns` is None where a star hides some."""

    tables: frozenset[str]
    columns: frozenset[str] | None


def query_of(text: str) -> Query:
    """The tables that a query reads, without those it defines itself (WITH), and the columns that it gives.

    Raises:
        SqlError: the text is not one query.
    """
    if (too_much := beyond_limits(text, is_query=True)) is not None:
        raise SqlError(too_much)
    try:
        statement = sqlglot.parse_one(text, read="duckdb")
    except RecursionError as error:
        raise SqlError(TOO_DEEP) from error
    except (ParseError, TokenError) as error:
        raise SqlError(f"not an SQL query: {str(error).splitlines()[0]}") from error
    if not isinstance(statement, exp.Query):
        raise SqlError("must be one SELECT, not another statement")
    if (function := _read_function(statement)) is not None:
        raise SqlError(f"reads {function}, and a join reads the tables of the contract only")
    names = [name.lower() for name in statement.named_selects]
    return Query(
        tables=frozenset(_tables(statement)),
        columns=None if statement.is_star or "" in names else frozenset(names),
    )


def _read_function(query: exp.Query) -> str | None:
    """A function that gives the rows of a FROM or JOIN, such as a reader of files, whatever holds it."""
    for node in query.find_all(exp.Table, exp.Lateral):
        name = node.this.sql("duckdb").partition("(")[0].lower()
        if isinstance(node.this, exp.Func) and name not in _ROWS_OF_VALUES:
            return f"{name}()"
    return None


def _tables(query: exp.Query) -> Iterator[str]:
    # By scope: `WITH visits AS (... FROM visits)` reads the table, and what follows reads the definition.
    for scope in traverse_scope(query):
        tables = (source for source in scope.sources.values() if isinstance(source, exp.Table))
        yield from (table.name.lower() for table in tables if not isinstance(table.this, exp.Func))


def columns_read(expression: str) -> frozenset[str]:
    """Names of the columns that `expression` reads, in lower case (SQL names ignore case).

    Raises:
        SqlError: the text is not one SQL expression.
    """
    # Parsing takes milliseconds, a contract has hundreds of expressions, and every Dagster process loads them all.
    if name := _QUOTED_COLUMN.fullmatch(expression):
        return frozenset((name[1].lower(),))
    if _BARE_COLUMN.fullmatch(expression) and expression.upper() not in DuckDB.Tokenizer.KEYWORDS:
        return frozenset((expression,))
    return _columns(expression)


def texts_compared(sql: str, column: str) -> frozenset[str]:
    """Texts in an expression or a query that a column is compared with. What a CASE gives is compared with nothing.

    Args:
        sql: the expression or query; nothing is found in SQL that does not parse.
        column: in lower case, of whichever table.
    """
    return frozenset(text for text, columns in _compared(sql) if column in columns)


@lru_cache(maxsize=4096)
def _compared(sql: str) -> tuple[tuple[str, frozenset[str]], ...]:
    """Each text of the SQL with the names of the columns that it is compared with, in lower case."""
    tree = _tree(f"{_BEFORE}{sql}") or _tree(sql)
    texts = (text for text in tree.find_all(exp.Literal) if text.is_string) if tree is not None else ()
    return tuple((text.name, frozenset(column.name.lower() for column in columns_beside(text))) for text in texts)


def _tree(text: str) -> exp.Expr | None:
    if beyond_limits(text, is_query=True) is not None:
        return None
    try:
        return sqlglot.parse_one(text, read="duckdb")
    except (ParseError, TokenError, RecursionError):
        return None


def columns_beside(text: exp.Expr) -> tuple[exp.Column, ...]:
    """The columns of the smallest part of the SQL that has the text and a column: it is compared with them."""
    node = text
    while (parent := node.parent) is not None and not isinstance(parent, exp.Query):
        if (isinstance(parent, exp.If) and node.arg_key != "this") or node.arg_key == "default":
            return ()
        if not isinstance(parent, exp.If):
            part = parent.this if isinstance(parent, exp.Case) else parent
            if part and (columns := tuple(part.find_all(exp.Column))):
                return columns
        node = parent
    return ()


def passes_column_on(expression: str) -> bool:
    """Whether an expression may give the text of a column as it is, at least in some rows.

    Then texts with which its result is compared are texts of the column. A CASE of other texts, a number and texts that
    are put together are values of their own.
    """
    try:
        return _passes_on(parsed(expression))
    except SqlError:
        return False


def _passes_on(node: exp.Expr) -> bool:
    if isinstance(node, exp.Column):
        return True
    if isinstance(node, exp.DPipe | exp.Concat | exp.Predicate | exp.Connector):
        return False
    if isinstance(node, exp.Cast) and not node.is_type(*exp.DataType.TEXT_TYPES):
        return False
    if isinstance(node, exp.Case):
        results = [*(case.args["true"] for case in node.args["ifs"]), node.args.get("default")]
    elif isinstance(node, exp.If):
        results = [node.args["true"], node.args.get("false")]
    else:
        results = [*node.iter_expressions()]
    return any(_passes_on(result) for result in results if isinstance(result, exp.Expr))


def columns_behind(query: str, column: str, tables: Mapping[str, Sequence[str]]) -> frozenset[tuple[str, str]]:
    """Table and column of everything that a column of a query's result is computed from, in lower case.

    Args:
        query: over the tables.
        column: of its result.
        tables: columns of each table.

    Returns:
        Nothing where the query is too unusual to be followed.
    """
    # Takes long to import, and few processes need it. Its keyword arguments have no types.
    from sqlglot.lineage import lineage  # pyright: ignore[reportUnknownVariableType]

    schema = {table: dict.fromkeys(columns, "text") for table, columns in tables.items()}
    try:
        root = lineage(column, query, schema=schema, dialect="duckdb")
    except (SqlglotError, ValueError, RecursionError):  # ValueError: the result has no such column
        return frozenset()
    ends = [node for node in root.walk() if not node.downstream and isinstance(node.source, exp.Table)]
    return frozenset((node.source.name.lower(), node.name.rpartition(".")[2].lower()) for node in ends)


@lru_cache(maxsize=4096)
def parsed(expression: str) -> exp.Expr:
    """The expression as a tree, which nobody may change.

    Raises:
        SqlError: the text is not one SQL expression.
    """
    if (too_much := beyond_limits(expression)) is not None:
        raise SqlError(too_much)
    try:
        statement = sqlglot.parse_one(f"{_BEFORE}{expression}", read="duckdb")
    except RecursionError as error:
        raise SqlError(TOO_DEEP) from error
    except (ParseError, TokenError) as error:
        raise SqlError(f"not an SQL expression: {_reason(error)}") from error
    if not isinstance(statement, exp.Select) or len(statement.expressions) != 1 or _is_query(statement):
        raise SqlError("must be one SQL expression over the columns, not a query")
    return statement.expressions[0]


@lru_cache(maxsize=4096)
def _columns(expression: str) -> frozenset[str]:
    return frozenset(column.name.lower() for column in parsed(expression).find_all(exp.Column))


def _reason(error: ParseError | TokenError) -> str:
    """What is wrong near which piece of the text; the parser's own words speak of its classes."""
    details = error.errors[0] if isinstance(error, ParseError) and error.errors else None
    if details is None:
        return "a quote is not closed"
    description, near = str(details["description"]), str(details["highlight"])
    if "missing for" in description or "<Token" in description:
        description = "something is missing"
    before = str(details["start_context"]).removeprefix(_BEFORE)[-20:]
    return f"{description} at {(before + near).strip()!r}"


def _is_query(statement: exp.Select) -> bool:
    clauses = [name for name, clause in statement.args.items() if clause and name != "expressions"]
    inner = [node for node in statement.find_all(exp.Query, exp.Table) if node is not statement]
    return bool(clauses or inner)


def quote_literal(text: str) -> str:
    """A SQL string."""
    return "'" + text.replace("'", "''") + "'"


def quote_identifier(text: str) -> str:
    """A SQL identifier."""
    return '"' + text.replace('"', '""') + '"'
