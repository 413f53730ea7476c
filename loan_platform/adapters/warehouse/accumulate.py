"""Rows of a new file are added to those that earlier files brought. Rows that no longer count stay in the history."""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from loan_platform.adapters.warehouse.ordered_parquet import write
from loan_platform.adapters.warehouse.session import DuckDbSession, WarehouseError
from loan_platform.core.book.policies import SameKey
from loan_platform.core.book.sql import quote_identifier, quote_literal

CONTENT = "content"
IN_LAST_FILE = "in_last_file"
_PLACE = ("source_file", "source_line")
_ADDED = (CONTENT, IN_LAST_FILE)


@dataclass(frozen=True)
class KeyRules:
    """How the rows of one key are told apart.

    Attributes:
        key: column that identifies a row.
        same_key: which of two rows with one key counts. `refuse` keeps the first, and the caller refuses the others.
        latest_by: date column that says which row is the latest; None: the one that was read last.
        batch: SQL of the batch of a row, for `shrunk` and `replace`.
        replace: first and last batch whose known rows go if the new file lacks their keys; None: none goes.
    """

    key: str
    same_key: SameKey = "latest"
    latest_by: str | None = None
    batch: str = "'all'"
    replace: tuple[str, str] | None = None


@dataclass(frozen=True)
class Accumulation:
    """How a new file changed the rows; its rows are `added + unchanged + replacing + outranked`.

    Attributes:
        rows: rows afterwards.
        added: rows with a key that was not known.
        unchanged: rows that were known with the same values.
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


class Accumulator:
    """Adds rows to known rows.

    Args:
        session: resources that DuckDB may use.
    """

    def __init__(self, session: DuckDbSession) -> None:
        self._session = session

    def add(
        self, new: Path, known: Path | None, history: Path | None, rules: KeyRules, out: Path, out_history: Path
    ) -> Accumulation:
        """Write the known rows with those of a new file, and the history of the rows that do not count.

        Args:
            new: Parquet with typed rows, source_file and source_line. Several rows may have one key.
            known: what an earlier call wrote to `out`; None at first. Its rows get the columns of `new`: a column that
                they lack is null, and one that `new` lacks is dropped.
            history: what an earlier call wrote to `out_history`; None at first.
            rules: which row of a key counts.
            out: Parquet in the order of the key, one row per key: the columns of `new`, `content` (MD5 of the values,
                without their place in a file) and `in_last_file` (whether the new file has the key).
            out_history: Parquet with the columns of `new`, `content`, and the place of the row that counts instead:
                `replaced_by_file` and `replaced_by_line`, null where the row was removed.

        Raises:
            WarehouseError: a known value cannot be read with the type that its column has in `new`, or memory or disk
                space ran out.
        """
        with self._session.connection() as (connection, _):
            names = _load(connection, new, known, rules)
            write(connection, _rows_sql(names, rules), out)
            write(connection, _history_sql(names, rules, history), out_history)
            return _counts(connection)


def _load(connection: duckdb.DuckDBPyConnection, new: Path, known: Path | None, rules: KeyRules) -> str:
    """Create the tables `fresh` (rows of the file, ranked by key), `known`, and `verdict` (what becomes of a key).

    Returns:
        The columns of `new`, as a select list.
    """
    columns = _columns(connection, new)
    values = ", ".join(quote_identifier(name) for name in columns if name not in _PLACE)
    extra = f"md5(CAST(to_json(row({values})) AS VARCHAR)) AS {CONTENT}, {rules.batch} AS batch"
    key = quote_identifier(rules.key)
    latest = quote_identifier(rules.latest_by) if rules.latest_by else "NULL"
    order = f"{latest} DESC NULLS LAST, file_row_number DESC" if rules.same_key == "latest" else "file_row_number"
    connection.execute(
        f"CREATE TABLE fresh AS SELECT *, {extra}, row_number() OVER (PARTITION BY {key} ORDER BY {order}) AS place "
        f"FROM read_parquet({quote_literal(str(new))}, file_row_number = true)"
    )
    connection.execute(f"CREATE TABLE known AS SELECT *, {extra} FROM ({_known_sql(connection, columns, known, new)})")
    later = f"coalesce(n.{latest} >= k.{latest}, k.{latest} IS NULL)" if rules.latest_by else "true"
    wins = later if rules.same_key == "latest" else "false"
    removed = "false"
    if rules.replace:
        removed = f"k.batch BETWEEN {quote_literal(rules.replace[0])} AND {quote_literal(rules.replace[1])}"
    connection.execute(f"""
        CREATE TABLE verdict AS SELECT coalesce(n.{key}, k.{key}) AS key,
            CASE WHEN n.{key} IS NULL THEN CASE WHEN {removed} THEN 'removed' ELSE 'kept' END
                WHEN k.{key} IS NULL THEN 'added' WHEN n.{CONTENT} = k.{CONTENT} THEN 'unchanged'
                WHEN {wins} THEN 'replacing' ELSE 'outranked' END AS what
        FROM (FROM fresh WHERE place = 1) AS n FULL JOIN known AS k ON n.{key} = k.{key}""")
    from_new, from_known = "what IN ('added', 'replacing')", "what IN ('unchanged', 'outranked', 'kept')"
    connection.execute(f"""
        CREATE VIEW counting AS
        SELECT fresh.* EXCLUDE (file_row_number, place), true AS {IN_LAST_FILE}
            FROM fresh JOIN verdict ON verdict.key = fresh.{key} WHERE place = 1 AND {from_new}
        UNION ALL BY NAME
        SELECT known.*, what <> 'kept' AS {IN_LAST_FILE}
            FROM known JOIN verdict ON verdict.key = known.{key} WHERE {from_known}""")
    return ", ".join(quote_identifier(name) for name in columns)


def _columns(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str]:
    """Name and type of each column, without those that `Accumulator` adds."""
    rows = connection.execute(f"DESCRIBE FROM read_parquet({quote_literal(str(path))})").fetchall()
    return {str(name): str(kind) for name, kind, *_ in rows if name not in _ADDED}


def _known_sql(connection: duckdb.DuckDBPyConnection, columns: dict[str, str], known: Path | None, new: Path) -> str:
    """Query of the known rows with the columns and types of the new ones."""
    if known is None:
        return f"FROM read_parquet({quote_literal(str(new))}) WHERE false"
    rows, present = f"read_parquet({quote_literal(str(known))})", _columns(connection, known)
    for name, kind in columns.items():
        if present.get(name, kind) != kind:
            _require_readable(connection, rows, name, kind)
    casts = (
        f"CAST({quote_identifier(name) if name in present else 'NULL'} AS {kind}) AS {quote_identifier(name)}"
        for name, kind in columns.items()
    )
    return f"SELECT {', '.join(casts)} FROM {rows}"


def _require_readable(connection: duckdb.DuckDBPyConnection, rows: str, name: str, kind: str) -> None:
    column = quote_identifier(name)
    unread = f"SELECT count(*) FROM {rows} WHERE {column} IS NOT NULL AND TRY_CAST({column} AS {kind}) IS NULL"
    if count := connection.execute(unread).fetchall()[0][0]:
        raise WarehouseError(
            f"{count:,} rows that earlier files brought have a value in {name} that is no {kind}, the column's type in "
            "the contract now. Give the column its earlier type, or its new type a new name."
        )


def _rows_sql(names: str, rules: KeyRules) -> str:
    return f"SELECT {names}, {CONTENT}, {IN_LAST_FILE} FROM counting ORDER BY {quote_identifier(rules.key)}"


def _history_sql(names: str, rules: KeyRules, history: Path | None) -> str:
    """The earlier history, with the known rows that were replaced or removed and the new rows that do not count."""
    key = quote_identifier(rules.key)
    loser = (
        "SELECT loser.*, winner.source_file AS replaced_by_file, winner.source_line AS replaced_by_line "
        f"FROM {{rows}} AS loser LEFT JOIN counting AS winner ON winner.{key} = loser.{key} "
        f"WHERE winner.{CONTENT} IS DISTINCT FROM loser.{CONTENT}"
    )
    parts = [loser.format(rows="known"), loser.format(rows="fresh")]
    if history is not None:
        parts.append(f"SELECT * FROM read_parquet({quote_literal(str(history))})")
    every = " UNION ALL BY NAME ".join(f"({part})" for part in parts)
    return f"SELECT DISTINCT {names}, {CONTENT}, replaced_by_file, replaced_by_line FROM ({every}) ORDER BY ALL"


def _counts(connection: duckdb.DuckDBPyConnection) -> Accumulation:
    found = {
        str(what): int(n) for what, n in connection.execute("SELECT what, count(*) FROM verdict GROUP BY 1").fetchall()
    }
    repeated = int(connection.execute("SELECT count(*) FROM fresh WHERE place > 1").fetchall()[0][0])
    shrunk = connection.execute("""
        SELECT batch, before, coalesce(rows, 0) FROM (SELECT batch, count(*) AS before FROM known GROUP BY batch)
            LEFT JOIN (SELECT batch, count(*) AS rows FROM counting GROUP BY batch) USING (batch)
        WHERE coalesce(rows, 0) < before ORDER BY batch""").fetchall()
    return Accumulation(
        rows=sum(count for what, count in found.items() if what != "removed"),
        added=found.get("added", 0),
        unchanged=found.get("unchanged", 0),
        replacing=found.get("replacing", 0),
        outranked=found.get("outranked", 0) + repeated,
        removed=found.get("removed", 0),
        shrunk=tuple((str(batch), int(before), int(rows)) for batch, before, rows in shrunk),
    )
