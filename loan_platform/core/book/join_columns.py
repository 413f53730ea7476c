"""What a join makes of the columns of its tables: which texts it compares each with, and what it calls them."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, cast

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import Scope, traverse_scope

from loan_platform.core.book.sql import columns_beside

Columns = tuple[tuple[str, tuple[str, ...]], ...]  # of each table
Origin = tuple[str, str]  # table and column, in lower case


class JoinColumns:
    """The columns of a join's tables, followed through subqueries, WITH and new names.

    Where the SQL is too unusual to be followed, a name means the column of that name in every table.

    Args:
        query: the join.
        tables: with their columns.
    """

    def __init__(self, query: str, tables: Columns) -> None:
        self._tables = {name.lower(): frozenset(column.lower() for column in columns) for name, columns in tables}
        self._texts: dict[Origin, set[str]] = {}
        self._names: dict[Origin, set[str]] = {}
        # Takes long to import, and few processes need it.
        from sqlglot.optimizer.qualify import qualify  # pyright: ignore[reportUnknownVariableType]

        self._scope_of: dict[int, Scope] = {}
        schema = {table: dict.fromkeys(columns, "text") for table, columns in tables}
        try:
            tree = qualify(
                sqlglot.parse_one(query, read="duckdb"),
                schema=cast("dict[str, object]", schema),
                dialect="duckdb",
                quote_identifiers=False,
                validate_qualify_columns=False,
            )
            scopes = traverse_scope(tree)
        except (SqlglotError, ValueError, RecursionError):  # `check` tells what is wrong with it
            return
        found = cast("Any", scopes)
        self._scope_of = {id(column): scope for scope in found for column in scope.columns}
        for literal in tree.find_all(exp.Literal):
            for column in columns_beside(literal) if literal.is_string else ():
                for origin in self._origins(column):
                    self._texts.setdefault(origin, set()).add(literal.name)
        for name, origin in self._results(scopes[-1]) if scopes else ():
            self._names.setdefault(origin, set()).add(name)

    def texts(self, table: str, column: str) -> frozenset[str]:
        """Texts in the join that a column of a table is compared with."""
        return frozenset(self._texts.get((table.lower(), column.lower()), ()))

    def names(self, table: str, column: str) -> frozenset[str]:
        """Columns of the join's result, in lower case, that are made from a column of a table."""
        return frozenset(self._names.get((table.lower(), column.lower()), ()))

    def _origins(self, column: exp.Column) -> frozenset[Origin]:
        """The columns of tables that a column of the query stands for."""
        scope, name = self._scope_of.get(id(column)), column.name.lower()
        source: Any = cast("Any", scope).sources.get(column.table) if scope else None
        if isinstance(source, exp.Table) and source.name.lower() in self._tables:
            return frozenset({(source.name.lower(), name)})
        if isinstance(source, Scope):
            return frozenset(origin for given, origin in self._results(source) if given == name)
        return frozenset((table, name) for table, columns in self._tables.items() if name in columns)

    def _results(self, scope: Scope) -> Iterator[tuple[str, Origin]]:
        """Each result of a query with a column of a table that it is made from."""
        names = [select.alias_or_name.lower() for select in _selects(scope)]  # of a UNION, those of its first part
        for part in scope.set_operation_scopes or [scope]:
            for name, select in zip(names, _selects(part), strict=False):
                yield from ((name, origin) for origin in self._of(select))

    def _of(self, select: exp.Expr) -> frozenset[Origin]:
        return frozenset[Origin]().union(*map(self._origins, select.find_all(exp.Column)))


def _selects(scope: Scope) -> list[exp.Expr]:
    return cast("Any", scope).expression.selects


@lru_cache(maxsize=64)
def join_columns(query: str, tables: Columns) -> JoinColumns:
    """The columns of a join, which is parsed once."""
    return JoinColumns(query, tables)
