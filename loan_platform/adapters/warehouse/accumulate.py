"""Add the rows of new files to the rows that are known: one row per key counts, all others stay in the history."""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from loan_platform.adapters.warehouse.ordered_parquet import write
from loan_platform.adapters.warehouse.row_content import content_sql, retyped_columns_sql, retyped_sql, same_file_sql
from loan_platform.adapters.warehouse.session import DuckDbSession, WarehouseError
from loan_platform.core.book.constants import CONTENT, IN_LAST_FILE, SOURCE_LOCATION
from loan_platform.core.book.policies import SameKey
from loan_platform.core.book.sql import quote_identifier, quote_literal

_ADDED = (CONTENT, IN_LAST_FILE)
_REPLACED_BY = ("replaced_by_file", "replaced_by_line")
# Columns of the working tables begin with two underscores: no column of a contract can be named so.
_SAME, _BATCH, _PLACE = "__same", "__batch", "__place"


@dataclass(frozen=True)
class KeyRules:
    """How the rows of one key are told apart.

    Attributes:
        key: columns that identify a row.
        same_key: which of two rows with one key counts. `refuse` keeps the first, and the caller refuses the others.
        latest_by: date column that says which row is the latest; None: the one that was read last.
        not_compared: columns in which two equal rows may differ. The place in a file and `latest_by` always are.
        batch: SQL of the batch of a row, for `shrunk` and `replace`.
        replace: first and last batch whose known rows go if the new file lacks their keys; None: none goes.
    """

    key: tuple[str, ...]
    same_key: SameKey = "latest"
    latest_by: str | None = None
    not_compared: frozenset[str] = frozenset()
    batch: str = "'all'"
    replace: tuple[str, str] | None = None

    @property
    def key_list(self) -> str:
        """The key as a list of SQL identifiers."""
        return ", ".join(map(quote_identifier, self.key))


@dataclass(frozen=True)
class Accumulation:
    """How a new file changed the rows; its rows are `added + unchanged + replacing + outranked`.

    Attributes:
        rows: rows afterwards.
        added: rows with a key that was not known.
        unchanged: rows that equal the row of their key that counts.
        replacing: rows that replaced a known row of their key.
        outranked: rows whose key has another row that counts. They are in the history.
        removed: known rows that went because their batch was to be replaced. They are in the history.
        shrunk: (batch, rows before, rows afterwards) of each batch that has fewer rows than before.
    """

    rows: int
    added: int
    unchanged: int
    replacing: int
    outranked: int
    removed: int
    shrunk: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class AccumulationFiles:
    """Where `Accumulator.add` writes.

    Attributes:
        counting: one row per key, in the order of the key: the columns of the new file, `content` (MD5 of the values
            that are compared) and `in_last_file` (whether the new file has the key).
        history: every row that does not count, of all calls: the columns of the new file, `content`, and the place of
            the row that counts instead, `replaced_by_file` and `replaced_by_line`, null where the row was removed.
        superseded: the rows that this call added to the history.
    """

    counting: Path
    history: Path
    superseded: Path


class Accumulator:
    """Adds rows to known rows.

    Args:
        session: resources that DuckDB may use.
    """

    def __init__(self, session: DuckDbSession) -> None:
        self._session = session

    def add(
        self, new: Path, known: Path | None, history: Path | None, rules: KeyRules, out: AccumulationFiles
    ) -> Accumulation:
        """Write the known rows with those of a new file, and the history of the rows that do not count.

        Args:
            new: Parquet with typed rows, source_file and source_line. Several rows may have one key.
            known: what an earlier call wrote to `out.counting`; None at first. Its rows get the columns of `new`: a
                column that they lack is null, and one that `new` lacks is dropped. Their `content` stays.
            history: what an earlier call wrote to `out.history`; None at first. A value that has no form in a column's
                new type is null.
            rules: which row of a key counts.
            out: the files to write.

        Raises:
            WarehouseError: a known value cannot be read with the type that its column has in `new`, or memory or disk
                space ran out.
        """
        reads = (path for path in (new, known, history) if path)
        with self._session.connection(reads, (out.counting, out.history, out.superseded)) as (connection, _):
            columns = _columns(connection, new)
            _load(connection, columns, new, known, rules)
            _create_superseded(connection, columns, history, rules)
            names = ", ".join(map(quote_identifier, columns))
            counting = f"SELECT {names}, {CONTENT}, {IN_LAST_FILE} FROM counting ORDER BY {rules.key_list}"
            write(connection, counting, out.counting)
            write(connection, "FROM superseded ORDER BY ALL", out.superseded)
            write(connection, "FROM history UNION ALL BY NAME FROM superseded ORDER BY ALL", out.history)
            return _counts(connection)


def _load(
    connection: duckdb.DuckDBPyConnection, columns: dict[str, str], new: Path, known: Path | None, rules: KeyRules
) -> None:
    """Create the tables `fresh` (rows of the file, ranked by key), `known`, `verdict` (of a key), and `counting`."""
    key, same = rules.key_list, content_sql(columns, {*SOURCE_LOCATION, rules.latest_by, *rules.not_compared})
    latest = quote_identifier(rules.latest_by) if rules.latest_by else "NULL"
    order = f"{latest} DESC NULLS LAST, file_row_number DESC" if rules.same_key == "latest" else "file_row_number"
    connection.execute(
        f"CREATE TABLE fresh AS SELECT *, {same} AS {_SAME}, {_SAME} AS {CONTENT}, {rules.batch} AS {_BATCH}, "
        f"row_number() OVER (PARTITION BY {key} ORDER BY {order}) AS {_PLACE} "
        f"FROM read_parquet({quote_literal(str(new))}, file_row_number = true)"
    )
    earlier = _known_sql(connection, columns, known, new)
    connection.execute(
        f"CREATE TABLE known AS SELECT * REPLACE (coalesce({CONTENT}, {same}) AS {CONTENT}), {same} AS {_SAME}, "
        f"{rules.batch} AS {_BATCH} FROM ({earlier})"
    )
    later = f"coalesce(n.{latest} >= k.{latest}, k.{latest} IS NULL)" if rules.latest_by else "true"
    wins = later if rules.same_key == "latest" else "false"
    removed = "false"
    if rules.replace:
        removed = f"k.{_BATCH} BETWEEN {quote_literal(rules.replace[0])} AND {quote_literal(rules.replace[1])}"
    date = f"greatest(k.{latest}, n.{latest})" if rules.latest_by else "NULL"
    connection.execute(f"""
        CREATE TABLE verdict AS SELECT {key}, {date} AS __date,
            CASE WHEN n.{_SAME} IS NULL THEN CASE WHEN {removed} THEN 'removed' ELSE 'kept' END
                WHEN k.{_SAME} IS NULL THEN 'added' WHEN n.{_SAME} = k.{_SAME} THEN 'unchanged'
                WHEN {wins} THEN 'replacing' ELSE 'outranked' END AS __what
        FROM (FROM fresh WHERE {_PLACE} = 1) AS n FULL JOIN known AS k USING ({key})""")
    from_new, from_known = "__what IN ('added', 'replacing')", "__what IN ('unchanged', 'outranked', 'kept')"
    dated = f"REPLACE (CASE __what WHEN 'unchanged' THEN __date ELSE {latest} END AS {latest})"
    connection.execute(f"""
        CREATE VIEW counting AS
        SELECT fresh.* EXCLUDE (file_row_number, {_PLACE}), true AS {IN_LAST_FILE}
            FROM fresh SEMI JOIN (FROM verdict WHERE {from_new}) AS won USING ({key}) WHERE {_PLACE} = 1
        UNION ALL BY NAME
        SELECT * EXCLUDE (__date, __what) {dated if rules.latest_by else ""}, __what <> 'kept' AS {IN_LAST_FILE}
            FROM known JOIN verdict USING ({key}) WHERE {from_known}""")


def _columns(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str]:
    """Name and type of each column, without those that `Accumulator` adds."""
    rows = connection.execute(f"DESCRIBE FROM read_parquet({quote_literal(str(path))})").fetchall()
    return {str(name): str(kind) for name, kind, *_ in rows if name not in (*_ADDED, *_REPLACED_BY)}


def _known_sql(connection: duckdb.DuckDBPyConnection, columns: dict[str, str], known: Path | None, new: Path) -> str:
    """Query of the known rows with the columns and types of the new ones, and their `content` if they have it."""
    if known is None:
        return f"SELECT *, NULL::VARCHAR AS {CONTENT} FROM read_parquet({quote_literal(str(new))}) WHERE false"
    rows, present = f"read_parquet({quote_literal(str(known))})", _columns(connection, known)
    for name, kind in columns.items():
        if present.get(name, kind) != kind:
            _require_readable(connection, rows, name, present[name], kind)
    described = connection.execute(f"DESCRIBE FROM {rows}").fetchall()
    content = CONTENT if CONTENT in {row[0] for row in described} else "NULL::VARCHAR"
    return f"SELECT {retyped_columns_sql(columns, present)}, {content} AS {CONTENT} FROM {rows}"


def _require_readable(connection: duckdb.DuckDBPyConnection, rows: str, name: str, was: str, kind: str) -> None:
    lost = f"{quote_identifier(name)} IS NOT NULL AND {retyped_sql(name, was, kind)} IS NULL"
    if count := connection.execute(f"SELECT count(*) FROM {rows} WHERE {lost}").fetchall()[0][0]:
        raise WarehouseError(
            f"{count:,} rows that earlier files brought have a value in {name} that is no {kind}, the column's type in "
            "the contract now. Give the column its earlier type, or its new type a new name."
        )


def _create_superseded(
    connection: duckdb.DuckDBPyConnection, columns: dict[str, str], history: Path | None, rules: KeyRules
) -> None:
    """Create the views `history` and `superseded`: known rows that lost their place, and rows of the file without one.

    Files that are read again bring the same losers again; those of the history are not added twice.
    """
    for table, rows in {"lost": "known", "lost_at_once": "fresh"}.items():
        names = ", ".join(f"loser.{quote_identifier(name)}" for name in (*columns, CONTENT))
        connection.execute(
            f"CREATE TABLE {table} AS SELECT {names}, winner.source_file AS {_REPLACED_BY[0]}, "
            f"winner.source_line AS {_REPLACED_BY[1]} FROM {rows} AS loser LEFT JOIN counting AS winner "
            f"USING ({rules.key_list}) WHERE winner.{_SAME} IS DISTINCT FROM loser.{_SAME}"
        )
    earlier = "FROM lost WHERE false"
    if history is not None:
        rows, present = f"read_parquet({quote_literal(str(history))})", _columns(connection, history)
        more = ", ".join((CONTENT, *_REPLACED_BY))
        earlier = f"SELECT {retyped_columns_sql(columns, present)}, {more} FROM {rows}"
    connection.execute(f"CREATE VIEW history AS {earlier}")
    same = (*map(quote_identifier, rules.key), CONTENT, "source_line")
    again = " AND ".join([*(f"n.{name} = h.{name}" for name in same), same_file_sql("n", "h")])
    connection.execute(
        "CREATE VIEW superseded AS FROM lost UNION ALL BY NAME "
        f"SELECT n.* FROM lost_at_once AS n WHERE NOT EXISTS (FROM history AS h WHERE {again})"
    )


def _counts(connection: duckdb.DuckDBPyConnection) -> Accumulation:
    counted = connection.execute("SELECT __what, count(*) FROM verdict GROUP BY 1").fetchall()
    found = {str(what): int(count) for what, count in counted}
    outranked = int(connection.execute("SELECT count(*) FROM lost_at_once").fetchall()[0][0])
    arrived = int(connection.execute("SELECT count(*) FROM fresh").fetchall()[0][0])
    added, replacing = found.get("added", 0), found.get("replacing", 0)
    shrunk = connection.execute(f"""
        SELECT {_BATCH}, before, coalesce(rows, 0)
        FROM (SELECT {_BATCH}, count(*) AS before FROM known GROUP BY {_BATCH})
            LEFT JOIN (SELECT {_BATCH}, count(*) AS rows FROM counting GROUP BY {_BATCH}) USING ({_BATCH})
        WHERE coalesce(rows, 0) < before ORDER BY {_BATCH}""").fetchall()
    return Accumulation(
        rows=sum(count for what, count in found.items() if what != "removed"),
        added=added,
        unchanged=arrived - added - replacing - outranked,
        replacing=replacing,
        outranked=outranked,
        removed=found.get("removed", 0),
        shrunk=tuple((str(batch), int(before), int(rows)) for batch, before, rows in shrunk),
    )
