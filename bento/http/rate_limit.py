"""How often a key may ask: a moving window for each key, exact over all workers."""

import math
import sqlite3
import threading
import time
from functools import lru_cache
from pathlib import Path

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, Storage
from limits.storage.base import MovingWindowSupport
from limits.strategies import MovingWindowRateLimiter

from bento.http.problems import HttpError
from loan_platform.settings.service import UNLIMITED

FIXED = "limits of fixed windows are not counted here: use a moving window"
BUSY_SECONDS = 0.25  # that a worker waits for the others; then the request is let through


class Limiter:
    """Counts requests by key.

    One request to `/invocations` counts as one, whatever rows it has: the body's size and number of rows are bounded.

    Args:
        default: rate of a key that has none of its own, such as 100/minute.
        storage: where the windows are.
    """

    def __init__(self, default: str, storage: Storage) -> None:
        self._default, self._windows = default, MovingWindowRateLimiter(storage)

    def check(self, key_id: str, rate: str | None) -> None:
        """Count one request.

        Args:
            key_id: whose it is.
            rate: that the key carries; None: the default.

        Raises:
            HttpError: 429, with the seconds after which the next one passes.
        """
        rate = rate or self._default
        if rate == UNLIMITED:
            return
        item = _parsed(rate)
        try:
            if self._windows.hit(item, key_id):
                return
            reset = self._windows.get_window_stats(item, key_id).reset_time
        except sqlite3.OperationalError:  # a limit protects the service; it must not be what stops it
            return
        seconds = str(max(1, math.ceil(reset - time.time())))
        headers = {"retry-after": seconds, "ratelimit-limit": str(item.amount), "ratelimit-remaining": "0"}
        raise HttpError(
            429,
            "rate_limited",
            f"This key may ask {rate.replace('/', ' times a ')}.",
            headers=headers | {"ratelimit-reset": seconds},
        )


def storage_for(workers: int, path: Path) -> Storage:
    """Memory for one worker; a file for more, which all of them open."""
    return MemoryStorage() if workers == 1 else SharedWindows(path)


class SharedWindows(Storage, MovingWindowSupport):
    """Moving windows of several processes in one SQLite file.

    A window of n requests is a ring of n times: a request passes when the time that it overwrites has left the window.
    That is one row read, and one more written where it passes.

    Args:
        path: of the file; it can be deleted while no worker runs.
    """

    STORAGE_SCHEME = None

    def __init__(self, path: Path) -> None:
        super().__init__()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._file = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = OFF")  # what a power cut loses are the counts of a minute
        self._file.execute("CREATE TABLE IF NOT EXISTS asked (key TEXT PRIMARY KEY, times INTEGER) WITHOUT ROWID")
        self._file.execute(
            "CREATE TABLE IF NOT EXISTS ring (key TEXT, slot INTEGER, at REAL, PRIMARY KEY (key, slot)) WITHOUT ROWID"
        )

    @property
    def base_exceptions(self) -> type[Exception]:
        """What the file may raise."""
        return sqlite3.Error

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Whether `amount` more fit into the window; then they are counted."""
        if amount > limit:
            return False
        with self._lock:
            if self._oldest(key, limit, amount) > time.time() - expiry:  # refused without the lock of the file
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
        """When the window's oldest request was, and how many it has."""
        now = time.time()
        with self._lock:
            if (oldest := self._oldest(key, limit, 1)) > now - expiry:
                return oldest, limit
            sql = "SELECT min(at), count(*) FROM ring WHERE key = ? AND at > ?"
            first, count = self._file.execute(sql, (key, now - expiry)).fetchone()
        return (now if first is None else first), count

    def clear(self, key: str) -> None:
        """Forget a key."""
        with self._lock:
            self._file.execute("DELETE FROM ring WHERE key = ?", (key,))
            self._file.execute("DELETE FROM asked WHERE key = ?", (key,))

    def reset(self) -> int | None:
        """Forget all keys."""
        with self._lock:
            self._file.execute("DELETE FROM ring")
            return self._file.execute("DELETE FROM asked").rowcount

    def check(self) -> bool:
        """Whether the file can be read."""
        with self._lock:
            return self._file.execute("SELECT count(*) FROM asked").fetchone() is not None

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Part of `Storage`; moving windows do not call it."""
        raise NotImplementedError(FIXED)

    def get(self, key: str) -> int:
        """Part of `Storage`; moving windows do not call it."""
        raise NotImplementedError(FIXED)

    def get_expiry(self, key: str) -> float:
        """Part of `Storage`; moving windows do not call it."""
        raise NotImplementedError(FIXED)

    def _times(self, key: str) -> int:
        row = self._file.execute("SELECT times FROM asked WHERE key = ?", (key,)).fetchone()
        return row[0] if row else 0

    def _oldest(self, key: str, limit: int, amount: int) -> float:
        """The newest time that `amount` more requests would overwrite; 0 where there is none."""
        sql = (
            "SELECT at FROM ring WHERE key = :key AND slot = "
            "(coalesce((SELECT times FROM asked WHERE key = :key), 0) + :more) % :limit"
        )
        row = self._file.execute(sql, {"key": key, "more": amount - 1, "limit": limit}).fetchone()
        return row[0] if row else 0.0


@lru_cache(maxsize=256)
def _parsed(rate: str) -> RateLimitItem:
    return parse(rate)
