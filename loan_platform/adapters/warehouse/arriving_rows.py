"""Rows that arrive for the main table of linked files. A join takes one row of a key, so they are joined in layers.

The first layer has the row of each key that counts by the source's rule, the second the row that would count without
it, and so on. Rows that say the same are in the same layer, and share one joined row. Each layer takes a join of the
whole table, so rows of a key beyond `MAX_LAYERS` are quarantined: such a key identifies nothing.
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from loan_platform.adapters.warehouse.row_content import content_sql
from loan_platform.core.book.constants import LATEST_BY, SOURCE_LOCATION
from loan_platform.core.book.policies import SameKey
from loan_platform.core.book.sql import quote_identifier, quote_literal

_RANKED, _PLACED, _LOST = "__ranked", "__placed", "__lost"
_ROW, _COPY, _LAYER, _AGAIN = "__row", "__copy", "__layer", "__again"
MAX_LAYERS = 100
_TOO_MANY = "very many other rows with its key have other values"
_NOT_JOINED = "the join of the linked sources gives it no row"
_FANNED_OUT = "the join of the linked sources gives the loan more than one row"


@dataclass(frozen=True)
class ArrivingRows:
    """The rows, ranked in a table of the connection.

    Attributes:
        connection: of DuckDB.
        key: columns that identify a row of the main table; none: every row counts.
        entity: the column that identifies a loan.
        same_key: which of two rows with one key counts.
        dated: whether the rows have the date of `latest_by`.
        layers: how many rows with other values a key has at most, up to `MAX_LAYERS`.
    """

    connection: duckdb.DuckDBPyConnection
    key: tuple[str, ...]
    entity: str
    same_key: SameKey
    dated: bool
    layers: int

    @classmethod
    def ranked(
        cls, connection: duckdb.DuckDBPyConnection, new: Path, key: tuple[str, ...], entity: str, same_key: SameKey
    ) -> "ArrivingRows":
        """Rank the rows of a staged Parquet file. Arguments as the attributes."""
        rows = f"SELECT * RENAME (file_row_number AS {_ROW}) FROM read_parquet({quote_literal(str(new))}, "
        rows += "file_row_number = true)"
        columns = [str(row[0]) for row in connection.execute(f"DESCRIBE {rows}").fetchall()]
        dated = LATEST_BY in columns
        ranked = f"SELECT *, 1 AS {_COPY}, 1 AS {_LAYER} FROM ({rows})"
        if key:
            order = f"{_ROW} DESC" if same_key == "latest" else _ROW
            order = f"{LATEST_BY} DESC NULLS LAST, {order}" if dated and same_key == "latest" else order
            ranked = _ranked_sql(rows, columns, key, order)
        connection.execute(f"CREATE TABLE {_RANKED} AS {ranked}")
        layers = connection.execute(f"SELECT coalesce(max({_LAYER}), 1) FROM {_RANKED}").fetchall()[0][0]
        return cls(connection, key, entity, same_key, dated, min(int(layers), MAX_LAYERS))

    def main_table(self, layer: int, history: Path) -> str:
        """Query of the main table: one row of each key that arrived, and the history of all other loans."""
        added = f"{_ROW}, {_COPY}, {_LAYER}{f', {LATEST_BY}' * self.dated}"
        plain = f"SELECT * EXCLUDE ({added}) FROM {_RANKED} WHERE {_COPY} = 1"
        entity = quote_identifier(self.entity)
        others = f"FROM read_parquet({quote_literal(str(history))}) ANTI JOIN {_RANKED} USING ({entity})"
        parts = [f"{plain} AND {_LAYER} = {layer}"]
        if layer > 1:
            keys = f"FROM {_RANKED} WHERE {_LAYER} = {layer}"
            parts.append(f"FROM ({plain} AND {_LAYER} = 1) ANTI JOIN ({keys}) USING ({_list(self.key)})")
        return " UNION ALL BY NAME ".join(f"({part})" for part in (*parts, others))

    def loans(self, layer: int) -> str:
        """Query of the loans that have a row in a layer."""
        return f"SELECT {quote_identifier(self.entity)} FROM {_RANKED} WHERE {_LAYER} = {layer}"

    def add_joined(self, layer: int, joined: str) -> None:
        """Add the joined rows of a layer, each with the place and date of its row."""
        entity, place = quote_identifier(self.entity), ", ".join(SOURCE_LOCATION)
        own = ", ".join(f"a.{name} AS {name}" for name in SOURCE_LOCATION)
        chosen = f"j.* REPLACE ({own})" if self._row_is_loan else "j.*"
        dates = f", a.{LATEST_BY}" if self.dated else ""
        rows = (
            f"SELECT {chosen}{dates}, a.{_ROW}, row_number() OVER (PARTITION BY a.{_ROW}, j.{entity} "
            f"ORDER BY j.source_file, j.source_line) AS {_AGAIN} "
            f"FROM {joined} AS j JOIN ({self._arrivals(layer)}) AS a USING ({entity})"
        )
        lost = f"SELECT {place} FROM ({self._arrivals(layer)}) ANTI JOIN {joined} USING ({entity})"
        for table, query in ((_PLACED, rows), (_LOST, lost)):
            self.connection.execute(f"{f'CREATE TABLE {table} AS' if layer == 1 else f'INSERT INTO {table}'} {query}")

    def joined_sql(self) -> str:
        """Query of the joined rows of all layers, in the order in which their rows were read."""
        rows = f"SELECT * EXCLUDE ({_ROW}, {_AGAIN}) FROM {_PLACED} WHERE {_AGAIN} = 1"
        return f"{rows} ORDER BY {_ROW}, {quote_identifier(self.entity)}"

    def lost_sql(self) -> str:
        """Query of what is quarantined, in the form of `Warehouse.stage`.

        These are the rows without a joined row, joined rows too many, and rows beyond the layers.
        """
        gone = _fault("NULL::VARCHAR", "not_joined", _NOT_JOINED)
        again = _fault(quote_literal(self.entity), "duplicate_key", _FANNED_OUT)
        beyond = _fault(quote_literal(self.entity), "duplicate_key", _TOO_MANY)
        parts = [
            f"SELECT {', '.join(SOURCE_LOCATION)}, unnest({fault}), [{fault}] AS faults FROM {rows}"
            for fault, rows in (
                (gone, _LOST),
                (again, f"{_PLACED} WHERE {_AGAIN} > 1"),
                (beyond, f"{_RANKED} WHERE {_LAYER} > {MAX_LAYERS}"),
            )
        ]
        return f"{' UNION ALL '.join(parts)} ORDER BY ALL"

    @property
    def _row_is_loan(self) -> bool:
        return self.key == (self.entity,)

    def _arrivals(self, layer: int) -> str:
        """Query of what one joined row is for: a row, or all rows of a loan where the key has more columns."""
        rows, entity = f"FROM {_RANKED} WHERE {_LAYER} = {layer}", quote_identifier(self.entity)
        if self._row_is_loan:
            return rows
        chosen = "max" if self.same_key == "latest" else "min"
        place = ", ".join(f"arg_min({name}, {_ROW}) AS {name}" for name in SOURCE_LOCATION)
        dates = f", max({LATEST_BY}) AS {LATEST_BY}" if self.dated else ""
        return f"SELECT {entity}, {place}{dates}, {chosen}({_ROW}) AS {_ROW} {rows} GROUP BY {entity}"


def _ranked_sql(rows: str, columns: list[str], key: tuple[str, ...], order: str) -> str:
    """Query of the rows, with the layer of each and its number among the rows of its key that say the same."""
    said, keys = content_sql(columns, {*SOURCE_LOCATION, LATEST_BY, _ROW}), _list(key)
    several = f"SELECT *, CASE WHEN count(*) OVER (PARTITION BY {keys}) > 1 THEN {said} END AS __said FROM ({rows})"
    copies = f"SELECT *, row_number() OVER (PARTITION BY {keys}, __said ORDER BY {order}) AS {_COPY} FROM ({several})"
    first = f"row_number() OVER (PARTITION BY {keys}, {_COPY} = 1 ORDER BY {order}) AS __first"
    layer = f"min(__first) FILTER (WHERE {_COPY} = 1) OVER (PARTITION BY {keys}, __said) AS {_LAYER}"
    return f"SELECT * EXCLUDE (__said, __first), {layer} FROM (SELECT *, {first} FROM ({copies}))"


def _fault(column: str, reason: str, message: str) -> str:
    return f"{{'column': {column}, 'reason': {quote_literal(reason)}, 'message': {quote_literal(message)}}}"


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(map(quote_identifier, names))
