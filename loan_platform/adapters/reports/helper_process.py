"""Run a function in a helper process, for libraries that take seconds to import.

The import runs on another core while the caller does other work. Run as a program, this module is the helper: it
answers pickled calls on standard input until its caller closes it or ends. Pickle is used only on the two pipes between
a process and the helper that it started. Nothing that serves requests uses this module.
"""

import contextlib
import importlib
import os
import pickle
import resource
import signal
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Generic, ParamSpec, TypeVar

from loan_platform.adapters.platform.gc_tuning import tune_gc
from loan_platform.core.errors import ExplainedError

P = ParamSpec("P")
R = TypeVar("R")


_HELPERS: "list[HelperProcess[..., Any]]" = []


def own_peak_megabytes() -> int:
    """Peak resident memory of this process so far, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux, ru_maxrss also counts the parent process before exec
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024 // 1024  # macOS counts bytes


def peak_megabytes() -> int:
    """Sum of the peaks of this process and its helpers, in MiB: an upper bound of their common peak."""
    return own_peak_megabytes() + sum(helper.peak_megabytes for helper in _HELPERS)


class HelperProcess(Generic[P, R]):
    """Runs one function in a helper process, one call at a time. The helper ends with this process.

    Args:
        function: a function at module level; its arguments and result must be picklable.
        imports: the module with the slow import, which the helper imports before its first call.

    Attributes:
        peak_megabytes: peak resident memory of the helper at its last answer, in MiB; 0 before the first.
    """

    def __init__(self, function: Callable[P, R], imports: str) -> None:
        self.peak_megabytes = 0
        _HELPERS.append(self)
        self._function, self._imports = function, imports
        self._process: subprocess.Popen[bytes] | None = None
        self._one_at_a_time = threading.Lock()

    def start(self) -> None:
        """Start the helper and its import, and return at once. Otherwise the first call starts it."""
        if self._process is None or self._process.poll() is not None:
            command = [sys.executable, "-m", __name__, self._imports]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The function's result.

        Raises:
            ExplainedError: the helper ended before it answered.
            Exception: the error of the function, with its traceback in the helper as a note.
        """
        with self._one_at_a_time:
            self.start()
            try:
                answer = self._ask(pickle.dumps((self._function, args, kwargs)))
            except BaseException:  # also an interrupt: the next call must not get the answer of this one
                self._stop()
                raise
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _ask(self, call: bytes) -> R | Exception:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(call)
            self._process.stdin.flush()
            answer, self.peak_megabytes = pickle.load(self._process.stdout)  # noqa: S301
            return answer
        except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
            raise ExplainedError(
                f"The process that runs {self._function.__name__} with {self._imports} ended with status "
                f"{self._process.wait()} before it answered. -9 means that the system killed it, usually because "
                "memory ran out. Give the run more memory and materialize the asset again."
            ) from error

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def main() -> None:
    """Answer calls until standard input ends. Output of libraries goes to standard error."""
    tune_gc()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller decides what ends on an interrupt
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module(sys.argv[1])
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            _answer(sys.stdin.buffer, answers)


def _answer(calls: BinaryIO, answers: BinaryIO) -> None:
    function, args, kwargs = pickle.load(calls)  # noqa: S301
    try:
        answer = pickle.dumps((function(*args, **kwargs), own_peak_megabytes()))
    except Exception as error:
        error.add_note(traceback.format_exc())
        answer = pickle.dumps((_portable(error), own_peak_megabytes()))
    answers.write(answer)
    answers.flush()


def _portable(error: Exception) -> Exception:
    """The error itself, or its text if it cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301
    except Exception:  # pickling runs the error's own code, which may raise anything
        portable = RuntimeError(f"{type(error).__name__}: {error}")
        portable.add_note(error.__notes__[-1])
        return portable
    return error


if __name__ == "__main__":
    main()
