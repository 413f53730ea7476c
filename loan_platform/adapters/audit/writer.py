"""Writes audit records. Records that wait at the same time share one write and one disk flush."""

import json
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loan_platform.adapters.audit.chain_files import (
    HEAD,
    BrokenChainError,
    acquire_chain,
    head_bytes,
    read_head,
    repair_tail,
    segments,
)
from loan_platform.adapters.audit.keys import AuditKey
from loan_platform.adapters.storage.atomic_files import fsync
from loan_platform.core.audit.hash_chain import Head, append_hash, parse_line

log = logging.getLogger("loan_platform.service")

RETRY_SECONDS = 1.0
MAX_BATCHES = 512  # per write
DAY = 86_400.0

Done = Callable[[str | None], None]


@dataclass(frozen=True)
class AuditOptions:
    """How audit records are stored.

    Attributes:
        directory: of the chains.
        segment_bytes: size from which on a new segment is started.
        keep_days: segments whose last line is older are deleted; None: keep all.
    """

    directory: Path
    segment_bytes: int = 16_000_000
    keep_days: float | None = None


class _Batch:
    __slots__ = ("bodies", "done")

    def __init__(self, bodies: Sequence[bytes], done: Done) -> None:
        self.bodies, self.done = bodies, done


class AuditLog:
    """One audit chain, written by its own thread.

    Attributes:
        problem: why the chain cannot be written at present; None: it can.
    """

    def __init__(self, options: AuditOptions, key: AuditKey | None) -> None:
        self.problem: str | None = "the audit log is not open yet"
        self._options, self._key = options, key
        self._waiting: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._chain: Path | None = None
        self._lock = self._file = self._head_file = -1
        self._head, self._size, self._number, self._day = Head(), 0, 0, 0
        self._lost, self._lost_written = 0, 0  # each is changed by one thread only
        self._logged_at, self._opened_at = 0.0, 0.0  # monotonic seconds
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)

    def start(self) -> None:
        """Open the chain if possible, and start the writer's thread."""
        self._try_to_open()
        self._thread.start()

    def stop(self) -> None:
        """Write the waiting records and close the chain."""
        self._waiting.put(None)
        self._thread.join()

    def put(self, bodies: Sequence[bytes], done: Done) -> None:
        """Queue records for writing.

        Args:
            bodies: JSON objects without line ends.
            done: called in the writer's thread with None once the records are on disk, else with the reason.
        """
        self._waiting.put(_Batch(bodies, done))

    def add_lost(self, count: int) -> None:
        """Count answers that were sent without a record. The next segment records the count."""
        self._lost += count

    def _run(self) -> None:
        while True:
            try:
                batches = [self._waiting.get(timeout=RETRY_SECONDS if self.problem else None)]
            except queue.Empty:
                self._try_to_open()
                continue
            while len(batches) < MAX_BATCHES:
                try:
                    batches.append(self._waiting.get_nowait())
                except queue.Empty:
                    break
            self._commit([batch for batch in batches if batch is not None])
            if None in batches:
                self._close()
                return

    def _commit(self, batches: list[_Batch]) -> None:
        if not batches:
            return
        if self.problem and time.monotonic() - self._opened_at > RETRY_SECONDS:
            self._try_to_open()
        if not self.problem:
            self._attempt(lambda: self._write([body for batch in batches for body in batch.bodies]))
        for batch in batches:
            batch.done(self.problem)

    def _attempt(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # a disk error or a defect: in both cases nothing was recorded
            self._set_problem(error)

    def _set_problem(self, error: Exception) -> None:
        self._close()
        why = error.strerror if isinstance(error, OSError) else None
        self.problem = f"the audit log cannot be written: {why or type(error).__name__}"
        if time.monotonic() - self._logged_at > 60 or not self._logged_at:
            self._logged_at = time.monotonic()
            log.error("%s (%s)", self.problem, self._options.directory)

    def _try_to_open(self) -> None:
        self._opened_at = time.monotonic()
        self._attempt(self._open)

    def _open(self) -> None:
        """Lock an intact chain and start a segment."""
        self._chain = self._acquire_intact_chain()
        if read_head(self._chain, None) is None:
            (self._chain / HEAD).write_bytes(head_bytes(Head(), self._key))
        self._head_file = os.open(self._chain / HEAD, os.O_WRONLY | os.O_CLOEXEC)
        found = segments(self._chain)
        self._number = int(found[-1].stem) if found else 0
        self._next_segment()
        self.problem = None
        if self._logged_at:
            log.warning("the audit log can be written again")
            self._logged_at = 0.0

    def _acquire_intact_chain(self) -> Path:
        """Lock a chain and repair its tail. A broken chain is left unchanged, and the next one is taken."""
        broken: list[int] = []  # locked until an intact chain is found, so that they are not tried again
        try:
            while True:
                chain, self._lock = acquire_chain(self._options.directory)
                try:
                    self._head, torn = repair_tail(chain, self._key)
                    break
                except BrokenChainError as error:
                    log.error("%s A new chain is started.", error)
                    broken.append(self._lock)
                    self._lock = -1
        finally:
            for descriptor in broken:
                os.close(descriptor)
        for name in torn:
            log.warning("%s: moved an incomplete last line to %s", chain, name)
        return chain

    def _next_segment(self) -> None:
        """Start a segment. Its first line has the time, and the number of answers without a record."""
        assert self._chain is not None
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._number += 1
        path = self._chain / f"{self._number:08}.ndjson"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o600)
        self._size, self._day = 0, int(time.time() // DAY)
        fsync(self._chain)
        lost = self._lost - self._lost_written
        line: dict[str, Any] = {"time": time.time(), "opened": path.name, "pid": os.getpid()}
        self._append([_body(line | ({"lost": lost} if lost else {}))])
        self._lost_written += lost
        self._retire()

    def _write(self, bodies: list[bytes]) -> None:
        if self._size > self._options.segment_bytes or int(time.time() // DAY) != self._day:
            self._next_segment()
        self._append(bodies)

    def _append(self, bodies: list[bytes]) -> None:
        head, lines = self._head, list[bytes]()
        for body in bodies:
            line, head = append_hash(body, head)
            lines.append(line)
        data = memoryview(b"".join(lines))
        while data:
            data = data[os.write(self._file, data) :]
        os.fdatasync(self._file)
        self._head, self._size = head, self._size + sum(map(len, lines))
        os.pwrite(self._head_file, head_bytes(head, self._key), 0)

    def _retire(self) -> None:
        """Delete segments older than `keep_days`. The chain records each deletion first."""
        if self._options.keep_days is None or self._chain is None:
            return
        oldest = time.time() - self._options.keep_days * DAY
        for path in segments(self._chain)[:-1]:
            if path.stat().st_mtime >= oldest:
                return
            last = parse_line(path.read_bytes().rsplit(b"\n", 2)[-2])
            if last is None:
                return
            retired = {"segment": path.name, "n": last.n, "sha256": last.sha256}
            self._append([_body({"time": time.time(), "retired": retired})])
            path.unlink()

    def _close(self) -> None:
        for descriptor in (self._file, self._head_file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._head_file = self._lock = -1


def _body(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
