"""The cleaned tables of a book of linked files, joined by the contract's SQL to one row per loan."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from loan_platform.adapters.sources.raw_files import RawFile
from loan_platform.adapters.warehouse.ordered_parquet import copy, files_metadata
from loan_platform.adapters.warehouse.session import DuckDbSession, WarehouseError
from loan_platform.core.book.constants import MAIN_TABLE, SOURCE_LOCATION
from loan_platform.core.book.contract import Contract
from loan_platform.core.staging.parsing import name, quoted

DAYS_TRIED = 3
_JOINED, _THEN, _NEW = "__joined", "__then", "__new"


@dataclass(frozen=True)
class JoinSummary:
    """What the join gave: rows, and loans of the main table that are in none of them."""

    rows: int
    lost: int


@dataclass(frozen=True)
class Hindsight:
    """Days of decision that were tried, and the rows of them that later records change."""

    days: tuple[date, ...]
    loans: int
    changed: int


class LinkedTables:
    """Joins of cleaned tables, one call at a time.

    Args:
        session: how DuckDB may use the machine.
        contract: of a book with `tables` and `join`.
    """

    def __init__(self, session: DuckDbSession, contract: Contract) -> None:
        self._session = session
        self._contract = contract

    def join(self, tables: Mapping[str, Path], out: Path, new_rows: Path | None = None) -> JoinSummary:
        """Write one row per loan, ordered by where it came from; the same tables give the same bytes.

        Args:
            tables: Parquet of each table of the contract, as it was staged.
            out: where the rows go, for `Warehouse.stage`.
            new_rows: rows in the form of the main table, staged likewise, that are joined instead of its own, which
                stay as their history: applications, or loans whose outcome has come in.

        Raises:
            WarehouseError: the join does not run, or does not say where its rows came from.
        """
        key = name(self._contract.entity_key)
        with self._session.connection() as (connection, _):
            _views(connection, tables)
            if new_rows:
                self._add_new_rows(connection, tables[MAIN_TABLE], new_rows)
            self._create_joined(connection, _JOINED, f"WHERE {key} IN (SELECT {key} FROM {_NEW})" if new_rows else "")
            rows = _one(connection, f"SELECT count(*) FROM {_JOINED}")
            wanted = _NEW if new_rows else name(MAIN_TABLE)
            lost = f"SELECT count(DISTINCT {key}) FROM {wanted} WHERE {key} NOT IN (SELECT {key} FROM {_JOINED})"
            ordered = f"FROM {_JOINED} ORDER BY {', '.join(SOURCE_LOCATION)}, {key}"
            copy(connection, ordered, out, files_metadata([RawFile("joined rows", rows, 0, ())]))
            return JoinSummary(rows, _one(connection, lost))

    def hindsight(self, tables: Mapping[str, Path], joined: Path) -> Hindsight:
        """Whether what the join says of a loan changes when everything dated after its decision is taken away.

        A few days of decision are tried, spread over the book. Compared are the joined columns that the contract
        says are known at the decision; each must be the same to the last bit.

        Args:
            tables: Parquet of each table of the contract.
            joined: what `join` wrote of them.

        Raises:
            WarehouseError: the join does not run.
        """
        with self._session.connection() as (connection, _):
            connection.execute(f"CREATE VIEW {_JOINED} AS FROM read_parquet({quoted(str(joined))})")
            days = self._days(connection)
            loans = changed = 0
            for day in days:
                _views(connection, tables, {t.name: t.as_of for t in self._contract.tables}, day)
                self._create_joined(connection, _THEN)
                counted = connection.execute(self._changed_sql(day)).fetchall()[0]
                loans, changed = loans + int(counted[0]), changed + int(counted[1])
            return Hindsight(days, loans, changed)

    def _add_new_rows(self, connection: duckdb.DuckDBPyConnection, history: Path, new_rows: Path) -> None:
        """The main table becomes the new_rows and the history of all other loans."""
        key = name(self._contract.entity_key)
        connection.execute(f"CREATE VIEW {_NEW} AS FROM read_parquet({quoted(str(new_rows))})")
        others = f"FROM read_parquet({quoted(str(history))}) WHERE {key} NOT IN (SELECT {key} FROM {_NEW})"
        connection.execute(f"CREATE OR REPLACE VIEW {name(MAIN_TABLE)} AS FROM {_NEW} UNION ALL BY NAME {others}")

    def _create_joined(self, connection: duckdb.DuckDBPyConnection, table: str, rows: str = "") -> None:
        # One thread: a mean or a spread of fractions depends on the order in which they are added up.
        threads = _one(connection, "SELECT current_setting('threads')")
        connection.execute("SET threads = 1")
        connection.execute(f"CREATE OR REPLACE TABLE {table} AS FROM ({self._contract.join}) {rows}")
        connection.execute(f"SET threads = {threads}")
        columns = [row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall()]
        if missing := sorted({*SOURCE_LOCATION, self._contract.entity_key} - set(columns)):
            raise WarehouseError(f"the join of the contract does not give {', '.join(missing)}: add it to its SELECT")

    def _days(self, connection: duckdb.DuckDBPyConnection) -> tuple[date, ...]:
        query = f"SELECT DISTINCT {self._decided} AS day FROM {_JOINED} WHERE day IS NOT NULL ORDER BY day"
        days = [row[0] for row in connection.execute(query).fetchall()]
        step = (len(days) + 1) / (DAYS_TRIED + 1)
        return tuple(days if len(days) <= DAYS_TRIED else (days[int(step * i) - 1] for i in range(1, DAYS_TRIED + 1)))

    @property
    def _decided(self) -> str:
        """SQL of the day of a joined row's decision."""
        assert self._contract.event_date is not None
        return f"TRY_CAST(({self._contract.by_name[self._contract.event_date].source_sql}) AS DATE)"

    def _changed_sql(self, day: date) -> str:
        """Loans of a day, and how many of them the join of that day does not have as that of today has them."""
        known = [c.raw_columns for c in self._contract.columns if c.known != "after_origination"]
        columns = ", ".join(name(column) for column in sorted(frozenset[str]().union(*known) - set(SOURCE_LOCATION)))
        of_day = f"WHERE {self._decided} = DATE {quoted(day.isoformat())}"
        now, then = (f"SELECT {columns} FROM {table} {of_day}" for table in (_JOINED, _THEN))
        return f"SELECT (SELECT count(*) FROM ({now})), (SELECT count(*) FROM ({now} EXCEPT ALL {then}))"


def _views(
    connection: duckdb.DuckDBPyConnection,
    tables: Mapping[str, Path],
    as_of: Mapping[str, str | None] | None = None,
    day: date | None = None,
) -> None:
    """A view of each table; with `day` only of rows that were known then."""
    for table, path in tables.items():
        dated = as_of.get(table) if as_of else None
        known = f"WHERE {name(dated)} <= DATE {quoted(day.isoformat())}" if dated and day else ""
        connection.execute(f"CREATE OR REPLACE VIEW {name(table)} AS FROM read_parquet({quoted(str(path))}) {known}")


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return connection.execute(query).fetchall()[0][0]
