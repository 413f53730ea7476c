"""Join the cleaned tables of a book of linked files to one row per loan, with the contract's SQL."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from loan_platform.adapters.sources.relation import RawFile
from loan_platform.adapters.warehouse.arriving_rows import ArrivingRows
from loan_platform.adapters.warehouse.ordered_parquet import count_rows, files_metadata, write
from loan_platform.adapters.warehouse.session import DuckDbSession, WarehouseError
from loan_platform.core.book.constants import CONTENT, IN_LAST_FILE, LATEST_BY, MAIN_TABLE, SOURCE_LOCATION
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.policies import SameKey
from loan_platform.core.book.sql import quote_identifier, quote_literal

CHECKED_DAYS = 3
_JOINED, _THEN = "__joined", "__then"
# What the platform adds to rows that files add to is no column of the contract's join.
_ADDED = ", ".join(map(quote_literal, (CONTENT, IN_LAST_FILE, LATEST_BY)))
_PLAIN = f"SELECT COLUMNS(lambda name: name NOT IN ({_ADDED}))"


@dataclass(frozen=True)
class JoinSummary:
    """Result of a join.

    Attributes:
        rows: joined rows.
        lost: loans of the main table, or of the new rows, that are in no joined row.
    """

    rows: int
    lost: int


@dataclass(frozen=True)
class PointInTimeCheck:
    """Result of the check that the join uses only records known at the decision.

    Attributes:
        days: decision days that were checked.
        loans: joined rows of these days.
        changed: rows of them that differ without the later records.
    """

    days: tuple[date, ...]
    loans: int
    changed: int


class LinkedTables:
    """Joins of cleaned tables, one call at a time.

    Args:
        session: resources that DuckDB may use.
        contract: of a book with `tables` and `join`.
    """

    def __init__(self, session: DuckDbSession, contract: Contract) -> None:
        self._session = session
        self._contract = contract

    def join(self, tables: Mapping[str, Path], out: Path) -> JoinSummary:
        """Write one row per loan, ordered by source location. The same tables give the same bytes.

        Args:
            tables: staged Parquet file of each table of the contract.
            out: file of the joined rows, for `Warehouse.stage`.

        Raises:
            WarehouseError: the join does not run, or its rows have no source location.
        """
        with self._session.connection(tables.values(), (out,)) as (connection, _):
            _views(connection, tables)
            self._create_joined(connection, _JOINED)
            key = quote_identifier(self._contract.entity_key)
            ordered = f"FROM {_JOINED} ORDER BY {', '.join(SOURCE_LOCATION)}, {key}"
            loans = f"(SELECT DISTINCT {key} FROM {quote_identifier(MAIN_TABLE)})"
            lost = f"SELECT count(*) FROM {loans} ANTI JOIN {_JOINED} USING ({key})"
            return JoinSummary(_write_joined(connection, ordered, out), _one(connection, lost))

    def join_new(
        self, tables: Mapping[str, Path], new: Path, out: Path, lost: Path, same_key: SameKey = "latest"
    ) -> JoinSummary:
        """Join new rows instead of those of the main table, which are then their history.

        Several new rows may have one key, as in files that correct each other. Each gets a joined row. The join sees
        one of them at a time, and of all other keys the row that counts.

        Args:
            tables: as in `join`.
            new: staged Parquet file in the form of the main table: applications, or loans with a new outcome.
            out: of the joined rows, in the order of the new rows, for `Warehouse.stage`. If `new` has the date of
                `latest_by`, they have it too.
            lost: Parquet of the new rows that the join gives no row for, and of rows too many, as `Warehouse.stage`
                writes quarantined rows.
            same_key: which of two new rows with one key counts.

        Raises:
            WarehouseError: the join does not run, or its rows have no source location.
        """
        key = next(table.key for table in self._contract.tables if table.name == MAIN_TABLE)
        with self._session.connection((*tables.values(), new), (out, lost)) as (connection, _):
            _views(connection, tables)
            arriving = ArrivingRows.ranked(connection, new, key, self._contract.entity_key, same_key)
            for layer in range(1, arriving.layers + 1):
                rows = arriving.main_table(layer, tables[MAIN_TABLE])
                connection.execute(f"CREATE OR REPLACE VIEW {quote_identifier(MAIN_TABLE)} AS {rows}")
                of_layer = f"WHERE {quote_identifier(self._contract.entity_key)} IN ({arriving.loans(layer)})"
                self._create_joined(connection, _JOINED, of_layer)
                arriving.add_joined(layer, _JOINED)
            write(connection, arriving.lost_sql(), lost)
            joined = _write_joined(connection, arriving.joined_sql(), out)
            return JoinSummary(joined, count_rows(connection, lost))

    def check_point_in_time(self, tables: Mapping[str, Path], joined: Path) -> PointInTimeCheck:
        """Check that a joined row does not change when all records dated after its decision are removed.

        A few decision days, spread over the book, are checked. The columns that the contract declares known at the
        decision are compared bit by bit.

        Args:
            tables: staged Parquet file of each table of the contract.
            joined: the file that `join` wrote from them.

        Raises:
            WarehouseError: the join does not run.
        """
        with self._session.connection((*tables.values(), joined), ()) as (connection, _):
            connection.execute(f"CREATE VIEW {_JOINED} AS FROM read_parquet({quote_literal(str(joined))})")
            days = self._days(connection)
            loans = changed = 0
            for day in days:
                _views(connection, tables, {t.name: t.as_of for t in self._contract.tables}, day)
                self._create_joined(connection, _THEN)
                counted = connection.execute(self._changed_sql(day)).fetchall()[0]
                loans, changed = loans + int(counted[0]), changed + int(counted[1])
            return PointInTimeCheck(days, loans, changed)

    def _create_joined(self, connection: duckdb.DuckDBPyConnection, table: str, rows: str = "") -> None:
        # One thread: the mean or variance of floats depends on the order of summation.
        threads = _one(connection, "SELECT current_setting('threads')")
        connection.execute("SET threads = 1")
        connection.execute(f"CREATE OR REPLACE TABLE {table} AS FROM ({self._contract.join}) {rows}")
        connection.execute(f"SET threads = {threads}")
        columns = _column_names(connection, table)
        if missing := sorted({*SOURCE_LOCATION, self._contract.entity_key} - columns):
            raise WarehouseError(f"The contract's join returns no {', '.join(missing)}. Add it to its SELECT.")

    def _days(self, connection: duckdb.DuckDBPyConnection) -> tuple[date, ...]:
        query = f"SELECT DISTINCT {self._decided} AS day FROM {_JOINED} WHERE day IS NOT NULL ORDER BY day"
        days = [row[0] for row in connection.execute(query).fetchall()]
        if len(days) <= CHECKED_DAYS:
            return tuple(days)
        step = (len(days) + 1) / (CHECKED_DAYS + 1)
        return tuple(days[int(step * i) - 1] for i in range(1, CHECKED_DAYS + 1))

    @property
    def _decided(self) -> str:
        """SQL of the decision day of a joined row."""
        assert self._contract.event_date is not None
        return f"TRY_CAST(({self._contract.by_name[self._contract.event_date].source_sql}) AS DATE)"

    def _changed_sql(self, day: date) -> str:
        """Query of two counts: joined rows of a day, and those that the join without later records does not give."""
        known = [c.raw_columns for c in self._contract.columns if c.available_at != "after_origination"]
        columns = ", ".join(
            quote_identifier(column) for column in sorted(frozenset[str]().union(*known) - set(SOURCE_LOCATION))
        )
        of_day = f"WHERE {self._decided} = DATE {quote_literal(day.isoformat())}"
        now, then = (f"SELECT {columns} FROM {table} {of_day}" for table in (_JOINED, _THEN))
        return f"SELECT (SELECT count(*) FROM ({now})), (SELECT count(*) FROM ({now} EXCEPT ALL {then}))"


def _views(
    connection: duckdb.DuckDBPyConnection,
    tables: Mapping[str, Path],
    as_of: Mapping[str, str | None] | None = None,
    day: date | None = None,
) -> None:
    """Create a view of each table; with `day` only of rows dated up to that day."""
    for table, path in tables.items():
        dated = as_of.get(table) if as_of else None
        known = f"WHERE {quote_identifier(dated)} <= DATE {quote_literal(day.isoformat())}" if dated and day else ""
        rows = f"read_parquet({quote_literal(str(path))})"
        connection.execute(f"CREATE OR REPLACE VIEW {quote_identifier(table)} AS {_PLAIN} FROM {rows} {known}")


def _write_joined(connection: duckdb.DuckDBPyConnection, query: str, out: Path) -> int:
    """Write joined rows. Returns their number."""
    rows = _one(connection, f"SELECT count(*) FROM ({query})")
    write(connection, query, out, files_metadata([RawFile("joined rows", rows, 0, ())]))
    return rows


def _column_names(connection: duckdb.DuckDBPyConnection, table: str) -> frozenset[str]:
    return frozenset(row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall())


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return connection.execute(query).fetchall()[0][0]
