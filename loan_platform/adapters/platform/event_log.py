"""Dagster's event log in SQLite, with connections that are kept open.

Dagster's own storage makes an engine and a connection for each statement, and waits for the disk at each commit. A
run of a large book writes over a thousand events. Decision 43 has the figures, and why Dagster's private API is used.
"""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Self, TypedDict

from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, create_engine
from sqlalchemy.pool import QueuePool

MOST_OPEN: Final = 8  # databases of one process; each run has one of its own, and all share one more


class EventLogConfig(TypedDict):
    """The folder of the databases."""

    base_dir: str


class EventLog(SqliteEventLogStorage):
    """The same databases as Dagster's own storage, so that a home may change between the two at any time.

    A commit does not wait for the disk. A process that is killed loses nothing; a machine that loses power may lose
    the last events of its runs, and the databases stay whole.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: EventLogConfig) -> Self:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The storage that the instance's `dagster.yaml` configures."""
        return cls(config_value["base_dir"], inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock, self._engine(shard).connect() as connection, connection.begin():
            yield connection

    def _engine(self, shard: str) -> Engine:
        if shard not in self._engines:
            self._engines[shard] = engine = _kept_engine(self.conn_string_for_shard(shard))
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            if len(self._engines) > MOST_OPEN:
                self._engines.popitem(last=False)[1].dispose()
        self._engines.move_to_end(shard)
        return self._engines[shard]

    def wipe(self) -> None:
        """Delete all events. The files of the runs are removed, so that no connection to them may be kept."""
        self._close()
        super().wipe()

    def dispose(self) -> None:
        """Close the connections."""
        super().dispose()
        self._close()

    def _close(self) -> None:
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()


def _kept_engine(address: str) -> Engine:
    options: dict[str, Any] = {"poolclass": QueuePool, "pool_size": 1}
    engine = create_engine(address, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}, **options)

    @event.listens_for(engine, "connect")
    def _do_not_wait_for_the_disk(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA synchronous=NORMAL")

    return engine
