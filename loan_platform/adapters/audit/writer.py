"""Writes records of answers: those that wait together are written and brought to the disk together."""

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
    head_bytes,
    healed,
    locked,
    read_head,
    segments,
)
from loan_platform.adapters.audit.keys import AuditKey
from loan_platform.adapters.storage.atomic_files import fsync
from loan_platform.core.audit.hash_chain import Head, opened, sealed

log = logging.getLogger("loan_platform.service")

RETRY_SECONDS = 1.0
MOST_TOGETHER = 512  # batches of one write
DAY = 86_400.0

Done = Callable[[str | None], None]


@dataclass(frozen=True)
class AuditOptions:
    """How records are kept.

    Attributes:
        directory: of the chains.
        segment_bytes: a segment is not written to any more from this size on.
        keep_days: segments whose last line is older are deleted; None: none are.
    """

    directory: Path
    segment_bytes: int = 16_000_000
    keep_days: float | None = None


class _Batch:
    __slots__ = ("bodies", "done")

    def __init__(self, bodies: Sequence[bytes], done: Done) -> None:
        self.bodies, self.done = bodies, done


class AuditLog:
    """One chain of records, written by a thread of its own.

    Attributes:
        problem: why nothing can be written at present; None: it can.
    """

    def __init__(self, options: AuditOptions, key: AuditKey | None) -> None:
        self.problem: str | None = "the records are not opened yet"
        self._options, self._key = options, key
        self._waiting: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._chain: Path | None = None
        self._lock = self._file = self._head_file = -1
        self._head, self._size, self._number, self._day = Head(), 0, 0, 0
        self._lost, self._told = 0, 0  # each is changed by one thread alone
        self._said, self._tried = 0.0, 0.0
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)

    def start(self) -> None:
        """Open the chain, where that is possible, and begin to write."""
        self._try_to_open()
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, and close the chain."""
        self._waiting.put(None)
        self._thread.join()

    def put(self, bodies: Sequence[bytes], done: Done) -> None:
        """Hand records over.

        Args:
            bodies: JSON objects without line ends.
            done: called in the writer's thread: with None when they are on the disk, else with the reason why not.
        """
        self._waiting.put(_Batch(bodies, done))

    def lost(self, count: int) -> None:
        """So many answers went out without a record; the chain says so once it can be written again."""
        self._lost += count

    def _run(self) -> None:
        while True:
            try:
                batches = [self._waiting.get(timeout=RETRY_SECONDS if self.problem else None)]
            except queue.Empty:
                self._try_to_open()
                continue
            while len(batches) < MOST_TOGETHER:
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
        if self.problem and time.monotonic() - self._tried > RETRY_SECONDS:
            self._try_to_open()
        if not self.problem:
            self._attempt(lambda: self._write([body for batch in batches for body in batch.bodies]))
        for batch in batches:
            batch.done(self.problem)

    def _attempt(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # of the disk, or a defect: either way nothing is recorded
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        self._close()
        why = error.strerror if isinstance(error, OSError) else None
        self.problem = f"the records cannot be written: {why or type(error).__name__}"
        if time.monotonic() - self._said > 60 or not self._said:
            self._said = time.monotonic()
            log.error("%s (%s)", self.problem, self._options.directory)

    def _try_to_open(self) -> None:
        self._tried = time.monotonic()
        self._attempt(self._open)

    def _open(self) -> None:
        """Take a chain, heal it, and begin a segment; a chain that is broken is left, and the next one taken."""
        kept: list[int] = []
        try:
            while True:
                self._chain, self._lock = locked(self._options.directory)
                try:
                    self._head, aside = healed(self._chain, self._key)
                    break
                except BrokenChainError as error:
                    log.error("%s A new chain is begun.", error)
                    kept.append(self._lock)  # so that the next one is found
                    self._lock = -1
        finally:
            for descriptor in kept:
                os.close(descriptor)
        for name in aside:
            log.warning("%s: a line that was torn off is kept aside in %s", self._chain, name)
        if read_head(self._chain, None) is None:
            (self._chain / HEAD).write_bytes(head_bytes(Head(), self._key))
        self._head_file = os.open(self._chain / HEAD, os.O_WRONLY | os.O_CLOEXEC)
        found = segments(self._chain)
        self._number = int(found[-1].stem) if found else 0
        self._next_segment()
        self.problem = None
        if self._said:
            log.warning("the records can be written again")
            self._said = 0.0

    def _next_segment(self) -> None:
        """Begin a segment; its first line says when, and what was lost before it."""
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
        lost = self._lost - self._told
        told: dict[str, Any] = {"time": time.time(), "opened": path.name, "pid": os.getpid()}
        self._append([_body(told | ({"lost": lost} if lost else {}))])
        self._told += lost
        self._retire()

    def _write(self, bodies: list[bytes]) -> None:
        if self._size > self._options.segment_bytes or int(time.time() // DAY) != self._day:
            self._next_segment()
        self._append(bodies)

    def _append(self, bodies: list[bytes]) -> None:
        head, lines = self._head, list[bytes]()
        for body in bodies:
            line, head = sealed(body, head)
            lines.append(line)
        data = memoryview(b"".join(lines))
        while data:
            data = data[os.write(self._file, data) :]
        os.fdatasync(self._file)
        self._head, self._size = head, self._size + sum(map(len, lines))
        os.pwrite(self._head_file, head_bytes(head, self._key), 0)

    def _retire(self) -> None:
        """Delete segments that are older than the settings keep; the chain says so first."""
        if self._options.keep_days is None or self._chain is None:
            return
        oldest = time.time() - self._options.keep_days * DAY
        for path in segments(self._chain)[:-1]:
            if path.stat().st_mtime >= oldest:
                return
            last = opened(path.read_bytes().rsplit(b"\n", 2)[-2])
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
