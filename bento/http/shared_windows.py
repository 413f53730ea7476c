"""Moving windows of several processes in one SQLite file."""

import sqlite3
import threading
import time
from pathlib import Path

from limits.storage import Storage
from limits.storage.base import MovingWindowSupport

FIXED = "only moving windows are supported, no fixed ones"
BUSY_SECONDS = 0.25  # a worker waits this long for the file; then the request passes


class SharedWindows(Storage, MovingWindowSupport):
    """Moving windows of several processes in one SQLite file.

    A window of n requests is a ring of n times. A request passes if the time that it overwrites has left the window.
    Each check reads one row. A request that passes also writes one.

    Args:
        path: of the file. It can be deleted while no worker runs.
    """

    STORAGE_SCHEME = None

    def __init__(self, path: Path) -> None:
        super().__init__()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._file = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = OFF")  # a power failure loses only recent counts
        self._file.execute("CREATE TABLE IF NOT EXISTS asked (key TEXT PRIMARY KEY, times INTEGER) WITHOUT ROWID")
        self._file.execute(
            "CREATE TABLE IF NOT EXISTS ring (key TEXT, slot INTEGER, at REAL, PRIMARY KEY (key, slot)) WITHOUT ROWID"
        )

    @property
    def base_exceptions(self) -> type[Exception]:
        """Errors of the file."""
        return sqlite3.Error

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount` requests if they fit into the window. Returns whether they do."""
        if amount > limit:
            return False
        with self._lock:
            if self._oldest(key, limit, amount) > time.time() - expiry:  # rejected without the lock of the file
                return False
            self._file.execute("BEGIN IMMEDIATE")
            try:
                now = time.time()
                fits = self._oldest(key, limit, amount) <= now - expiry
                if fits:
                    times = self._times(key)
                    slots = [(key, (times + i) % limit, now) for i in range(amount)]
                    self._file.executemany("INSERT OR REPLACE INTO ring VALUES (?, ?, ?)", slots)
                    self._file.execute("INSERT OR REPLACE INTO asked VALUES (?, ?)", (key, times + amount))
            finally:
                self._file.execute("COMMIT")
        return fits

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Time of the oldest request in the window, and their number."""
        now = time.time()
        with self._lock:
            if (oldest := self._oldest(key, limit, 1)) > now - expiry:
                return oldest, limit
            sql = "SELECT min(at), count(*) FROM ring WHERE key = ? AND at > ?"
            first, count = self._file.execute(sql, (key, now - expiry)).fetchone()
        return (now if first is None else first), count

    def clear(self, key: str) -> None:
        """Delete the window of a key."""
        with self._lock:
            self._file.execute("DELETE FROM ring WHERE key = ?", (key,))
            self._file.execute("DELETE FROM asked WHERE key = ?", (key,))

    def reset(self) -> int | None:
        """Delete all windows."""
        with self._lock:
            self._file.execute("DELETE FROM ring")
            return self._file.execute("DELETE FROM asked").rowcount

    def check(self) -> bool:
        """Whether the file can be read."""
        with self._lock:
            return self._file.execute("SELECT count(*) FROM asked").fetchone() is not None

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Required by `Storage`. Moving windows do not call it."""
        raise NotImplementedError(FIXED)

    def get(self, key: str) -> int:
        """Required by `Storage`. Moving windows do not call it."""
        raise NotImplementedError(FIXED)

    def get_expiry(self, key: str) -> float:
        """Required by `Storage`. Moving windows do not call it."""
        raise NotImplementedError(FIXED)

    def _times(self, key: str) -> int:
        row = self._file.execute("SELECT times FROM asked WHERE key = ?", (key,)).fetchone()
        return row[0] if row else 0

    def _oldest(self, key: str, limit: int, amount: int) -> float:
        """The newest time that `amount` more requests would overwrite. 0 if there is none."""
        sql = (
            "SELECT at FROM ring WHERE key = :key AND slot = "
            "(coalesce((SELECT times FROM asked WHERE key = :key), 0) + :more) % :limit"
        )
        row = self._file.execute(sql, {"key": key, "more": amount - 1, "limit": limit}).fetchone()
        return row[0] if row else 0.0
