"""The drift window as rows per bin, shared by all workers. Counts can be added up; a drift index cannot."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PARTS = 20  # of a full window; the oldest is dropped as a whole

Counts = NDArray[np.int64]


class SharedCounts:
    """Counts in one SQLite file. The file can be deleted while no worker runs.

    Each worker fills parts of its own. The window is the newest parts that together reach its number of rows.

    Args:
        path: of the file.
        rows: of the window.
    """

    def __init__(self, path: Path, rows: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.rows, self._worker = rows, os.getpid()
        self._file = sqlite3.connect(path, timeout=5, check_same_thread=False)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = OFF")
        with self._file:
            self._file.execute(
                "CREATE TABLE IF NOT EXISTS parts "
                "(id INTEGER PRIMARY KEY, version INTEGER, sha256 TEXT, worker INTEGER, rows INTEGER, counts BLOB)"
            )

    def add(self, version: int, sha256: str, rows: int, counts: Counts) -> None:
        """Add rows of a model.

        Args:
            version, sha256: of the model. The parts of earlier versions are dropped.
            rows: their number.
            counts: rows in each bin of each variable, one variable after another.
        """
        with self._file:
            self._file.execute("DELETE FROM parts WHERE version < ?", (version,))
            newest = self._file.execute(
                "SELECT id, rows, counts FROM parts WHERE version = ? AND sha256 = ? AND worker = ? "
                "ORDER BY id DESC LIMIT 1",
                (version, sha256, self._worker),
            ).fetchone()
            if newest and newest[1] < self.rows // PARTS and len(newest[2]) == counts.nbytes:
                total = np.frombuffer(newest[2], dtype=np.int64) + counts
                self._file.execute(
                    "UPDATE parts SET rows = ?, counts = ? WHERE id = ?", (newest[1] + rows, total.tobytes(), newest[0])
                )
            else:
                self._file.execute(
                    "INSERT INTO parts (version, sha256, worker, rows, counts) VALUES (?, ?, ?, ?, ?)",
                    (version, sha256, self._worker, rows, counts.tobytes()),
                )

    def window(self, version: int, sha256: str, bins: int) -> tuple[int, Counts]:
        """Number of rows in the window of a model, and their counts. Older parts are dropped."""
        found, total = 0, np.zeros(bins, dtype=np.int64)
        sql = "SELECT id, rows, counts FROM parts WHERE version = ? AND sha256 = ? ORDER BY id DESC"
        with self._file, closing(self._file.execute(sql, (version, sha256))) as parts:
            for part, rows, counts in parts.fetchall():
                if found >= self.rows:
                    self._file.execute("DELETE FROM parts WHERE id <= ? AND version = ?", (part, version))
                    break
                if len(counts) == total.nbytes:
                    found, total = found + rows, total + np.frombuffer(counts, dtype=np.int64)
        return found, total
