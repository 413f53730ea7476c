"""Atomic file writes: a reader sees the old file or the complete new one, also after a crash."""

import errno
import hashlib
import itertools
import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loan_platform.core.errors import ExplainedError

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DISK_FULL_TEXT = re.compile(
    r"no space left on device|disk quota exceeded|file too large|database or disk is full", re.IGNORECASE
)
_PARTIAL = re.compile(r"\.(?P<host>[\w-]+)~(?P<pid>\d+)~\d+\.partial$")
_ABANDONED_SECONDS = 24 * 3600
_HOST = re.sub(r"[^\w-]", "_", socket.gethostname())
_counter = itertools.count()


class DiskFullError(ExplainedError, RuntimeError):
    """A file could not be written because the disk is full. The previous file is unchanged."""


def atomic_write(path: Path, content: bytes | str) -> None:
    """Replace a file in one step: readers see the old or the new content, also after a crash.

    Raises:
        DiskFullError: no space is left; the old file is unchanged.
    """
    data = content.encode() if isinstance(content, str) else content
    make_directory(path.parent)
    remove_abandoned(path.parent)
    partial = partial_path(path)
    with explained_disk_full(path, len(data)), discarded_on_error(partial):
        partial.write_bytes(data)
        fsync(partial)
        partial.replace(path)
    fsync(path.parent)


def partial_path(path: Path) -> Path:
    """A temporary name beside `path`. It holds host and process id, for `remove_abandoned`."""
    return path.with_name(f"{path.name}.{_HOST}~{os.getpid()}~{next(_counter)}.partial")


def remove_abandoned(directory: Path) -> None:
    """Delete the partial files and directories in a directory whose process has ended."""
    for entry in list(directory.iterdir()):
        if (match := _PARTIAL.search(entry.name)) and _abandoned(entry, match["host"], int(match["pid"])):
            remove(entry)


def remove(path: Path) -> None:
    """Delete a file or a directory, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def make_directory(path: Path) -> None:
    """Create a directory with its parents so that it survives a power cut."""
    if path.is_dir():
        return
    make_directory(path.parent)
    path.mkdir(exist_ok=True)
    fsync(path.parent)


def make_read_only(path: Path) -> None:
    """Take the right to write to a file from everybody. Who may read it, the process's umask has decided."""
    path.chmod(path.stat().st_mode & 0o555)


def fsync(path: Path) -> None:
    """Flush a file, or the entries of a directory, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_tree(directory: Path) -> None:
    """Flush every file and entry below a directory to disk."""
    for path in sorted(directory.rglob("*")):
        fsync(path)
    fsync(directory)


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def discarded_on_error(*partials: Path) -> Iterator[None]:
    """Delete the partial files if the block fails."""
    try:
        yield
    except BaseException:
        for partial in partials:
            remove(partial)
        raise


@contextmanager
def explained_disk_full(target: Path, needed: int | None = None) -> Iterator[None]:
    """Turn "no space left", from any library, into an error with path and sizes.

    Args:
        target: the file that the block writes.
        needed: its size in bytes, if known.

    Raises:
        DiskFullError: the disk is full, or a quota or file size limit was reached.
    """
    try:
        yield
    except Exception as error:
        if not _is_disk_full(error):
            raise
        free = shutil.disk_usage(target.parent).free
        need = f"{needed:,} bytes are needed, " if needed else ""
        raise DiskFullError(
            f"{target} was not written: no space left on its disk ({need}{free:,} bytes are free). "
            "The previous file is unchanged. Free some space and run again."
        ) from error


def _is_disk_full(error: BaseException) -> bool:
    # DuckDB and Polars raise their own types, with the operating system's text in the message.
    number = getattr(error, "errno", None)
    return number in _DISK_FULL or _DISK_FULL_TEXT.search(str(error)) is not None


def _abandoned(entry: Path, host: str, pid: int) -> bool:
    # Age decides if the process cannot be checked: another container, or a reused process id.
    try:
        age = time.time() - entry.lstat().st_mtime
    except FileNotFoundError:  # its process has just completed it
        return False
    if age > _ABANDONED_SECONDS:
        return True
    if host != _HOST:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # running, and owned by another user
        return False
    return False
