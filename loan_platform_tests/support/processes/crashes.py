"""Runs a piece of work in a process that dies, or meets a failing disk, at its n-th file operation."""

import errno
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from loan_platform_tests.support.waiting import PATIENCE_SECONDS

Failure = Literal["kill", "EIO", "ENOSPC"]

_NOT_REACHED, _REACHED = 30, 31
_AUDITED = {
    "open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.chmod",
    "os.truncate", "shutil.rmtree", "shutil.copyfile",
}  # fmt: skip
# A server that forks: the work's modules are imported once, and no thread pool has started yet.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["loan_platform.adapters.storage.lake", "loan_platform.adapters.ledger.ledger"])


def fails_at(point: int, failure: Failure, root: Path, work: Callable[..., None], *arguments: Any) -> bool:
    """Whether the work got as far as its `point`-th file operation below `root`, which then failed."""
    process = _processes.Process(target=_run, args=(point, failure, root, work, arguments))
    process.start()
    process.join(PATIENCE_SECONDS)
    assert process.exitcode in (_NOT_REACHED, _REACHED, -signal.SIGKILL), process.exitcode
    return process.exitcode != _NOT_REACHED


def start(work: Callable[..., None], *arguments: Any) -> Any:
    """The work in a process of its own."""
    process = _processes.Process(target=work, args=arguments)
    process.start()
    return process


def _run(point: int, failure: Failure, root: Path, work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    left = point

    def operation(path: object) -> None:
        nonlocal left
        if not isinstance(path, str | os.PathLike) or not os.fspath(path).startswith(str(root)):
            return
        left -= 1
        if left == 0 and failure == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if left == 0:
            code = getattr(errno, failure)
            raise OSError(code, os.strerror(code), os.fspath(path))

    def hook(event: str, values: tuple[Any, ...]) -> None:
        if event in _AUDITED:
            operation(values[0])

    def fsync(descriptor: int, real: Callable[[int], None] = os.fsync) -> None:
        operation(f"{root}")
        real(descriptor)

    os.fsync = fsync  # not audited by Python
    sys.addaudithook(hook)
    try:
        work(*arguments)
    except (OSError, RuntimeError):
        assert left <= 0, "the work failed by itself"
    sys.exit(_NOT_REACHED if left > 0 else _REACHED)
